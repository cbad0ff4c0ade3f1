"""The published cases and recipes of a model, from which its index and its figures are made."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from auto_quantize_model.manifest.document import mapping
from auto_quantize_model.reports.totals import total_predicted_kl

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclasses.dataclass(frozen=True, slots=True)
class ModelCases:
    """The published cases of a model that are of this package's own manifests, and its recipes."""

    model: str
    manifests: Sequence[Mapping[str, Any]]
    recipes: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = dataclasses.field(default_factory=dict)
    """By name: `recipe.json` and `pareto.json`."""

    @property
    def predicted(self) -> bool:
        """Whether any case has a predicted KL."""
        return any(total_predicted_kl(each) is not None for each in self.manifests)

    @property
    def pairs(self) -> list[str]:
        return list(dict.fromkeys(str(each["case"]["pair"]) for each in self.manifests))

    def of_pair(self, pair: str) -> dict[str, Mapping[str, Any]]:
        """A pair's cases by size, from the smallest."""
        cases = {str(each["case"]["size"]): each for each in self.manifests if each["case"]["pair"] == pair}
        return {size: cases[size] for size in self.sizes if size in cases}

    @property
    def sizes(self) -> dict[str, int]:
        """Every size with its number of captions, from the fewest on."""
        counts = {str(each["case"]["size"]): captions(each) for each in self.manifests}
        return dict(sorted(counts.items(), key=lambda size: size[1]))

    def largest(self, pair: str) -> Mapping[str, Any]:
        """The case of a pair that most captions calibrated."""
        return list(self.of_pair(pair).values())[-1]

    def by_cost(self) -> list[str]:
        """The pairs, from that of the fewest bits and the least cost on."""
        return sorted(self.pairs, key=lambda pair: (bits(self.largest(pair)), cost(self.largest(pair)) or 0.0))


def captions(manifest: Mapping[str, Any]) -> int:
    """How many captions calibrated a case: what sizes are ordered by, whatever they are called."""
    return int(manifest["calibration"]["calibrated_samples"])


def bits(manifest: Mapping[str, Any]) -> float:
    """What the search counts a weight of a case's format."""
    return float(manifest["quantization"]["effective_bits"])


def cost(manifest: Mapping[str, Any]) -> float | None:
    """What a case costs, in nats per token: as measured, or else as predicted."""
    measured = mapping(manifest, "measured").get("kl")
    return total_predicted_kl(manifest) if measured is None else float(measured)


def total(manifest: Mapping[str, Any]) -> tuple[float | None, list[float] | None]:
    """The predicted KL of all groups that the search quantizes, with its interval where all of them are."""
    predicted = total_predicted_kl(manifest)
    stated = mapping(manifest, "predicted_kl")
    interval = stated.get("sum_ci95")
    return predicted, interval if isinstance(interval, list) else None


def same_at_every_size(cases: ModelCases) -> list[str]:
    """Pairs of which two sizes predict the very same: they score the same captions, and have nothing to calibrate."""
    return [pair for pair in cases.pairs if _has_twins([total(each)[0] for each in cases.of_pair(pair).values()])]


def _has_twins(totals: list[float | None]) -> bool:
    known = [each for each in totals if each is not None]
    return len(set(known)) < len(known)
