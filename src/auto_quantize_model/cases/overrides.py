"""Dotted overrides of configuration values: `autoquant.batch_size=4`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import yaml

from auto_quantize_model.cases.yaml_text import parse_yaml
from auto_quantize_model.errors import InputError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LONGEST_SHOWN = 100
SECTIONS = ("autoquant", "dataset", "model", "quant_pair", "suite")


@dataclasses.dataclass(frozen=True, slots=True)
class Override:
    """One `section.key[.key]=value` assignment."""

    text: str
    section: str
    keys: tuple[str, ...]
    value: object

    def apply(self, values: dict[str, Any]) -> None:
        """Set the value in a mapping as read from YAML; mappings in between are made as needed."""
        for key in self.keys[:-1]:
            inner = values.get(key)
            values[key] = inner = dict(inner) if isinstance(inner, dict) else {}
            values = inner
        values[self.keys[-1]] = self.value


def parse_override(text: str) -> Override:
    """Parse one override; the value is a YAML scalar or flow collection."""
    dotted, equals, value = text.partition("=")
    section, *keys = dotted.strip().split(".")
    if not equals or not keys or not all(keys):
        raise InputError(f"override '{shown(text)}': write it as section.key=value, for example autoquant.batch_size=4")
    if section not in SECTIONS:
        raise InputError(f"override '{shown(text)}': unknown section '{section}'; {nearest(section, SECTIONS)}")
    try:
        parsed = parse_yaml(value)
    except yaml.YAMLError as error:
        reason = str(getattr(error, "problem", None) or error).splitlines()[0]
        raise InputError(f"override '{shown(text)}': the value is not valid YAML: {reason}") from None
    return Override(text, section, tuple(keys), parsed)


def shown(text: str) -> str:
    """What somebody typed, cut to what a line can hold."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def override(values: dict[str, Any], section: str, overrides: Iterable[Override]) -> tuple[dict[str, Any], str]:
    """Apply a section's overrides to values; returns them and a clause naming what was applied."""
    mine = [change for change in overrides if change.section == section]
    for change in mine:
        change.apply(values)
    return values, _clause(mine)


def _clause(overrides: Sequence[Override]) -> str:
    return f" with override {' '.join(shown(change.text) for change in overrides)}" if overrides else ""
