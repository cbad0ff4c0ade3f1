"""`doctor`: what is on this machine, and what of the suite would run."""

from __future__ import annotations

import collections
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from auto_quantize_model.cli.options import SUITE_OPTIONS, add_options, suite_of
from auto_quantize_model.errors import CaseError, InputError, UnavailableError
from auto_quantize_model.paths import display_path
from auto_quantize_model.quoting import visible

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from auto_quantize_model.cases.suite import Case, Suite

_PACKAGES = ("auto-quantize-model", "nvidia-modelopt", "torch", "transformers", "pytest", "pytest-xdist", "gguf")


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "doctor",
        help="Show what is here, and what of the suite would run",
        description="Show versions, devices, pairs, checkpoints and captions, and what of the suite would run here. "
        "Exit status: 0 if any case can run, else 1.",
    )
    add_options(parser, SUITE_OPTIONS)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print it all, a line each, with the fix beside what is missing."""
    for line in (*_versions(), *_devices()):
        _say(line)
    suite = suite_of(arguments)
    _say(f"suite: {display_path(suite.path)}, {len(suite.cases)} cases")
    _say(_pairs(suite, arguments.device))
    for line in _captions(suite):
        _say(line)
    ready = 0
    for line, count in _models(suite, arguments.device):
        _say(line)
        ready += count
    _say(f"{ready} of {len(suite.cases)} cases can run here")
    return 0 if ready else 1


def _say(line: str) -> None:
    sys.stdout.write(f"{visible(line)}\n")


def _versions() -> Iterator[str]:
    yield f"python {platform.python_version()} on {platform.system()}"
    for package in _PACKAGES:
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            yield f"{package} is not installed"


def _devices() -> Iterator[str]:
    import torch

    yield f"cpu: {torch.get_num_threads()} threads"
    for number in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(number)
        yield f"cuda:{number}: {properties.name}, {properties.total_memory / 1e9:.0f} GB"
    if not torch.cuda.is_available():
        yield "cuda: no GPU here"


def _pairs(suite: Suite, device_name: str | None) -> str:
    """How many pairs' formats the installed ModelOpt runs on the device."""
    from auto_quantize_model.precision.capability import check_format, find_device
    from auto_quantize_model.precision.formats import resolve_format

    refused = []
    try:
        device = find_device(device_name or suite.cases[0].autoquant.device)
    except (CaseError, UnavailableError) as error:
        return f"pairs: {error}"
    for pair in suite.pairs:
        try:
            check_format(resolve_format(pair.format), device)
        except CaseError:
            refused.append(pair.name)
    fine = len(suite.pairs) - len(refused)
    why = f"; not {', '.join(refused)}: python -m auto_quantize_model pairs says why" if refused else ""
    return f"pairs: {fine} of {len(suite.pairs)} run on {device}{why}"


def _captions(suite: Suite) -> Iterator[str]:
    """Whether each dataset has as many captions as its sizes take."""
    for case in {(each.dataset.name, each.size): each for each in suite.cases}.values():
        name = f"captions {case.dataset.name} {case.size}"
        try:
            yield f"{name}: {len(case.captions.first(case.dataset.samples(case.size), case.size))}"
        except InputError as error:
            yield f"{name}: {error}"


def _models(suite: Suite, device: str | None) -> Iterator[tuple[str, int]]:
    """Of each model, whether its cases can run and what they lack; and how many cases that are."""
    from auto_quantize_model.availability import why_unavailable

    cases: dict[str, list[Case]] = collections.defaultdict(list)
    for case in suite.cases:
        cases[case.model.name].append(case)
    for name, its in cases.items():
        reason = why_unavailable(its[0], device, None)
        if reason is None:
            yield f"model {name}: {len(its)} cases can run", len(its)
        else:
            yield f"model {name}: {reason}", 0
