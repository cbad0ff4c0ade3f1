"""The plugin's options: how they are declared, checked and read."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from auto_quantize_model.cluster_address import check_with_cluster
from auto_quantize_model.engines import DEFAULT_ENGINE, ENGINES
from auto_quantize_model.errors import InputError
from auto_quantize_model.measuring import checked_measure
from auto_quantize_model.options import (
    CAPTURE_DIR,
    CAPTURE_MEMORY,
    CLUSTER,
    CLUSTER_GPUS,
    DEVICE,
    ENGINE,
    FRESH,
    HTML,
    IN_PYTEST,
    JSON,
    KEEP_CAPTURE,
    MEASURE,
    MEASURE_ON,
    MODEL_PATH,
    MODELS_ROOT,
    OUTPUT,
    OVERRIDE,
    PUBLISH,
    REPORT_ONLY,
    VERBOSE,
    nothing_to_keep,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auto_quantize_model.engines import EngineName
    from auto_quantize_model.measuring import MeasureSettings, Scope
    from auto_quantize_model.options import Option

_HARMLESS = ("autoquant.device", "model.devices", "suite.tolerances")
"""Overrides that leave every manifest as it is."""
_SELECTING = ("suite.models", "suite.pairs", "suite.sizes")
"""Overrides that, as lists of names, leave a case's manifest as it is, but not which cases there are."""


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """What the user asked of the plugin."""

    publish: bool
    report_only: bool
    device: str | None
    engine: EngineName
    model_paths: dict[str, Path]
    models_root: Path | None
    overrides: tuple[str, ...]
    output: Path | None
    json: Path | None
    html: Path | None
    verbose: bool
    keep_capture: bool
    fresh: bool
    capture_dir: Path | None
    capture_memory: int | None
    measure: MeasureSettings
    cluster: str | None
    cluster_gpus: int

    @property
    def score_changing_overrides(self) -> tuple[str, ...]:
        """The overrides under which a run says nothing about the baseline."""
        return tuple(text for text in self.overrides if _key(text) not in _HARMLESS and not _selects(text))

    @property
    def unpublishable_overrides(self) -> tuple[str, ...]:
        """The overrides under which nothing may be published: not a manifest, nor the list of all of them."""
        return tuple(text for text in self.overrides if _key(text) not in _HARMLESS)


def add_options(parser: pytest.Parser) -> None:
    """Declare the options, `--publish` apart."""
    group = parser.getgroup("sensitivity", "quantization sensitivity")
    group.addoption(
        PUBLISH.pytest_flag, action="store_true", help="The same as --publish, where another plugin owns that name"
    )
    for option in IN_PYTEST:
        keywords = option.keywords()
        if option.takes != "nothing" and option.choices is None:
            keywords["type"] = _checked(option)
        group.addoption(option.pytest_flag, **keywords)


def add_publish(parser: pytest.Parser, config: pytest.Config) -> None:
    """Declare `--publish`, or yield with a warning where another plugin owns that name."""
    group = parser.getgroup("sensitivity")
    try:
        group.addoption(PUBLISH.flag, dest=_destination(PUBLISH), **PUBLISH.keywords())
    except (ValueError, argparse.ArgumentError):  # in the same group, in another
        config.issue_config_time_warning(
            pytest.PytestConfigWarning(
                "--publish belongs to another plugin here; use --sensitivity-publish to publish baselines"
            ),
            stacklevel=2,
        )


def read_options(config: pytest.Config) -> Options:
    """Read the options; a contradiction between them is a usage error."""
    here = config.invocation_params.dir

    def value(option: Option) -> Any:
        return option.read(getattr(config.option, _destination(option)), option.pytest_flag)

    def path(option: Option) -> Path | None:
        # As it was meant where pytest was started: a test may change the working directory.
        given: Path | None = value(option)
        return None if given is None else here / given

    options = Options(
        publish=value(PUBLISH),
        report_only=value(REPORT_ONLY),
        device=value(DEVICE),
        engine=value(ENGINE),
        model_paths={name: here / place for name, place in value(MODEL_PATH)},
        models_root=path(MODELS_ROOT),
        overrides=tuple(value(OVERRIDE)),
        output=path(OUTPUT),
        json=path(JSON),
        html=path(HTML),
        verbose=value(VERBOSE),
        keep_capture=value(KEEP_CAPTURE),
        fresh=value(FRESH),
        capture_dir=path(CAPTURE_DIR),
        capture_memory=value(CAPTURE_MEMORY),
        measure=_measured(value(MEASURE), path(MEASURE_ON), value(ENGINE)),
        cluster=value(CLUSTER),
        cluster_gpus=value(CLUSTER_GPUS),
    )
    _check_together(options)
    _check_cluster(options, config)
    return options


def _measured(scope: Scope, captions: Path | None, engine: EngineName) -> MeasureSettings:
    try:
        return checked_measure(scope, captions, engine)
    except InputError as error:
        raise pytest.UsageError(str(error)) from None


def _check_together(options: Options) -> None:
    changing = options.unpublishable_overrides
    if options.publish and changing:
        raise pytest.UsageError(
            f"{PUBLISH.flag}: the override {changing[0]} changes what is published; put the value into the suite's "
            "configuration, or leave one of the two out (-k selects cases)"
        )
    if options.report_only and options.engine != DEFAULT_ENGINE:
        raise pytest.UsageError(f"{REPORT_ONLY.pytest_flag} runs no engine; leave {ENGINE.pytest_flag} out")
    if options.keep_capture and not ENGINES[options.engine].captures:
        raise pytest.UsageError(nothing_to_keep(options.engine, KEEP_CAPTURE.pytest_flag))
    if options.report_only and options.keep_capture:
        raise pytest.UsageError(f"{REPORT_ONLY.pytest_flag} captures nothing; leave {KEEP_CAPTURE.pytest_flag} out")
    if options.report_only and options.measure.scope:
        raise pytest.UsageError(f"{REPORT_ONLY.pytest_flag} measures nothing; leave {MEASURE.pytest_flag} out")
    if options.report_only and options.device:
        raise pytest.UsageError(f"{REPORT_ONLY.pytest_flag} runs on no device; leave {DEVICE.pytest_flag} out")


def _check_cluster(options: Options, config: pytest.Config) -> None:
    if options.cluster is None:
        return
    if options.report_only:
        raise pytest.UsageError(f"{REPORT_ONLY.pytest_flag} runs no engine; leave {CLUSTER.pytest_flag} out")
    if getattr(config.option, "dist", "no") != "no" or hasattr(config, "workerinput"):
        raise pytest.UsageError(
            f"{CLUSTER.pytest_flag}: the cluster's hosts are the workers; leave -n, or --dist, of pytest-xdist out"
        )
    try:
        check_with_cluster(
            engine=options.engine,
            measures=bool(options.measure.scope),
            keeps=options.keep_capture,
            limits_memory=options.capture_memory is not None,
        )
    except InputError as error:
        raise pytest.UsageError(str(error)) from None


def _checked(option: Option) -> Callable[[str], str]:
    """An option's text as it is, checked: what crosses processes stays a builtin."""

    def checked(text: str) -> str:
        try:
            option.parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return text

    return checked


def _destination(option: Option) -> str:
    """The attribute that pytest keeps an option's text in."""
    return option.pytest_flag.removeprefix("--").replace("-", "_")


def _selects(text: str) -> bool:
    """Whether an override only says which of the cases there are; sizes with numbers make others of them."""
    from auto_quantize_model.cases.overrides import parse_override

    return _key(text) in _SELECTING and isinstance(parse_override(text).value, list)


def _key(text: str) -> str:
    """The first two parts of an override's key: the section and what is set in it."""
    return ".".join(text.partition("=")[0].strip().split(".")[:2])
