"""The plugin's options: how they are declared, checked and read."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PUBLISH_HELP = "Write each case's artifacts over its baseline; a case that drifted then passes and says what changed"

_HARMLESS = ("autoquant.device", "model.devices", "suite.tolerances")
"""Overrides that leave every manifest as it is."""
_SELECTING = ("suite.models", "suite.pairs", "suite.sizes")
"""Overrides that leave a case's manifest as it is, but not which cases there are."""


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """What the user asked of the plugin."""

    publish: bool
    report_only: bool
    device: str | None
    engine: Literal["replay", "modelopt"]
    model_paths: dict[str, Path]
    models_root: Path | None
    overrides: tuple[str, ...]
    output: Path | None
    json: Path | None
    keep_capture: bool
    capture_dir: Path | None
    capture_memory: int | None

    @property
    def score_changing_overrides(self) -> tuple[str, ...]:
        """The overrides under which a run says nothing about the baseline."""
        return tuple(text for text in self.overrides if _key(text) not in (*_HARMLESS, *_SELECTING))

    @property
    def unpublishable_overrides(self) -> tuple[str, ...]:
        """The overrides under which nothing may be published: not a manifest, nor the list of all of them."""
        return tuple(text for text in self.overrides if _key(text) not in _HARMLESS)


def add_options(parser: pytest.Parser) -> None:
    """Declare the options, `--publish` apart."""
    group = parser.getgroup("sensitivity", "quantization sensitivity")
    group.addoption(
        "--sensitivity-publish", action="store_true", help="The same as --publish, where another plugin owns that name"
    )
    group.addoption(
        "--sensitivity-report-only",
        action="store_true",
        help="Run no engine: regenerate every selected case's reports from its manifest (with --publish: in place)",
    )
    group.addoption(
        "--sensitivity-device",
        metavar="{auto,cpu,cuda,cuda:N}",
        type=_parsed_by(_check_device),
        help="Device to run on (default: autoquant.device, which is auto)",
    )
    group.addoption(
        "--sensitivity-engine",
        choices=("replay", "modelopt"),
        default="replay",
        help="replay: every case from one pass; modelopt: ModelOpt's own loop, the reference (default: %(default)s)",
    )
    group.addoption(
        "--sensitivity-model-path",
        action="append",
        default=[],
        metavar="NAME=DIR",
        type=_parsed_by(_model_path),
        help="Checkpoint of a model: a folder, or a GGUF file; repeatable",
    )
    group.addoption(
        "--sensitivity-models-root",
        metavar="DIR",
        help="Models tree to read baselines from and publish to (default: models/ beside the suite or its folder)",
    )
    group.addoption(
        "--sensitivity-override",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        type=_parsed_by(_check_override),
        help="Set a configuration value for every case, for example autoquant.batch_size=4; repeatable",
    )
    group.addoption(
        "--sensitivity-output",
        metavar="DIR",
        help="Folder for the artifacts of this run (default: tmp/sensitivity/<time>)",
    )
    group.addoption(
        "--sensitivity-json", metavar="FILE", help="Write a summary for machines: one record a case, and the totals"
    )
    group.addoption(
        "--sensitivity-keep-capture",
        action="store_true",
        help="Keep what the pass captures, and use what is kept: a further pair then costs a replay only",
    )
    group.addoption(
        "--sensitivity-capture-dir",
        metavar="DIR",
        help="Folder for captures on disk (default: one in the user's cache)",
    )
    group.addoption(
        "--sensitivity-capture-memory",
        metavar="SIZE",
        type=_parsed_by(_memory),
        help="How much of the captured tensors stays in memory, for example 20GB; the rest goes to disk "
        "(default: what is free decides)",
    )


def add_publish(parser: pytest.Parser, config: pytest.Config) -> None:
    """Declare `--publish`, or yield with a warning where another plugin owns that name."""
    group = parser.getgroup("sensitivity")
    try:
        group.addoption("--publish", action="store_true", dest="sensitivity_publish", help=PUBLISH_HELP)
    except (ValueError, argparse.ArgumentError):  # in the same group, in another
        config.issue_config_time_warning(
            pytest.PytestConfigWarning(
                "--publish belongs to another plugin here; use --sensitivity-publish to publish baselines"
            ),
            stacklevel=2,
        )


def read_options(config: pytest.Config) -> Options:
    """Read the options; a contradiction between them is a usage error."""
    option, here = config.option, config.invocation_params.dir
    memory = option.sensitivity_capture_memory
    options = Options(
        publish=option.sensitivity_publish,
        report_only=option.sensitivity_report_only,
        device=option.sensitivity_device,
        engine=option.sensitivity_engine,
        model_paths={name: here / path for name, path in map(_model_path, option.sensitivity_model_path)},
        models_root=_path(option.sensitivity_models_root, here),
        overrides=tuple(option.sensitivity_override),
        output=_path(option.sensitivity_output, here),
        json=_path(option.sensitivity_json, here),
        keep_capture=option.sensitivity_keep_capture,
        capture_dir=_path(option.sensitivity_capture_dir, here),
        capture_memory=None if memory is None else _memory(memory),
    )
    _check_together(options)
    return options


def _check_together(options: Options) -> None:
    changing = options.unpublishable_overrides
    if options.publish and changing:
        raise pytest.UsageError(
            f"--publish: the override {changing[0]} changes what is published; put the value into the suite's "
            "configuration, or leave one of the two out (-k selects cases)"
        )
    if options.report_only and options.engine != "replay":
        raise pytest.UsageError("--sensitivity-report-only runs no engine; leave --sensitivity-engine out")
    if options.keep_capture and options.engine != "replay":
        raise pytest.UsageError("--sensitivity-keep-capture: the engine modelopt captures nothing; leave one out")
    if options.report_only and options.keep_capture:
        raise pytest.UsageError("--sensitivity-report-only captures nothing; leave --sensitivity-keep-capture out")
    if options.report_only and options.device:
        raise pytest.UsageError("--sensitivity-report-only runs on no device; leave --sensitivity-device out")


def _path(text: str | None, here: Path) -> Path | None:
    """A path as it was meant where pytest was started: a test may change the working directory."""
    return None if text is None else here / text


def _parsed_by(check: Callable[[str], object]) -> Callable[[str], str]:
    """An option's text as it is, checked: what crosses processes stays a builtin."""

    def checked(text: str) -> str:
        try:
            check(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return text

    return checked


def _check_device(text: str) -> None:
    kind, colon, index = text.partition(":")
    if kind not in ("auto", "cpu", "cuda") or (colon and not (kind == "cuda" and index.isdecimal())):
        raise ValueError(f"'{text}' is unknown; use auto, cpu, cuda or cuda:N")


def _check_override(text: str) -> None:
    from auto_quantize_model.cases.overrides import parse_override

    parse_override(text)


def _memory(text: str) -> int:
    from auto_quantize_model.byte_sizes import parse_bytes

    return parse_bytes(text)


def _model_path(text: str) -> tuple[str, Path]:
    from auto_quantize_model.checkpoints.locate import named_path

    return named_path(text)


def _key(text: str) -> str:
    """The first two parts of an override's key: the section and what is set in it."""
    return ".".join(text.partition("=")[0].strip().split(".")[:2])
