"""Options that several subcommands share, and how their texts become values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from auto_quantize_model.byte_sizes import parse_bytes
from auto_quantize_model.cases.suite import load_suite
from auto_quantize_model.checkpoints.locate import named_path
from auto_quantize_model.engine.capture.settings import CaptureSettings
from auto_quantize_model.errors import InputError, nearest

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from auto_quantize_model.cases.suite import Suite

DEFAULT_SUITE = Path("sensitivity_cases/suite.yaml")


def add_suite_options(parser: argparse.ArgumentParser) -> None:
    """Add what it takes to load a suite."""
    parser.add_argument(
        "--suite", type=Path, default=DEFAULT_SUITE, metavar="FILE", help="Suite (default: %(default)s)"
    )
    parser.add_argument(
        "--models-root", type=Path, metavar="DIR", help="Models tree (default: models/ beside the suite or its folder)"
    )
    parser.add_argument(
        "--override",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="Set a configuration value for every case, for example autoquant.batch_size=4; repeatable",
    )
    parser.add_argument("--device", metavar="DEVICE", help="auto, cpu, cuda or cuda:N (default: autoquant.device)")


def add_engine_options(parser: argparse.ArgumentParser, engine_help: str) -> None:
    """Add what it takes to run cases of a suite."""
    parser.add_argument("--engine", choices=("replay", "modelopt"), default="replay", help=engine_help)
    parser.add_argument(
        "--model-path",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="Checkpoint of a model: a folder, or a GGUF file; repeatable",
    )


def add_capture_options(parser: argparse.ArgumentParser) -> None:
    """Add what may be said about captures."""
    parser.add_argument(
        "--keep-capture",
        action="store_true",
        help="Keep what the pass captures, and use what is kept: a further pair then costs a replay only",
    )
    parser.add_argument(
        "--capture-dir", type=Path, metavar="DIR", help="Folder for captures on disk (default: one in the user's cache)"
    )
    parser.add_argument(
        "--capture-memory",
        metavar="SIZE",
        help="How much of the captured tensors stays in memory, for example 20GB (default: what is free decides)",
    )


def capture_settings(arguments: argparse.Namespace) -> CaptureSettings:
    """What the options say about captures."""
    if arguments.keep_capture and arguments.engine != "replay":
        raise InputError("--keep-capture: the engine modelopt captures nothing; leave one out")
    try:
        memory = None if arguments.capture_memory is None else parse_bytes(arguments.capture_memory)
    except ValueError as error:
        raise InputError(f"--capture-memory {error}") from None
    return CaptureSettings(keep=arguments.keep_capture, folder=arguments.capture_dir, memory=memory)


def suite_of(arguments: argparse.Namespace) -> Suite:
    """Load the suite that the options name."""
    if arguments.suite == DEFAULT_SUITE and not DEFAULT_SUITE.is_file():
        raise InputError(f"{DEFAULT_SUITE}: no such file here; run from the repository's root or give --suite FILE")
    return load_suite(arguments.suite, models_root=arguments.models_root, overrides=arguments.override)


def parse_model_paths(texts: Iterable[str], suite: Suite) -> dict[str, Path]:
    """Parse repeated NAME=DIR options."""
    known = {model.name for model in suite.models}
    paths = {}
    for text in texts:
        try:
            name, path = named_path(text)
        except InputError as error:
            raise InputError(f"--model-path {error}") from None
        if name not in known:
            raise InputError(f"--model-path '{text}': model '{name}' is not in the suite; {nearest(name, known)}")
        paths[name] = path
    return paths
