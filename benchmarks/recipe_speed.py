"""How long solving takes: one recipe with its stability and the front at 144 groups, and one solve of many groups."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import numpy as np

from auto_quantize_model.manifest.probe_sums import ProbeSums
from auto_quantize_model.recipes.budget import Budget
from auto_quantize_model.recipes.candidates import Candidates, Part, Source
from auto_quantize_model.recipes.solving import front_of, solve
from auto_quantize_model.statistics import multiple_choice
from auto_quantize_model.statistics.predicted_kl import caption_kl

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

GROUPS, MANY, CAPTIONS, PROBES = 144, 10_000, 128, 2
BITS = np.array([4.5, 4.25, 4.5, 8, 8, 8, 8, 4.25, 4.5, 16])
DAMAGE = np.array([1, 1.1, 1.3, 0.1, 0.11, 0.02, 0.03, 2, 0.9, 0])
SIZES = (1_000_000, 3_000_000, 4_000_000, 8_000_000)


def random_candidates(groups: int) -> Candidates:
    """Groups of a few sizes whose sensitivities spread as those of real models do, with probe sums."""
    random = np.random.default_rng(0)
    sensitivity = (
        np.exp(1.5 * random.normal(size=(groups, 1))) * DAMAGE * np.exp(0.3 * random.normal(size=(groups, 10)))
    )
    signed = random.normal(size=(groups, 10, PROBES, CAPTIONS)) * np.sqrt(0.01 * sensitivity)[:, :, None, None]
    tokens = np.full(CAPTIONS, 12)
    added = np.array([[caption_kl(each) for each in row] for row in signed])
    predicted = added.sum(axis=-1) / tokens.sum()
    sizes = random.choice(SIZES, size=groups).tolist()
    parts = tuple(Part((f"g{n}",), (f"g{n}",), int(each), float(each)) for n, each in enumerate(sizes))
    names = [f"pair_{number}" for number in range(9)]
    sources = tuple(
        Source(
            {"case": {"pair": name, "model": "random", "size": "medium"}},
            ProbeSums(tokens, *(_by_name(parts, each[:, column]) for each in (signed, added))),
            name,
        )
        for column, name in enumerate(names)
    )
    return Candidates(parts, sources, predicted, BITS, BITS, sum(part.weights for part in parts))


def _by_name(parts: Sequence[Part], values: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    return {part.name: each for part, each in zip(parts, values, strict=True)}


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Print the seconds at several budgets."""
    few = random_candidates(GROUPS)
    for bits in (5.0, 6.0, 7.0):
        one, all_of_them = seconds(lambda bits=bits: solve(few, Budget("bits", bits))), seconds(lambda: front_of(few))  # type: ignore[misc]
        sys.stdout.write(
            f"{GROUPS} groups x 10, {bits:g} bits: {one:.1f} s with stability, front {all_of_them:.1f} s\n"
        )
    random = np.random.default_rng(0)
    weights = random.choice(SIZES, size=MANY).astype(np.float64)
    values = np.exp(1.5 * random.normal(size=(MANY, 1))) * DAMAGE * np.exp(0.3 * random.normal(size=(MANY, 10)))
    costs = weights[:, None] * BITS
    for bits in (4.4, 5.0, 6.03, 7.0, 9.0):
        taken = seconds(lambda bits=bits: multiple_choice.solve(values, costs, bits * weights.sum()))  # type: ignore[misc]
        sys.stdout.write(f"{MANY} groups x 10, {bits:g} bits: {taken:.1f} s\n")


if __name__ == "__main__":
    main()
