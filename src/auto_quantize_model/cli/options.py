"""Options that several subcommands share, and how their texts become values."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from auto_quantize_model.cases.suite import load_suite
from auto_quantize_model.cases.suite_file import SUITE_FILE, SUITE_FOLDER, suite_near
from auto_quantize_model.engine.capture.settings import CaptureSettings
from auto_quantize_model.engines import ENGINES
from auto_quantize_model.errors import InputError, nearest
from auto_quantize_model.options import (
    CAPTURE_DIR,
    CAPTURE_MEMORY,
    DEVICE,
    ENGINE,
    FRESH,
    KEEP_CAPTURE,
    MEASURE,
    MEASURE_ON,
    MODEL_PATH,
    MODELS_ROOT,
    OVERRIDE,
    Option,
    nothing_to_keep,
)
from auto_quantize_model.paths import display_path

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from auto_quantize_model.cases.suite import Suite

SUITE = Option(
    "suite",
    f"Suite (default: {SUITE_FILE} here, in {SUITE_FOLDER}/ or in a folder above)",
    metavar="FILE",
    parse=Path,
)
SUITE_OPTIONS = (SUITE, MODELS_ROOT, OVERRIDE, DEVICE)
"""What it takes to load a suite."""
ENGINE_OPTIONS = (ENGINE, MODEL_PATH)
"""What it takes to run cases of a suite."""
CAPTURE_OPTIONS = (KEEP_CAPTURE, FRESH, CAPTURE_DIR, CAPTURE_MEMORY)
"""What may be said about captures."""
MEASURE_OPTIONS = (MEASURE, MEASURE_ON)
"""What is measured, and on what."""


def add_options(parser: argparse.ArgumentParser, options: Sequence[Option]) -> None:
    """Add options to a subcommand, once for all of them."""
    for option in options:
        parser.add_argument(option.flag, **option.keywords())
    parser.set_defaults(options=options)


def read_options(arguments: argparse.Namespace) -> None:
    """Turn the texts of a subcommand's options into values, in their places; a mistake is an `InputError`."""
    for option in getattr(arguments, "options", ()):
        name = option.name.replace("-", "_")
        setattr(arguments, name, option.read(getattr(arguments, name), option.flag))


def capture_settings(arguments: argparse.Namespace) -> CaptureSettings:
    """What the options say about captures."""
    if arguments.keep_capture and not ENGINES[arguments.engine].captures:
        raise InputError(nothing_to_keep(arguments.engine, KEEP_CAPTURE.flag))
    return CaptureSettings(
        keep=arguments.keep_capture,
        folder=arguments.capture_dir,
        memory=arguments.capture_memory,
        run=uuid.uuid4().hex,
        fresh=arguments.fresh,
    )


def suite_file(given: Path | None) -> Path | None:
    """The suite that was named, by its file or by its folder; or else the one of the working directory, if any."""
    if given is not None:
        return given / SUITE_FILE if given.is_dir() else given
    file = suite_near(Path.cwd())
    return None if file is None else Path(display_path(file))


def suite_of(arguments: argparse.Namespace) -> Suite:
    """Load the suite that the options name, or else the one of the working directory."""
    file = suite_file(arguments.suite)
    if file is None:
        raise InputError(
            f"no suite: neither {SUITE_FILE} nor {SUITE_FOLDER}/{SUITE_FILE} is in {Path.cwd()} or a folder above it; "
            f"run from the repository's root or give {SUITE.flag} {SUITE.metavar}"
        )
    recipe: str | None = getattr(arguments, "modelopt_recipe", None)
    return load_suite(
        file, models_root=arguments.models_root, overrides=arguments.override, modelopt_recipe=_here(recipe)
    )


def _here(recipe: str | None) -> str | None:
    """A recipe that lies in the working folder by its whole path: a suite looks beside itself."""
    if recipe is None or not Path(recipe).is_file():
        return recipe
    return str(Path(recipe).absolute())


def model_paths(arguments: argparse.Namespace, suite: Suite) -> dict[str, Path]:
    """The places that the options name, by model; each must be a model of the suite."""
    known = [model.name for model in suite.models]
    for name, _ in arguments.model_path:
        if name not in known:
            raise InputError(f"{MODEL_PATH.flag}: model '{name}' is not in {suite.path}; {nearest(name, known)}")
    return dict(arguments.model_path)
