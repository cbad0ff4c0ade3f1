"""What a run still has different from a baseline when everything is set back that can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auto_quantize_model.explain.factors import CAPTIONS, DEVICE, PAIR_CONFIG, SAMPLE_COUNTS, Untested, stated

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_CHECKPOINT = "checkpoint"
_TOKENIZER = "tokenizer"
_KERNELS = "kernels"
_OTHER_VERSION = "needs that version installed"
_NOT_SETTABLE = {
    _CHECKPOINT: (("model", "checkpoint_sha256"), "needs the older checkpoint: name its folder with --model-path"),
    _TOKENIZER: (
        ("calibration", "calibrated_tokens"),
        "needs the older tokenizer: the same captions gave other tokens",
    ),
    "ModelOpt": (("environment", "modelopt"), _OTHER_VERSION),
    "torch": (("environment", "torch"), _OTHER_VERSION),
    "transformers": (("environment", "transformers"), _OTHER_VERSION),
    "hardware": (("environment", "hardware"), "needs that processor"),
    _KERNELS: (("engine", "kernels"), "follow from the device and the versions"),
    "numpy": (("environment", "numpy"), _OTHER_VERSION),
    "python": (("environment", "python"), _OTHER_VERSION),
    "system": (("environment", "system"), "needs that operating system"),
}
_LIKELIHOOD = (
    PAIR_CONFIG,
    _CHECKPOINT,
    CAPTIONS,
    SAMPLE_COUNTS,
    _TOKENIZER,
    "scoring method",
    "ModelOpt",
    "torch",
    "transformers",
    DEVICE,
    "dtype",
    "engine",
    *("hardware", _KERNELS, "numpy", "python", "system"),
)
_FOLLOWS = {_TOKENIZER: {CAPTIONS, SAMPLE_COUNTS, "sequence length"}, _KERNELS: {PAIR_CONFIG, DEVICE, "engine"}}
"""What differs anyway where something else that was not tested differs."""


def remaining_differences(
    baseline: Mapping[str, Any], manifest: Mapping[str, Any], untested: Collection[str]
) -> Iterator[Untested]:
    """The differences that no setting undoes; `untested` names the settings that could not be set back."""
    for name, ((section, key), why) in _NOT_SETTABLE.items():
        old, new = stated(baseline, section, key), stated(manifest, section, key)
        if old is not None and old != new and not _FOLLOWS.get(name, set()) & set(untested):
            yield Untested(name, _short(old), _short(new), why)


def likelihood(untested: Untested) -> int:
    """Where a difference stands among the likely causes; 0 is the most likely."""
    return _LIKELIHOOD.index(untested.name) if untested.name in _LIKELIHOOD else len(_LIKELIHOOD)


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {inner}" for key, inner in value.items())
    text = str(value)
    return text[:12] if len(text) == len("0" * 64) else text
