"""One pass: capture and replay under a memory plan, with captures on disk where that is wanted or needed."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
from typing import TYPE_CHECKING, Any

import torch

from auto_quantize_model.byte_sizes import show_bytes
from auto_quantize_model.engine.capture.captured import RowsMeetError, capture
from auto_quantize_model.engine.capture.files import (
    CaptureFiles,
    DamagedCaptureError,
    SpareFiles,
    batch_names,
    unwritable,
)
from auto_quantize_model.engine.capture.identity import capture_name, code_version, digest, package_version
from auto_quantize_model.engine.capture.interrupted import NO_FOLDER, pass_folder
from auto_quantize_model.engine.capture.kept import PACKAGE, unkept_folder
from auto_quantize_model.engine.capture.units import may_join, one_by_one, run_together
from auto_quantize_model.engine.machine.checked_json import DamagedFileError, read_checked, write_checked
from auto_quantize_model.engine.machine.devices import devices_of
from auto_quantize_model.engine.machine.environment import describe_environment
from auto_quantize_model.engine.measurement.maxima import Maxima
from auto_quantize_model.engine.memory import has_room, plans, predict
from auto_quantize_model.engine.replay.replay import replay
from auto_quantize_model.engine.replay.rows import describe_rows
from auto_quantize_model.engine.replay.score_files import ScoreFiles
from auto_quantize_model.errors import CaseError, one_line
from auto_quantize_model.families.device_memory import release_memory
from auto_quantize_model.reporting import Reporting, no_notice

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from auto_quantize_model.checkpoints.checkpoint import Checkpoint
    from auto_quantize_model.engine.capture.batches import TokenBatch
    from auto_quantize_model.engine.capture.groups import Layout
    from auto_quantize_model.engine.capture.interrupted import PassFolder
    from auto_quantize_model.engine.capture.settings import CaptureSettings
    from auto_quantize_model.engine.capture.units import Unit
    from auto_quantize_model.engine.memory import MemoryPlan, Needs
    from auto_quantize_model.families.loaded import LoadedModel
    from auto_quantize_model.plan import FormatSize, PassPlan
    from auto_quantize_model.precision.quantizers import FormatQuantizers
    from auto_quantize_model.reporting import Notice
    from auto_quantize_model.scores import GroupScore


_ATTEMPTS = 10
"""How many damaged captures are replaced before the disk is to blame."""
_MAXIMA_FILE = "maxima.json"


@dataclasses.dataclass(frozen=True, slots=True)
class PassScores:
    """What came of capture and replay."""

    groups: Mapping[FormatSize, list[GroupScore]]
    maxima: Maxima


@dataclasses.dataclass(frozen=True)
class LoadedPass:
    """Everything that a pass works with once its model is loaded."""

    loaded: LoadedModel
    layout: Layout
    plan: PassPlan
    batches: Sequence[TokenBatch]
    formats: Mapping[str, FormatQuantizers]
    checkpoint: Checkpoint
    joined: bool = False
    """Whether batches run together where they may."""

    @property
    def device(self) -> torch.device:
        """Where the pass runs, or begins if the model is spread over several devices."""
        return self.loaded.device

    @property
    def devices(self) -> list[torch.device]:
        """Every device of the language model."""
        return devices_of(self.loaded)

    @functools.cached_property
    def facts(self) -> dict[str, Any]:
        """Everything but the tokens that a captured batch depends on."""
        groups = [[group.members, group.scored_at] for group in self.layout.groups]
        return {
            "checkpoint_sha256": self.checkpoint.fingerprint,
            "family": self.plan.cases[0].model.family,
            "dtype": str(self.loaded.dtype).removeprefix("torch."),
            "groups": digest(json.dumps(groups).encode()),
            "calls": self.calls,
            "computation": digest(json.dumps(self._computation(), sort_keys=True, default=str).encode()),
            "environment": describe_environment(self.device),
            "code": code_version(),
        }

    @property
    def calls(self) -> bool:
        """Whether replay must know what every layer was called with."""
        return any(each.by_module for each in self.formats.values())

    @functools.cached_property
    def units(self) -> tuple[Unit, ...]:
        """The batches that run together."""
        if self.joined and may_join(self.loaded, self.layout, calls=self.calls):
            return run_together(self.plan, self.batches, self.loaded)
        return one_by_one(self.batches)

    @property
    def needs(self) -> Needs:
        """What the pass takes of memory."""
        weight_formats = len({each.weight_key for each in self.formats.values()})
        return predict(
            self.loaded, self.layout, self.batches, self.plan, weight_formats, units=self.units, calls=self.calls
        )

    @functools.cached_property
    def batch_names(self) -> list[str]:
        """What tells the batches of one model apart."""
        return batch_names(self.batches, self.units, self.plan.scored, self.plan.probes)

    def _computation(self) -> list[Any]:
        """What the model computes with its weights: the same ones mean something else under another configuration."""
        config = self.loaded.model.config
        settings = {name: value for name, value in config.to_dict().items() if name != "_name_or_path"}
        return [settings, config._attn_implementation, torch.get_float32_matmul_precision()]


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
    with _place(work, settings, plan, reporting.notice, needs_files=needs_files) as place:
        _tell_going_on(work, place, reporting.notice)
        there = _found(place)
        if there is not None:
            return there
        tell_kept = settings.keep
        for _ in range(_ATTEMPTS):
            try:
                tell = reporting.notice if tell_kept else no_notice
                scores = _capture_and_replay(work, place, plan, Reporting(reporting.progress, tell))
            except DamagedCaptureError as error:
                reporting.notice(f"{error}; capturing it again")
                # What is damaged counted as kept, and what was just made would count too.
                tell_kept = False
            else:
                _finish(place, scores)
                return scores
        folder = None if place.files is None else place.files.folder
        raise CaseError(f"{folder}: captures that were just written read back damaged; name another folder for them")


def _capture_and_replay(work: LoadedPass, place: _Place, plan: MemoryPlan, reporting: Reporting) -> PassScores:
    placement = plan.placement(place.files)
    scored, probes = work.plan.scored, work.plan.probes
    captured = capture(
        work.loaded,
        work.layout,
        work.batches,
        scored,
        probes,
        reporting.progress,
        placement,
        units=work.units,
        calls=work.calls,
    )
    if captured.made < len(work.batches) and place.files is not None:
        kept = len(work.batches) - captured.made
        reporting.notice(f"capture: {kept} of {len(work.batches)} batches were there, in {place.files.folder}")
    maxima = Maxima.of(captured)
    scores = replay(
        captured,
        work.loaded,
        work.plan,
        describe_rows(work.plan, work.batches, scored),
        work.formats,
        reporting.progress,
        files=place.scores,
        chunk_elements=plan.chunk_elements,
        counted={index: work.batches[index].counted.flatten().nonzero().squeeze(1) for index in scored},
    )
    return PassScores(scores, maxima)


@dataclasses.dataclass(frozen=True, slots=True)
class _Place:
    """What a pass has of the disk."""

    files: CaptureFiles | None
    """None where captured batches are in memory alone."""
    scores: ScoreFiles | None
    folder: PassFolder | None
    """What a run that goes on from this one will find."""


@contextlib.contextmanager
def _place(
    work: LoadedPass, settings: CaptureSettings, plan: MemoryPlan, notice: Notice, *, needs_files: bool
) -> Iterator[_Place]:
    about = {"model": work.plan.cases[0].model.name, **work.facts}
    with contextlib.ExitStack() as stack:
        folder = _pass_folder(work, settings, plan, about, notice, stack)
        yield _Place(
            _capture_files(work, settings, about, folder, notice, stack, needs_files=needs_files),
            _score_files(work, settings, plan, folder, notice),
            folder,
        )


def _pass_folder(
    work: LoadedPass,
    settings: CaptureSettings,
    plan: MemoryPlan,
    about: Mapping[str, Any],
    notice: Notice,
    stack: contextlib.ExitStack,
) -> PassFolder | None:
    """The folder for what a next run may go on from; a run that has none runs all the same."""
    if settings.run is None:
        return None
    name, about = _pass_name(work, plan), {**about, PACKAGE: package_version()}
    try:
        return stack.enter_context(pass_folder(settings.root, name, about, settings.run, fresh=settings.fresh))
    except NO_FOLDER as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        notice(f"{settings.root}: cannot be used: {reason}; if this run is interrupted, the next one begins anew")
        return None


def _capture_files(
    work: LoadedPass,
    settings: CaptureSettings,
    about: Mapping[str, Any],
    folder: PassFolder | None,
    notice: Notice,
    stack: contextlib.ExitStack,
    *,
    needs_files: bool,
) -> CaptureFiles | None:
    """The files for captured batches; None where they stay in memory alone."""
    if settings.keep:
        return CaptureFiles(settings.root / capture_name(work.facts), work.batch_names, about, work.units)
    if folder is not None and (needs_files or settings.shared is not None):
        return CaptureFiles(folder.path, work.batch_names, folder.about, work.units)
    if folder is not None:
        return SpareFiles(folder.path, work.batch_names, folder.about, work.units, notice)
    if settings.shared is not None:
        return CaptureFiles(settings.shared / capture_name(work.facts), work.batch_names, about, work.units)
    if not needs_files:
        return None
    try:
        unkept = stack.enter_context(unkept_folder(settings.root))
    except OSError as error:
        raise unwritable(settings.root, error) from None
    return CaptureFiles(unkept, work.batch_names, about, work.units)


def _score_files(
    work: LoadedPass, settings: CaptureSettings, plan: MemoryPlan, folder: PassFolder | None, notice: Notice
) -> ScoreFiles | None:
    shared = settings.shared is not None
    if folder is not None:
        place = folder.path
    elif settings.shared is not None:
        place = settings.shared / f"scores-{_pass_name(work, plan)}"
    else:
        return None
    return ScoreFiles(place, work.layout.groups, work.plan.format_sizes(work.formats), notice, shared=shared)


def _pass_name(work: LoadedPass, plan: MemoryPlan) -> str:
    """Equal for passes whose scores are the same bits."""
    asked = [
        work.facts,
        package_version(),
        work.batch_names,
        sorted(work.formats),
        repr((work.plan.format_sizes(work.formats), work.plan.batches, sorted(work.plan.sizes.items()))),
        plan.chunk_elements,
    ]
    return digest(json.dumps(asked, sort_keys=True).encode())


def _tell_going_on(work: LoadedPass, place: _Place, notice: Notice) -> None:
    if place.folder is None or not place.folder.went_on or place.scores is None:
        return
    groups = place.scores.count()
    batches = 0 if place.files is None else place.files.count()
    if groups or batches:
        notice(
            f"goes on: {groups} of {len(work.layout.groups)} groups and {batches} of {len(work.batches)} batches "
            "were there from an interrupted run"
        )


def _found(place: _Place) -> PassScores | None:
    """What of a pass is there, if all of it is: by an interrupted run, or by another process of this one."""
    if place.folder is None or place.scores is None:
        return None
    try:
        maxima = read_checked(place.folder.path / _MAXIMA_FILE)
    except DamagedFileError:
        return None
    scores = None if maxima is None else place.scores.complete()
    return None if scores is None else PassScores(scores, Maxima.from_json(maxima))


def _finish(place: _Place, scores: PassScores) -> None:
    if place.folder is not None:
        with contextlib.suppress(OSError):
            write_checked(place.folder.path / _MAXIMA_FILE, scores.maxima.to_json())
        place.folder.finished = True


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
