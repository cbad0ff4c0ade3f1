"""What the probes saw of each group, in a file beside the manifest: what the predicted KL of any recipe is made of."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from auto_quantize_model.errors import InputError
from auto_quantize_model.manifest.schema import RECIPE_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from auto_quantize_model.scores import CaseScores

SAFETENSORS = ".safetensors"
SUFFIX = f"_probe_sums{SAFETENSORS}"
_TOKENS, _NAMES, _SIGNED, _KL = "tokens", "names", "signed", "kl"
_SIGNED_DIMENSIONS = 3
_ROUNDING = 1e-5
"""The sums are kept in float32, the manifest's numbers come from float64."""


@dataclasses.dataclass(frozen=True, slots=True)
class ProbeSums:
    """Of one case."""

    tokens: NDArray[np.int64]
    """How many loss tokens each scored caption has."""
    groups: Mapping[str, NDArray[np.float64]]
    """By the group's name: a row a probe, a column a caption."""
    kl: Mapping[str, NDArray[np.float64]]
    """By the group's name: what each caption adds to its predicted KL, in nats."""


def probe_sums_of(scores: CaseScores) -> ProbeSums | None:
    """Those of an engine's answer; None where it had no probes."""
    tokens = int(scores.sample_tokens.sum())
    groups, kl = {}, {}
    for each in scores.groups:
        if each.signed is not None and each.sample_kl is not None and np.isfinite(each.sample_kl).all():
            groups[each.group.name], kl[each.group.name] = each.signed, each.sample_kl * tokens
    return ProbeSums(scores.sample_tokens, groups, kl) if groups else None


def dump_probe_sums(sums: ProbeSums) -> bytes:
    """The file: safetensors, the same bytes for the same numbers."""
    from safetensors.numpy import save

    # All groups in one tensor: a name and a place for each would be a tenth of the file.
    content: bytes = save(
        {
            _TOKENS: sums.tokens.astype(np.int32),
            _NAMES: np.frombuffer("\n".join(sums.groups).encode(), dtype=np.uint8),
            _SIGNED: np.stack(list(sums.groups.values())).astype(np.float32),
            _KL: np.stack([sums.kl[name] for name in sums.groups]).astype(np.float32),
        }
    )
    return content


def parse_probe_sums(content: bytes, path: str) -> ProbeSums:
    """Read the file's bytes; `path` says in errors where they came from."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors = load(content)
        tokens, names, signed, kl = (tensors[name] for name in (_TOKENS, _NAMES, _SIGNED, _KL))
        groups = names.astype(np.uint8).tobytes().decode().split("\n")
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not a file of probe sums: {error}; publish the case again") from None
    if tokens.ndim != 1 or tokens.dtype.kind != "i" or (tokens < 0).any():
        raise InputError(f"{path}: not a file of probe sums: its tokens are no numbers; publish the case again")
    if not all(each.dtype.kind == "f" and np.isfinite(each).all() for each in (signed, kl)):
        raise InputError(f"{path}: not a file of probe sums: some are no numbers; publish the case again")
    expected = (len(groups), len(tokens))
    if signed.ndim != _SIGNED_DIMENSIONS or signed.shape[::2] != expected or kl.shape != expected:
        raise InputError(
            f"{path}: its groups are not of as many captions as it has tokens, or not all named; publish the case again"
        )
    of_group = {name: each.astype(np.float64) for name, each in zip(groups, signed, strict=True)}
    of_kl = {name: each.astype(np.float64) for name, each in zip(groups, kl, strict=True)}
    return ProbeSums(tokens.astype(np.int64), of_group, of_kl)


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
            found = float(sums.kl[name].sum()) / tokens
            if not math.isclose(found, stated, rel_tol=_ROUNDING, abs_tol=1e-30):
                return f"gives {name} a predicted KL of {found:.6g}, the manifest states {stated:.6g}"
    return None
