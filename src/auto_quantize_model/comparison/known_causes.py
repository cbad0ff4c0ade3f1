"""The one table of what may move scores, the most likely first: comparisons rank by it, `explain` sets back by it."""

from __future__ import annotations

import dataclasses
from typing import Literal

from auto_quantize_model.options import MODEL_PATH

Section = Literal["model", "pair", "dataset", "autoquant"]
"""A part of a case's settings."""

CONFIG = "the pair's resolved config"
CHECKPOINT = "the checkpoint"
CAPTIONS = "the captions"
SAMPLES = "the sample counts"
SEQUENCE_LENGTH = "the sequence length"
TOKENS = "the tokenization"
OTHERS = "what else was asked for"


@dataclasses.dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a manifest states about a cause; what `explain` sets back, or says that it cannot."""

    name: str
    stated: tuple[str, str]
    """The section and the key of a manifest."""
    setting: tuple[Section, str] | None = None
    """The setting of a case that the manifest repeats as it is."""
    cannot: str | None = None
    """Why no rerun can set it back; None where one can."""
    follows: frozenset[str] = frozenset()
    """The facts from which it follows: where one of them differs, this one says nothing of its own."""


@dataclasses.dataclass(frozen=True, slots=True)
class KnownCause:
    """One thing that may move scores."""

    what: str
    """In words: `the batch size`."""
    keys: tuple[str, ...]
    """Patterns of the manifest's keys that tell of it, the most telling first."""
    facts: tuple[Fact, ...] = ()
    follows: frozenset[str] = frozenset()
    """The causes from which it follows: where one of them differs, this one is not named again."""


PAIR_CONFIG_FACT = Fact("pair config", ("quantization", "config"))
CAPTIONS_FACT = Fact("captions", ("calibration", "captions_sha256"))
SAMPLES_FACT = Fact("sample counts", ("calibration", "calibrated_samples"))
SEQUENCE_FACT = Fact("sequence length", ("dataset", "seq_len"), setting=("dataset", "seq_len"))
DEVICE_FACT = Fact("device", ("engine", "device"))
PRECISION_FACT = Fact("replay precision", ("engine", "replay_precision"))
"""Stated only where products were rounded."""
ENGINE_FACT = Fact("engine", ("engine", "name"))


def _of_environment(name: str, key: str | None = None, cannot: str = "needs that version installed") -> Fact:
    return Fact(name, ("environment", key or name), cannot=cannot)


KNOWN_CAUSES: tuple[KnownCause, ...] = (
    KnownCause(
        CONFIG,
        (
            r"quantization\.config_sha256",
            r"case\.pair",
            r"scheme\.name",
            r"quantization\.(format|effective_bits)",
            r"scheme\.quant_formats",
            r"quantization\b.*",
            r"layer_sensitivity\..*\.formats",
        ),
        (PAIR_CONFIG_FACT,),
    ),
    KnownCause(
        CHECKPOINT,
        (r"model\.checkpoint_sha256", r"model\b.*", r"case\.model"),
        (
            Fact(
                "checkpoint",
                ("model", "checkpoint_sha256"),
                cannot=f"needs the older checkpoint: name its folder with {MODEL_PATH.flag}",
            ),
        ),
    ),
    KnownCause(
        CAPTIONS, (r"calibration\.captions_sha256", r"dataset\.(name|captions|form|key|max_chars).*"), (CAPTIONS_FACT,)
    ),
    KnownCause(
        SAMPLES,
        (
            r"calibration\.(calibrated|scored)_samples",
            r"case\.size",
            r"scheme\.auto_quantize_score_size",
            r"dataset\.max_calib_samples",
        ),
        (SAMPLES_FACT,),
    ),
    KnownCause(
        "the loss",
        (r"scheme\.auto_quantize_method",),
        (Fact("scoring method", ("scheme", "auto_quantize_method"), setting=("autoquant", "method")),),
    ),
    KnownCause(
        "the batch size",
        (r"calibration\.batch_size",),
        (Fact("batch size", ("calibration", "batch_size"), setting=("autoquant", "batch_size")),),
    ),
    KnownCause(SEQUENCE_LENGTH, (r"dataset\.seq_len",), (SEQUENCE_FACT,)),
    KnownCause(
        "the padding",
        (r"dataset\.padding.*",),
        (Fact("padding side", ("dataset", "padding_side"), setting=("dataset", "padding_side")),),
    ),
    KnownCause(
        TOKENS,
        (r"calibration\..*_tokens",),
        (
            Fact(
                "tokenizer",
                ("calibration", "calibrated_tokens"),
                cannot="needs the older tokenizer: the same captions gave other tokens",
                follows=frozenset({CAPTIONS_FACT.name, SAMPLES_FACT.name, SEQUENCE_FACT.name}),
            ),
        ),
        follows=frozenset({CHECKPOINT, CAPTIONS, SAMPLES, SEQUENCE_LENGTH}),
    ),
    KnownCause("the bit budget", (r"scheme\.auto_quantize_bits",)),
    KnownCause("the number of probes", (r"calibration\.probes",)),
    KnownCause("at whose output ModelOpt scores", (r"layer_sensitivity\..*\.score_boundary",)),
    KnownCause("the layers that it covers", (r"scheme\.coverage.*", r"layer_sensitivity\..*")),
    KnownCause(OTHERS, (r"(case|scheme|dataset|calibration)\b.*",)),
    KnownCause("the ModelOpt version", (r"environment\.modelopt",), (_of_environment("ModelOpt", "modelopt"),)),
    KnownCause("the torch version", (r"environment\.torch",), (_of_environment("torch"),)),
    KnownCause("the transformers version", (r"environment\.transformers",), (_of_environment("transformers"),)),
    KnownCause(
        "the device",
        (r"engine\.device", r"environment\.hardware"),
        (DEVICE_FACT, _of_environment("hardware", cannot="needs that processor")),
    ),
    KnownCause(
        "the dtype",
        (r"engine\.dtype", r"engine\.difference_dtype"),
        (Fact("dtype", ("engine", "dtype"), setting=("model", "dtype")),),
    ),
    KnownCause(
        "the precision of replay's products",
        (r"engine\.replay_precision", r"engine\.operand_dtype"),
        (
            PRECISION_FACT,
            Fact(
                "operand dtype",
                ("engine", "operand_dtype"),
                cannot="follows from the device",
                follows=frozenset({PRECISION_FACT.name, DEVICE_FACT.name}),
            ),
        ),
    ),
    KnownCause(
        "the engine",
        (r"engine\b.*",),
        (
            ENGINE_FACT,
            Fact(
                "kernels",
                ("engine", "kernels"),
                cannot="follow from the device and the versions",
                follows=frozenset({PAIR_CONFIG_FACT.name, DEVICE_FACT.name, ENGINE_FACT.name}),
            ),
        ),
    ),
    KnownCause(
        "the system",
        (r"environment\b.*",),
        (
            _of_environment("numpy"),
            _of_environment("python"),
            _of_environment("system", cannot="needs that operating system"),
        ),
    ),
)

FACTS: tuple[Fact, ...] = tuple(fact for cause in KNOWN_CAUSES for fact in cause.facts)
"""Every fact, the most likely cause first."""
