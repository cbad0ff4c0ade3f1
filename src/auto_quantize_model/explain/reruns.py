"""Running a case again with some of its settings set back; each combination once."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from auto_quantize_model.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from auto_quantize_model.explain.causes import Cause
    from auto_quantize_model.explain.setups import Setup
    from auto_quantize_model.reporting import Progress
    from auto_quantize_model.run import CaseResult

Combination = frozenset[str]
"""The names of the causes that are set back together."""
NOTHING: Combination = frozenset()
MOST_FOR_ALL_COMBINATIONS = 3
"""With more causes the combinations would be many, so only single ones and all together are run."""


def combinations(names: Sequence[str]) -> tuple[Combination, ...]:
    """What to run for some causes: nothing set back, each alone, all together, and for few causes all between."""
    counts = range(len(names) + 1) if len(names) <= MOST_FOR_ALL_COMBINATIONS else (0, 1, len(names))
    return tuple(frozenset(some) for count in counts for some in itertools.combinations(names, count))


class Reruns:
    """The results of a setup with causes set back, run when they are first asked for."""

    def __init__(self, now: Setup, model_paths: Mapping[str, Path], progress: Progress) -> None:
        self._now = now
        self._model_paths = model_paths
        self._progress = progress
        self._results: dict[Combination, CaseResult] = {}

    def run(self, causes: Sequence[Cause]) -> dict[Combination, CaseResult]:
        """The result of every combination of the causes; one pass serves all that it can."""
        wanted = combinations([cause.name for cause in causes])
        setups: dict[Combination, Setup] = {}
        for combination in wanted:
            setup = self._now
            for cause in causes:
                if cause.name in combination:
                    setup = cause.set_back(setup)
            setups[combination] = setup
        missing = {combination: setup for combination, setup in setups.items() if combination not in self._results}
        self._results.update(self._run(missing))
        return {combination: self._results[combination] for combination in wanted}

    def _run(self, setups: Mapping[Combination, Setup]) -> Iterator[tuple[Combination, CaseResult]]:
        from auto_quantize_model.run import run_cases

        for engine in dict.fromkeys(setup.engine for setup in setups.values()):
            # The same case may stand for several combinations, and cases cannot be keys, so they are told apart by id.
            cases = {id(setup.case): setup.case for setup in setups.values() if setup.engine == engine}
            results = {
                id(result.case): result
                for result in run_cases(
                    cases.values(), engine=engine, model_paths=self._model_paths, progress=self._progress
                )
            }
            for combination, setup in setups.items():
                if setup.engine == engine:
                    yield combination, results[id(setup.case)]


def manifest_of(result: CaseResult) -> dict[str, Any]:
    """A rerun's manifest; that there is none is a `CaseError`."""
    if result.manifest is None:
        raise CaseError(f"{result.case.id} cannot run here: {result.error}")
    return result.manifest
