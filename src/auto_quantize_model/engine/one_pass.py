"""One pass: capture and replay under a memory plan, with captures on disk where that is wanted or needed."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch

from auto_quantize_model.byte_sizes import show_bytes
from auto_quantize_model.engine.capture.captured import RowsMeetError, capture
from auto_quantize_model.engine.capture.files import DamagedCaptureError
from auto_quantize_model.engine.measurement.maxima import Maxima
from auto_quantize_model.engine.memory import has_room, plans
from auto_quantize_model.engine.pass_files import PassFiles, PassScores
from auto_quantize_model.engine.replay.replay import replay
from auto_quantize_model.errors import CaseError
from auto_quantize_model.families.device_memory import release_memory
from auto_quantize_model.reporting import Reporting, no_notice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auto_quantize_model.engine.capture.settings import CaptureSettings
    from auto_quantize_model.engine.loaded_pass import LoadedPass
    from auto_quantize_model.engine.memory import MemoryPlan, Needs
    from auto_quantize_model.reporting import Notice


_ATTEMPTS = 10
"""How many damaged captures are replaced before the disk is to blame."""


def score(work: LoadedPass, settings: CaptureSettings, reporting: Reporting) -> PassScores:
    """Score every group for every format and size; memory that runs out is met with the next smaller plan."""
    joined = dataclasses.replace(work, joined=True)
    if has_room(joined.needs, work.devices, settings.processes_a_device, settings.processes):
        try:
            return _score_joined(joined, work, settings, reporting)
        except RowsMeetError:
            reporting.notice("capture: a batch comes out otherwise beside others in this model; they run one by one")
    return _score_joined(work, work, settings, reporting)


def _score_joined(work: LoadedPass, alone: LoadedPass, settings: CaptureSettings, reporting: Reporting) -> PassScores:
    """Score with batches joined as in `work`; where memory runs out they run `alone`."""
    needs = work.needs
    tried = plans(needs, work.devices, settings.memory, settings.processes_a_device, settings.processes)
    _tell_prediction(work, needs, tried[0], reporting.notice)
    for smaller, plan in enumerate(tried, start=1):
        try:
            tried_work = work if smaller == 1 else alone
            scores = _score_within(tried_work, settings, plan, plan.needs_files(needs), reporting)
        except torch.OutOfMemoryError:
            # Not retried in here: the exception holds on to what it ran out of memory with.
            then = "; trying a smaller plan" if smaller < len(tried) else ""
            reporting.notice(f"out of GPU memory with captured tensors {plan.describe(needs)}{then}")
        else:
            _tell_peak(work.devices, reporting.notice)
            return scores
        release_memory()
    raise CaseError(_out_of_memory(work, needs))


def _score_within(
    work: LoadedPass, settings: CaptureSettings, plan: MemoryPlan, needs_files: bool, reporting: Reporting
) -> PassScores:
    with PassFiles(work, settings, plan.chunk_elements, reporting.notice, needs_files=needs_files) as files:
        scores = files.found() or _score_anew(work, files, plan, settings.keep, reporting)
        return files.finish(scores)


def _score_anew(
    work: LoadedPass, files: PassFiles, plan: MemoryPlan, tell_kept: bool, reporting: Reporting
) -> PassScores:
    for _ in range(_ATTEMPTS):
        try:
            tell = reporting.notice if tell_kept else no_notice
            return _capture_and_replay(work, files, plan, Reporting(reporting.progress, tell))
        except DamagedCaptureError as error:
            reporting.notice(f"{error}; capturing it again")
            # What is damaged counted as kept, and what was just made would count too.
            tell_kept = False
    folder = None if files.captures is None else files.captures.folder
    raise CaseError(f"{folder}: captures that were just written read back damaged; name another folder for them")


def _capture_and_replay(work: LoadedPass, files: PassFiles, plan: MemoryPlan, reporting: Reporting) -> PassScores:
    scored, probes = work.plan.scored, work.plan.probes
    captured = capture(
        work.loaded,
        work.layout,
        work.batches,
        scored,
        probes,
        reporting.progress,
        plan.placement(files.captures),
        units=work.units,
        calls=work.calls,
    )
    if captured.made < len(work.batches) and files.captures is not None:
        kept = len(work.batches) - captured.made
        reporting.notice(f"capture: {kept} of {len(work.batches)} batches were there, in {files.captures.folder}")
    maxima = Maxima.of(captured)
    scores = replay(
        captured,
        work.loaded,
        work.plan,
        work.rows,
        work.formats,
        reporting.progress,
        files=files.scores,
        chunk_elements=plan.chunk_elements,
        operands=work.operands,
        counted=work.counted,
    )
    return PassScores(scores, maxima)


def _tell_prediction(work: LoadedPass, needs: Needs, plan: MemoryPlan, notice: Notice) -> None:
    captured = f"captured tensors {plan.describe(needs)}"
    if work.device.type == "cuda":
        peak = needs.model + min(needs.captured, plan.device_bytes) + needs.working
        notice(f"memory: predicted peak {show_bytes(peak)}, of it the model {show_bytes(needs.model)}; {captured}")
        for device in work.devices:
            torch.cuda.reset_peak_memory_stats(device)
    elif plan.needs_files(needs):
        notice(f"memory: {captured}")


def _tell_peak(devices: Sequence[torch.device], notice: Notice) -> None:
    peaks = [show_bytes(torch.cuda.max_memory_allocated(device)) for device in devices if device.type == "cuda"]
    if peaks:
        notice(f"memory: peak {', '.join(peaks)}")


def _out_of_memory(work: LoadedPass, needs: Needs) -> str:
    autoquant = work.plan.cases[0].autoquant
    return (
        f"out of GPU memory, with every captured tensor elsewhere: the model takes {show_bytes(needs.model)} and the "
        f"pass about {show_bytes(needs.working)} more; lower autoquant.batch_size (now {autoquant.batch_size}), "
        "free the GPU of other processes, or let more GPUs be seen"
    )
