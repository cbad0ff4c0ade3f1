"""Finding the manifests that a recipe is solved from, in a models tree or in what a run wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auto_quantize_model.artifacts import MANIFEST_SUFFIX
from auto_quantize_model.cases.settings import usual_size
from auto_quantize_model.errors import InputError, nearest
from auto_quantize_model.manifest.document import mapping, read_manifest
from auto_quantize_model.recipes.recipe import read_source

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from auto_quantize_model.recipes.candidates import Source

_PATTERN = f"*{MANIFEST_SUFFIX}"


def find_sources(
    root: Path, model: str, size: str | None, pairs: Sequence[str], servable: Collection[str] | None
) -> list[Source]:
    """The manifests of a model and size, each pair's; without names of pairs, all that are there and can be served.

    Without a size it is the usual one of those that are there.
    """
    folder = root / model / "layer-analysis"
    files = sorted((folder if folder.is_dir() else root).rglob(_PATTERN))
    if not files:
        raise InputError(f"{root}: no {_PATTERN} of '{model}' is below it; {_models_there(root, model)}")
    there = {file: read_manifest(file, complete=False) for file in files}
    size = size or _usual_size(there.values(), model)
    found: dict[str, Path] = {}
    sizes_of: dict[str, set[str]] = {}
    for file, manifest in there.items():
        case = mapping(manifest, "case")
        sizes_of.setdefault(str(case.get("model")), set()).add(str(case.get("size")))
        if (case.get("model"), case.get("size")) == (model, size):
            pair = str(case["pair"])
            if pair in found:
                raise InputError(f"{file}: a second manifest of '{pair}', beside {found[pair]}; name one run's folder")
            found[pair] = file
    if model not in sizes_of:
        raise InputError(f"{root}: has no manifest of '{model}'; {nearest(model, sizes_of)}")
    if not found:
        raise InputError(f"{root}: has no manifest of '{model}' at size {size}; {nearest(str(size), sizes_of[model])}")
    for pair in pairs:
        if pair not in found:
            raise InputError(
                f"{root}: has no manifest of the pair '{pair}' for '{model}' at size {size}; {nearest(pair, found)}"
            )
    wanted = pairs or [pair for pair in found if servable is None or pair in servable]
    if not wanted:
        raise InputError(f"{root}: none of the pairs there can be served: {', '.join(found)}; run one that can")
    return [read_source(found[pair]) for pair in wanted]


def _usual_size(manifests: Iterable[Mapping[str, Any]], model: str) -> str | None:
    """The size that is taken of a model's manifests where none is named; None where it has none."""
    its = [each for each in manifests if mapping(each, "case").get("model") == model]
    counts = {str(each["case"].get("size")): mapping(each, "calibration").get("calibrated_samples") for each in its}
    known = {size: count if isinstance(count, int) else 0 for size, count in counts.items()}
    return usual_size(known) if known else None


def _models_there(root: Path, model: str) -> str:
    models = [path.parent.name for path in root.glob("*/layer-analysis")]
    return nearest(model, models) if models else "run cases there first, or name another folder with --from"
