"""What the probes saw of each group, in a file beside the manifest: what the predicted KL of any recipe is made of."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from auto_quantize_model.errors import InputError
from auto_quantize_model.manifest.schema import RECIPE_SUFFIX
from auto_quantize_model.scores import MEASURED
from auto_quantize_model.statistics.total_kl import caption_kl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from auto_quantize_model.scores import CaseScores

SAFETENSORS = ".safetensors"
SUFFIX = f"_probe_sums{SAFETENSORS}"
_TOKENS = "tokens"
_ROUNDING = 1e-5
"""The sums are kept in float32, the manifest's numbers come from float64."""


@dataclasses.dataclass(frozen=True, slots=True)
class ProbeSums:
    """Of one case."""

    tokens: NDArray[np.int64]
    """How many loss tokens each scored caption has."""
    groups: Mapping[str, NDArray[np.float64]]
    """By the group's name: a row a probe, a column a caption."""


def probe_sums_of(scores: CaseScores) -> ProbeSums | None:
    """Those of an engine's answer; None where it had no probes."""
    groups = {
        each.group.name: each.signed
        for each in scores.groups
        if each.signed is not None and each.status in MEASURED and np.isfinite(each.signed).all()
    }
    return ProbeSums(scores.sample_tokens, groups) if groups else None


def dump_probe_sums(sums: ProbeSums) -> bytes:
    """The file: safetensors, the same bytes for the same numbers."""
    from safetensors.numpy import save

    groups = {name: np.ascontiguousarray(each, dtype=np.float32) for name, each in sums.groups.items()}
    content: bytes = save({_TOKENS: sums.tokens.astype(np.int32), **groups})
    return content


def parse_probe_sums(content: bytes, path: str) -> ProbeSums:
    """Read the file's bytes; `path` says in errors where they came from."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors = load(content)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not a file of probe sums: {error}; publish the case again") from None
    tokens = tensors.pop(_TOKENS, None)
    if tokens is None or tokens.ndim != 1 or tokens.dtype.kind != "i" or not tensors:
        raise InputError(f"{path}: not a file of probe sums: it has no tokens or no groups; publish the case again")
    if (tokens < 0).any() or not all(each.dtype.kind == "f" and np.isfinite(each).all() for each in tensors.values()):
        raise InputError(f"{path}: not a file of probe sums: some are no numbers; publish the case again")
    shapes = {each.shape for each in tensors.values()}
    if len(shapes) > 1 or any(len(shape) != 2 or shape[1] != len(tokens) for shape in shapes):  # noqa: PLR2004
        raise InputError(f"{path}: its groups are not of as many captions as it has tokens; publish the case again")
    return ProbeSums(tokens.astype(np.int64), {name: each.astype(np.float64) for name, each in tensors.items()})


def disagreement(manifest: Mapping[str, Any], sums: ProbeSums) -> str | None:
    """Why sums are not those of a manifest, in one line; None where they are."""
    tokens = int(sums.tokens.sum())
    if tokens != manifest["calibration"]["loss_tokens"]:
        return f"is of {tokens} loss tokens, the manifest of {manifest['calibration']['loss_tokens']}"
    for key, entry in manifest["layer_sensitivity"].items():
        stated, name = entry["predicted_kl"], key.removesuffix(RECIPE_SUFFIX)
        if (stated is None) != (name not in sums.groups):
            return f"{'lacks' if stated is not None else 'has'} the group {name}, other than the manifest"
        if stated is not None:
            found = float(caption_kl(sums.groups[name], tokens).sum())
            if not math.isclose(found, stated, rel_tol=_ROUNDING, abs_tol=1e-30):
                return f"gives {name} a predicted KL of {found:.6g}, the manifest states {stated:.6g}"
    return None
