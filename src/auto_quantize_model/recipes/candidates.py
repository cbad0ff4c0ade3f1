"""What a recipe is chosen from: the groups of one model, the pairs, and what each pair costs and is predicted to do."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from auto_quantize_model.errors import InputError
from auto_quantize_model.manifest.older import is_older
from auto_quantize_model.manifest.schema import RECIPE_SUFFIX, SCHEMA_VERSION
from auto_quantize_model.precision.formats import UNQUANTIZED_BITS
from auto_quantize_model.statistics.bootstrap import draws
from auto_quantize_model.stored_bits import stored_bits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from auto_quantize_model.manifest.probe_sums import ProbeSums

    Floats = NDArray[np.float64]

NONE = "none"
"""The choice of leaving a group as it is."""
_SAME = (
    ("case", "model"),
    ("case", "size"),
    ("model", "checkpoint_sha256"),
    ("scheme", "auto_quantize_method"),
    ("calibration", "captions_sha256"),
    ("calibration", "loss_tokens"),
    ("calibration", "probes"),
    ("calibration", "batch_size"),
)
"""What the manifests of one recipe must agree in."""


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """One pair's manifest, with what its probes saw."""

    manifest: Mapping[str, Any]
    sums: ProbeSums | None
    name: str
    """What errors call it: its file, or its case."""

    @property
    def pair(self) -> str:
        return str(self.manifest["case"]["pair"])

    @property
    def algorithm(self) -> Any:
        """ModelOpt's calibration algorithm; None where nothing is calibrated."""
        return self.manifest["quantization"]["config"]["algorithm"]

    def quantizer(self, name: str) -> Any:
        """The attributes of the pair's `weight_quantizer` or `input_quantizer`; None where that side is left alone."""
        entries = self.manifest["quantization"]["config"]["quant_cfg"]
        of_name = [each.get("cfg") for each in entries if each["quantizer_name"] == f"*{name}"]
        if not of_name:
            # A pair that names modules says the same of each of them.
            of_name = [each["cfg"] for each in entries if each["quantizer_name"].endswith(name) and each.get("cfg")]
        return of_name[-1] or None if of_name else None


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """What is given one format: a group, or several that must share it."""

    names: tuple[str, ...]
    modules: tuple[str, ...]
    weights: int
    cost: float
    """How many weights a budget of bits counts for it."""
    why_left_out: str | None = None
    """Why it stays unquantized whatever the budget; None where it may be quantized."""

    @property
    def name(self) -> str:
        return self.names[0]


@dataclasses.dataclass(frozen=True)
class Candidates:
    """Everything that a recipe may choose."""

    parts: tuple[Part, ...]
    sources: tuple[Source, ...]
    """In the order of the columns; the last column is `none`."""
    predicted: Floats
    """Predicted KL in nats per token, a row a part; infinite where a part may not have that pair."""
    bits: Floats
    """A weight's effective bits, a column each, as ModelOpt counts them."""
    stored: Floats
    """The same with the scales of blocks, as they are stored."""
    parameters: int
    """Of the whole checkpoint."""

    @property
    def pairs(self) -> tuple[str, ...]:
        """The names of the columns."""
        return (*(source.pair for source in self.sources), NONE)

    @property
    def model(self) -> str:
        return str(self.sources[0].manifest["case"]["model"])

    @property
    def size(self) -> str:
        return str(self.sources[0].manifest["case"]["size"])

    @functools.cached_property
    def weights(self) -> Floats:
        return np.array([part.weights for part in self.parts], dtype=np.float64)

    @functools.cached_property
    def counted(self) -> Floats:
        """How many weights a budget of bits counts for each part: ModelOpt's cost model may count fewer."""
        return np.array([part.cost for part in self.parts], dtype=np.float64)

    @functools.cached_property
    def costs(self) -> Floats:
        """Effective bits of all of a part's counted weights, infinite where a part may not have the pair."""
        return self._allowed(self.counted[:, None] * self.bits)

    @functools.cached_property
    def stored_costs(self) -> Floats:
        """The bits that all of a part's weights are stored in."""
        return self._allowed(self.weights[:, None] * self.stored)

    @property
    def other_bits(self) -> float:
        """What all that is not scored takes: embeddings, head, norms, other towers."""
        return max(self.parameters - float(self.weights.sum()), 0.0) * UNQUANTIZED_BITS

    @functools.cached_property
    def signed(self) -> Floats | None:
        """What the probes saw: part, pair, probe, caption; None where a source has no sums."""
        if any(source.sums is None for source in self.sources):
            return None
        return self._table([source.sums.groups for source in self.sources if source.sums is not None])

    @functools.cached_property
    def added(self) -> Floats | None:
        """What each caption adds to a predicted KL, in nats: part, pair, caption; None where a source has no sums."""
        if any(source.sums is None for source in self.sources):
            return None
        return self._table([source.sums.kl for source in self.sources if source.sums is not None])

    def _table(self, of_sources: Sequence[Mapping[str, Floats]]) -> Floats:
        """Part, pair, and whatever each source has of a group: added up over a part's groups, zeros for `none`."""
        shape = next(iter(of_sources[0].values())).shape
        result = np.zeros((*self.predicted.shape, *shape))
        for row, part in enumerate(self.parts):
            for column, of_groups in enumerate(of_sources):
                if np.isfinite(self.predicted[row, column]):
                    result[row, column] = sum(of_groups[name] for name in part.names)
        return result

    @functools.cached_property
    def resampled(self) -> Floats | None:
        """Predicted KL from each resample of the captions: resample, part, pair; None where there is no spread."""
        added = self.added
        if added is None or added.shape[-1] < 2:  # noqa: PLR2004  one caption has none
            return None
        tokens = self.tokens.astype(np.float64)
        weights = draws(len(tokens)) * len(tokens)
        means = (added.reshape(-1, len(tokens)) @ weights.T / (weights @ tokens)).T
        return np.where(np.isfinite(self.predicted), means.reshape(len(weights), *self.predicted.shape), np.inf)

    @property
    def never_quantized(self) -> dict[str, dict[str, Any]]:
        """The entries of what no pair may quantize, by the names of its rows."""
        entries = self.sources[0].manifest["layer_sensitivity"]
        return {
            key.removesuffix(RECIPE_SUFFIX): entries[key]
            for key in entries
            if _is_everywhere(key, self.sources, ("disabled",))
        }

    def effective_bits(self, assignment: Mapping[str, str]) -> float:
        """What an assignment of pairs to groups costs a weight, as ModelOpt counts."""
        return float((self.counted * self.bits[self.columns(assignment)]).sum() / self.counted.sum())

    def columns(self, assignment: Mapping[str, str]) -> list[int]:
        """Of each part, the column of its pair."""
        return [self.pairs.index(assignment[part.name]) for part in self.parts]

    def everywhere(self, pair: str) -> dict[str, str]:
        """A pair for every group that it quantizes: one that names modules leaves others alone."""
        entries = self.sources[self.pairs.index(pair)].manifest["layer_sensitivity"]
        return {
            name: NONE if entries[name + RECIPE_SUFFIX]["status"] == "disabled" else pair
            for part in self.parts
            for name in part.names
        }

    @property
    def tokens(self) -> NDArray[np.int64]:
        """The loss tokens of each caption; only where there are sums."""
        assert self.sources[0].sums is not None  # noqa: S101
        return self.sources[0].sums.tokens

    def _allowed(self, table: Floats) -> Floats:
        return np.where(np.isfinite(self.predicted), table, np.inf)

    def restricted(self, keep: NDArray[np.bool_]) -> Candidates:
        """With some of the choices only."""
        return dataclasses.replace(self, predicted=np.where(keep, self.predicted, np.inf))


def candidates(sources: Sequence[Source], *, predicted: bool = True) -> Candidates:
    """Put the manifests of several pairs together; what does not belong together is an error that names both.

    Without `predicted`, those may be of a method that has scores only.
    """
    if not sources:
        raise InputError("a recipe needs at least one manifest")
    for source in sources:
        _check_alone(source, predicted)
    first = sources[0]
    for other in sources[1:]:
        _check_together(first, other)
    names = [source.pair for source in sources]
    twin = next((name for name in names if names.count(name) > 1), None)
    if twin is not None:
        raise InputError(f"the pair '{twin}' is given twice; give each pair's manifest once")
    keys = [
        key
        for key in first.manifest["layer_sensitivity"]
        if not _is_everywhere(key, sources, ("disabled", "not_covered"))
    ]
    parts = tuple(_part(key, sources) for key in keys)
    table = np.array([[*(_predicted(source, key) for source in sources), 0.0] for key in keys])
    bits = [float(source.manifest["quantization"]["effective_bits"]) for source in sources]
    stored = [_stored_bits(source, each) for source, each in zip(sources, bits, strict=True)]
    return Candidates(
        parts=parts,
        sources=tuple(sources),
        predicted=table,
        bits=np.array([*bits, UNQUANTIZED_BITS]),
        stored=np.array([*stored, UNQUANTIZED_BITS]),
        parameters=int(first.manifest["model"]["parameters"]),
    )


def _is_everywhere(key: str, sources: Sequence[Source], statuses: tuple[str, ...]) -> bool:
    """Whether no pair can have a row: a pair that names modules disables rows that others quantize."""
    return all(source.manifest["layer_sensitivity"][key]["status"] in statuses for source in sources)


def tied(choice: Candidates, groups: Sequence[Sequence[int]]) -> Candidates:
    """Parts that must share a format become one; `groups` are the rows of each, in order."""
    parts = tuple(_joined([choice.parts[row] for row in rows]) for rows in groups)
    predicted = np.array([choice.predicted[list(rows)].sum(axis=0) for rows in groups])
    return dataclasses.replace(choice, parts=parts, predicted=predicted)


def _joined(parts: Sequence[Part]) -> Part:
    names, modules = ([each for part in parts for each in getattr(part, key)] for key in ("names", "modules"))
    reasons = [part.why_left_out for part in parts if part.why_left_out is not None]
    weights, cost = sum(part.weights for part in parts), sum(part.cost for part in parts)
    return Part(tuple(names), tuple(modules), weights, cost, reasons[0] if reasons else None)


def _check_alone(source: Source, predicted: bool) -> None:
    manifest = source.manifest
    if is_older(manifest) or manifest.get("schema_version") != SCHEMA_VERSION:
        raise InputError(
            f"{source.name}: of an older version, whose predicted KL means something else; run or publish it again"
        )
    for key, entry in manifest["layer_sensitivity"].items():
        if entry["status"] == "non_finite":
            raise InputError(
                f"{source.name}: the score of {key.removesuffix(RECIPE_SUFFIX)} is not finite; leave the pair "
                f"'{source.pair}' out, or run it again in another dtype"
            )
        if predicted and entry["importance"] is not None and entry["predicted_kl"] is None:
            raise InputError(
                f"{source.name}: has no predicted KL: it is of the engine '{manifest['engine']['name']}'; "
                "run it on the engine replay"
            )


def _check_together(first: Source, other: Source) -> None:
    for section, key in _SAME:
        one, another = (each.manifest[section][key] for each in (first, other))
        if one != another:
            raise InputError(
                f"{other.name}: {section}.{key} is {another!r}, that of {first.name} is {one!r}; "
                "a recipe takes manifests of one pass"
            )
    groups = [
        {key: entry["modules"] for key, entry in each.manifest["layer_sensitivity"].items()} for each in (first, other)
    ]
    if groups[0] != groups[1]:
        raise InputError(f"{other.name}: has other groups than {first.name}; run both with one version")


def _part(key: str, sources: Sequence[Source]) -> Part:
    entries = [source.manifest["layer_sensitivity"][key] for source in sources]
    unmeasured = [
        f"{source.pair}: {entry['status']}"
        for source, entry in zip(sources, entries, strict=True)
        if entry["importance"] is None
    ]
    why = f"not measured ({', '.join(unmeasured)})" if len(unmeasured) == len(sources) else None
    first = entries[0]
    name, modules = key.removesuffix(RECIPE_SUFFIX), tuple(first["modules"])
    return Part((name,), modules, int(_weights(first)), counted_weights(first), why)


def _weights(entry: Mapping[str, Any]) -> float:
    # The last cost is that of NONE: a unit a weight.
    return float(entry["costs"][-1])


def counted_weights(entry: Mapping[str, Any]) -> float:
    """How many weights a budget counts for a group, from its entry in a manifest."""
    return _weights(entry) * float(entry.get("cost_weight", 1.0))


def _predicted(source: Source, key: str) -> float:
    value = source.manifest["layer_sensitivity"][key]["predicted_kl"]
    # What was not measured is never taken for harmless.
    return np.inf if value is None else float(value)


def _stored_bits(source: Source, effective: float) -> float:
    counted = stored_bits(source.manifest["quantization"]["config"])
    return effective if counted is None else counted[0]
