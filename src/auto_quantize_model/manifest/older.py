"""What manifests from before schema versions say, in newer terms; nothing that they do not imply is added."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from auto_quantize_model.manifest.document import mapping
from auto_quantize_model.manifest.schema import RECIPE_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterable

_WRAPPERS = ("module", "model", "language_model")
"""What may stand before the same module's name, depending on which part of the model the older tool was given."""
_VISION = {"visual", "vision_model", "vision_tower", "vision_encoder"}
_VISION_PARTS = {"blocks", "patch_embed", "merger", "deepstack_merger_list"}
"""Parts of a vision tower, where the older tool was given the tower itself."""
_CUSTOM = re.compile(r"^CUSTOM_(?P<index>\d+)(?=\(|$)")
_NEVER_QUANTIZED = "NONE"
_SAYS_NOTHING = re.compile(r"checkpoints?|models?|snapshots?|[0-9a-f]{40}", re.IGNORECASE)
"""Folders that hold a model without being named after it."""
_HUB_FOLDER = "models--"


def is_older(manifest: Mapping[str, Any]) -> bool:
    """Whether a manifest is from before schema versions."""
    return "schema_version" not in manifest


def canonical_layer(name: str) -> str:
    """The full path of a layer or group in any of the older tool's styles, without ModelOpt's suffix."""
    parts = name.removesuffix(RECIPE_SUFFIX).split(".")
    while len(parts) > 1 and parts[0] in _WRAPPERS:
        parts = parts[1:]
    if parts[0] in _VISION_PARTS:
        parts = ["visual", *parts]
    path = ".".join(parts)
    if parts[0] == "layers":
        return f"model.language_model.{path}"
    return f"model.{path}" if parts[0] in _VISION else path


def is_vision(name: str) -> bool:
    """Whether a layer belongs to a vision tower."""
    return not _VISION.isdisjoint(canonical_layer(name).split("."))


def implied_status(name: str, entry: Mapping[str, Any]) -> str | None:
    """The status that an older entry implies; None where it leaves open whether it was measured.

    Calibration had no images: the zero of a vision layer says that nothing went through it. A group whose only format
    is none was never quantized. Another zero may be either measured or not.
    """
    score = entry.get("importance")
    if score:
        return "scored"
    if score is None:
        return None
    if is_vision(name):
        return "not_exercised"
    formats = entry.get("formats")
    if formats and all(str(each).startswith(_NEVER_QUANTIZED) for each in formats):
        return "disabled"
    return None


def normalised(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest of any age in newer terms, to be compared: older ones with layers by their full paths.

    A number that says "not measured" is left out, a custom format bears the name that the scheme gives it, and a path
    on somebody's machine is cut to its last part.
    """
    if not is_older(manifest):
        return dict(manifest)
    result = {key: _without_places(value) for key, value in manifest.items()}
    identifier = mapping(manifest, "model").get("id")
    if isinstance(identifier, str) and _is_place(identifier):
        result["model"]["id"] = model_name(identifier)
    names = mapping(result, "scheme").get("quant_formats")
    entries, layers = mapping(result, "layer_sensitivity"), mapping(result, "layers")
    result["layer_sensitivity"] = {
        full + RECIPE_SUFFIX: _entry(name, entries[name], names) for name, full in _full_paths(entries).items()
    }
    if "layers" in manifest:
        result["layers"] = {full: layers[name] for name, full in _full_paths(layers).items()}
    return result


def _full_paths(names: Iterable[str]) -> dict[str, str]:
    """The full path of each name; of two names that would share one, the second keeps its own."""
    result: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        full = canonical_layer(name)
        result[name] = name.removesuffix(RECIPE_SUFFIX) if full in taken else full
        taken.add(full)
    return result


def same_model(one: object, other: object) -> bool:
    """Whether two `model.id` name one model: an older one may be a path on the machine that it was made on."""
    names = _bare(model_name(str(one))), _bare(model_name(str(other)))
    return one == other or (names[0] == names[1] and bool(names[0]))


def model_name(identifier: str) -> str:
    """The name of a model from its identifier: a hub's, a plain name or a path."""
    parts = [part for part in re.split(r"[/\\]", identifier) if part]
    hub = next((part for part in parts if part.startswith(_HUB_FOLDER)), None)
    if hub is not None:
        return hub.split("--")[-1]
    telling = [part for part in parts if not _SAYS_NOTHING.fullmatch(part)]
    return (telling or parts or [identifier])[-1]


def _entry(name: str, entry: Mapping[str, Any], names: object) -> dict[str, Any]:
    result = dict(entry)
    status = implied_status(name, entry)
    if status is not None:
        result["status"] = status
    if status in ("not_exercised", "disabled"):
        for key in ("importance", "scores", "rank"):
            result.pop(key, None)
    if "formats" in entry and isinstance(names, list):
        result["formats"] = [_named(str(label), names) for label in entry["formats"]]
    return result


def _named(label: str, names: list[Any]) -> str:
    custom = _CUSTOM.match(label)
    if custom is None or int(custom["index"]) >= len(names):
        return label
    return f"{names[int(custom['index'])]}{label[custom.end() :]}"


def _without_places(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_places(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_places(each) for each in value]
    if isinstance(value, str) and _is_place(value):
        return re.split(r"[/\\]", value.rstrip("/\\"))[-1]
    return value


def _is_place(text: str) -> bool:
    return PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute()


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
