"""The passes of a session: one a model, for exactly the selected cases, run when the first of them is asked for."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import warnings
from typing import TYPE_CHECKING

from auto_quantize_model.collecting import collector_paused
from auto_quantize_model.errors import CaseError, InputError
from auto_quantize_model.plugin.worker import processes_a_device, share_processors, take_gpu

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from auto_quantize_model.engine.capture.settings import CaptureSettings
    from auto_quantize_model.plugin.announcer import Announcer
    from auto_quantize_model.plugin.options import Options
    from auto_quantize_model.plugin.suites import SuiteCase
    from auto_quantize_model.plugin.worker import Worker
    from auto_quantize_model.run import CaseResult


@dataclasses.dataclass(slots=True)
class _Pass:
    """One model's pass, before, while and after it runs."""

    cases: list[SuiteCase]
    results: Iterator[CaseResult] | None = None
    done: dict[str, CaseResult] = dataclasses.field(default_factory=dict)
    error: str | None = None
    """Why the pass as a whole came to nothing."""
    seconds: float | None = None
    """How long it took; None before it ran, and once that was reported."""

    def take_next(self) -> None:
        """Take one more result; the last one releases the model and its capture."""
        assert self.results is not None  # noqa: S101  for the type checker
        result = next(self.results)
        self.done[result.case.id] = result
        if len(self.done) == len(self.cases):
            self.results = iter(())

    def take_seconds(self) -> float | None:
        """How long the pass took, for the first that asks."""
        seconds, self.seconds = self.seconds, None
        return seconds


class Passes:
    """Every planned pass, by the group of cases that it serves."""

    def __init__(self, options: Options, worker: Worker | None, announcer: Announcer, run: str) -> None:
        """Without a worker, this process runs every pass alone. `run` tells this session from others."""
        self._options = options
        self._worker = worker
        self._announcer = announcer
        self._run = run
        self._passes: dict[str, _Pass] = {}
        self._processes_a_device: int | None = None

    def plan(self, cases: Iterable[SuiteCase]) -> None:
        """Group the selected cases into passes; runs nothing."""
        self._passes.clear()
        for suite_case in cases:
            self._passes.setdefault(suite_case.group, _Pass([])).cases.append(suite_case)

    @property
    def cases(self) -> list[SuiteCase]:
        """Every selected case."""
        return [suite_case for planned in self._passes.values() for suite_case in planned.cases]

    def result(self, wanted: SuiteCase) -> tuple[CaseResult, float | None]:
        """A case's result, and the seconds of the pass if this call ran it."""
        planned = self._passes[wanted.group]
        if wanted.case.id not in planned.done:
            if planned.error is not None:
                raise CaseError(planned.error)
            self._advance(planned, wanted)
        return planned.done[wanted.case.id], planned.take_seconds()

    def shared(self, suite_case: SuiteCase) -> bool:
        """Whether the workers of this session share the pass of a case: only a replay can be shared."""
        replayed = self._options.engine == "replay" and suite_case.case.autoquant.method == "gradient"
        return self._worker is not None and replayed

    def _advance(self, planned: _Pass, wanted: SuiteCase) -> None:
        """Run the pass, or resume it, until the wanted case is done."""
        try:
            with third_parties_quiet():
                if planned.results is None:
                    started = time.perf_counter()
                    planned.results = self._start(planned)
                    planned.take_next()
                    planned.seconds = time.perf_counter() - started
                while wanted.case.id not in planned.done:
                    planned.take_next()
        except InputError as error:
            planned.error = str(error)
        except BaseException as error:  # also a timeout's or a skip's, which are no Exception
            first = (str(error).splitlines() or [""])[0]
            planned.error = (
                f"the pass over {wanted.case.model.name} broke in an earlier test: {type(error).__name__}: {first}"
            )
            raise
        if planned.error is not None:
            # A new error: pytest keeps the last error of all, and the one from inside the pass holds on to the model.
            raise CaseError(planned.error)

    def _start(self, planned: _Pass) -> Iterator[CaseResult]:
        cases = [suite_case.case for suite_case in planned.cases]
        progress = self._announcer.announce(cases[0].model.name, len(cases))
        progress("import", 0, 1)
        if self._worker is not None:
            share_processors()
        captures = self._captures(self._options.device or cases[0].autoquant.device)
        with collector_paused():
            from auto_quantize_model.run import run_cases

        progress("import", 1, 1)
        progress("prepare", 0, 1)
        options = self._options
        results = run_cases(
            cases,
            engine=options.engine,
            device=options.device,
            model_paths=options.model_paths,
            captures=captures,
            measure=str(options.measure.scope),
            measure_on=options.measure.captions,
            cluster=options.cluster,
            cluster_gpus=options.cluster_gpus,
            progress=progress,
            notice=self._announcer.say,
        )
        progress("prepare", 1, 1)
        return results

    def _captures(self, device: str) -> CaptureSettings:
        from auto_quantize_model.engine.capture.settings import CaptureSettings

        options, worker = self._options, self._worker
        return CaptureSettings(
            keep=options.keep_capture,
            folder=options.capture_dir,
            memory=options.capture_memory,
            run=self._run,
            fresh=options.fresh,
            shared=None if worker is None else worker.shared,
            processes=1 if worker is None else worker.count,
            processes_a_device=1 if worker is None else self._take_device(worker, device),
        )

    def _take_device(self, worker: Worker, device: str) -> int:
        """Take one of the GPUs, unless the user has said which; returns how many workers are on it."""
        if device not in ("auto", "cuda"):
            return worker.count
        if self._processes_a_device is None:
            # Counted once: after this, but one GPU can be seen.
            self._processes_a_device = processes_a_device(worker.count)
            take_gpu(worker.name)
        return self._processes_a_device


@contextlib.contextmanager
def third_parties_quiet() -> Iterator[None]:
    """What torch, transformers and ModelOpt deprecate of each other, no suite can fix, even under `-W error`."""
    with warnings.catch_warnings():
        for category in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", category)
        yield
