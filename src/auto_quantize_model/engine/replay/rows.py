"""Where each row of a capture comes from: its batch and its caption."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from auto_quantize_model.engine.capture.batches import TokenBatch
    from auto_quantize_model.plan import PassPlan


class Rows:
    """Where each row of a capture comes from; the same for all its groups, so each answer is worked out once."""

    def __init__(self, batch: NDArray[np.int64], sample: NDArray[np.int64]) -> None:
        self.batch = batch
        self.sample = sample
        self._runs: dict[tuple[int, ...], list[slice]] = {}

    def runs(self, batches: tuple[int, ...]) -> list[slice]:
        """The contiguous stretches of rows that belong to the batches."""
        if batches not in self._runs:
            edges = np.flatnonzero(np.diff(np.concatenate([[0], np.isin(self.batch, batches), [0]])))
            self._runs[batches] = [slice(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]
        return self._runs[batches]

    def take(self, values: NDArray[Any], batches: tuple[int, ...]) -> NDArray[Any]:
        """The values of the rows that belong to the batches; rows come last."""
        return np.concatenate([values[..., run] for run in self.runs(batches)], axis=-1)

    def tokens(self, batches: tuple[int, ...]) -> int:
        """How many positions of the batches the loss counts: they are the rows."""
        return sum(run.stop - run.start for run in self.runs(batches))


def describe_rows(plan: PassPlan, batches: Sequence[TokenBatch], scored: Sequence[int]) -> Rows:
    """Number the rows of a capture by batch and by caption."""
    batch_of, sample_of = [], []
    for index in scored:
        counts = batches[index].counted.sum(dim=1).cpu().numpy()
        batch_of.append(np.full(int(counts.sum()), index))
        sample_of.append(np.repeat(np.arange(len(counts)) + plan.batches[index].start, counts))
    return Rows(np.concatenate(batch_of), np.concatenate(sample_of))
