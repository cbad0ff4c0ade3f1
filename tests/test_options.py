"""Both front doors offer the same options; what can be typed is said once."""

from __future__ import annotations

import argparse
from typing import Any, cast

import pytest

from auto_quantize_model.cases.settings import AutoQuantSettings
from auto_quantize_model.cli import run_command
from auto_quantize_model.device_names import parse_device
from auto_quantize_model.options import IN_PYTEST, REPORT_ONLY, VERBOSE
from auto_quantize_model.plugin.options import add_options
from auto_quantize_model.precision.capability import find_device
from auto_quantize_model.quoting import visible


class PytestsParser:
    """What the plugin asks of pytest's parser."""

    def __init__(self) -> None:
        self.declared: dict[str, dict[str, Any]] = {}

    def getgroup(self, *_: str) -> PytestsParser:
        return self

    def addoption(self, flag: str, **keywords: Any) -> None:
        self.declared[flag] = keywords


def test_an_option_is_the_same_in_pytest_and_on_the_command_line() -> None:
    inside = PytestsParser()
    add_options(cast("pytest.Parser", inside))
    parser = argparse.ArgumentParser()
    run_command.add_parser(parser.add_subparsers())
    (subcommands,) = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    outside = {flag: action for action in subcommands.choices["run"]._actions for flag in action.option_strings}
    shared = [option for option in IN_PYTEST if option not in (REPORT_ONLY, VERBOSE)]
    assert len(shared) > 5
    for option in shared:
        action, keywords = outside[option.flag], inside.declared[option.pytest_flag]
        assert action.help == keywords["help"]
        assert action.metavar == keywords.get("metavar")
        assert action.default == keywords.get("default", False)


@pytest.mark.parametrize("name", ["auto", "cpu", "cuda", "cuda:0", "cuda:12"])
def test_a_device_may_be_called(name: str) -> None:
    parse_device(name)
    assert AutoQuantSettings(name="any", device=name).device == name


@pytest.mark.parametrize("name", ["", "tpu", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "auto:1", "cuda:0\n", "cuda:٣"])
def test_another_name_of_a_device_is_refused_in_the_same_words_everywhere(name: str) -> None:
    said = visible(f"device '{name}' is unknown; use auto, cpu, cuda or cuda:N")
    for read in (parse_device, find_device, lambda text: AutoQuantSettings(name="any", device=text)):
        with pytest.raises(ValueError, match="is unknown; use") as caught:
            read(name)
        assert said in visible(str(caught.value))
