"""Reading one YAML file into one settings object; a mistake is one line that names the file, the key and the fix."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from auto_quantize_model.cases.yaml_text import parse_yaml
from auto_quantize_model.errors import InputError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from auto_quantize_model.cases.settings import Settings

_NUMBER = re.compile(r"[0-9]+")
_SHAPES = {
    "tuple_type": "must be a list, for example [one, other]",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
}
"""What YAML calls the shapes that pydantic names in Python's words."""

SettingsT = TypeVar("SettingsT", bound="Settings")


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds one mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {_neighbour(path)}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        value = parse_yaml(text)
    except yaml.YAMLError as error:
        raise InputError(f"{path}{_position(error)}: not valid YAML: {_problem(error)}") from None
    if not isinstance(value, dict):
        raise InputError(f"{path}: must be 'key: value' lines, not {_kind(value)}")
    return value


def validate(model: type[SettingsT], values: Mapping[str, Any], origin: str) -> SettingsT:
    """Check values against a settings class; `origin` says where they came from."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        # A missing key may just be misspelt, so an unknown one is reported first.
        first = min(error.errors(include_url=False), key=lambda mistake: mistake["type"] != "extra_forbidden")
        raise InputError(f"{origin}: {_explain(model, first)}") from None


def available(folder: Path) -> list[str]:
    """The names that a configuration folder offers, numbers in them by their value: afp8 before afp16."""
    names = [path.stem for path in folder.glob("*.yaml") if not path.name.startswith(".")]
    return sorted(names, key=lambda name: _NUMBER.sub(lambda number: number[0].zfill(20), name))


def _explain(model: type[BaseModel], error: ErrorDetails) -> str:
    location = error["loc"]
    key = ".".join(str(part) for part in location if part != "[key]")
    if error["type"] == "extra_forbidden":
        return f"unknown key '{key}'; {nearest(str(location[-1]), _known_keys(model, location[:-1]))}"
    if error["type"] == "missing":
        return f"the key '{key}' is missing"
    if error["type"] == "literal_error":
        return f"{key}: {error['input']!r} is not valid; {_nearest_literal(error)}"
    message = _SHAPES.get(error["type"]) or error["msg"].removeprefix("Value error, ")
    where = f"{key}: " if key else ""
    return f"{where}{message[:1].lower()}{message[1:]} (found {_kind(error['input'])})"


def _nearest_literal(error: ErrorDetails) -> str:
    expected = error.get("ctx", {}).get("expected", "")
    return nearest(str(error["input"]), [choice.strip(" '") for choice in expected.replace(" or ", ",").split(",")])


def _known_keys(model: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    """The fields of the settings class that a location inside a nested model leads to."""
    for part in location:
        field = model.model_fields.get(str(part))
        if field is None:
            continue
        candidates = [field.annotation, *get_args(field.annotation)]
        model = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), model)
    return list(model.model_fields)


def _neighbour(path: Path) -> str:
    if not path.parent.is_dir():
        return f"nor the folder {path.parent}"
    return nearest(path.name, [sibling.name for sibling in path.parent.glob(f"*{path.suffix}")])


def _position(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f", line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""


def _problem(error: yaml.YAMLError) -> str:
    return str(getattr(error, "problem", None) or error).splitlines()[0]


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    return repr(value)
