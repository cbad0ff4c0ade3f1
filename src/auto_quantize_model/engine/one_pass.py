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
from auto_quantize_model.engine.capture.files import CaptureFiles, DamagedCaptureError, batch_names, unwritable
from auto_quantize_model.engine.capture.identity import capture_name, code_version, digest
from auto_quantize_model.engine.capture.kept import unkept_folder
from auto_quantize_model.engine.capture.units import may_join, run_together
from auto_quantize_model.engine.machine.devices import devices_of
from auto_quantize_model.engine.machine.environment import describe_environment
from auto_quantize_model.engine.measurement.maxima import Maxima
from auto_quantize_model.engine.memory import has_room, plans, predict
from auto_quantize_model.engine.replay.replay import replay
from auto_quantize_model.engine.replay.rows import describe_rows
from auto_quantize_model.engine.replay.score_files import ScoreFiles
from auto_quantize_model.errors import CaseError
from auto_quantize_model.families.device_memory import release_memory
from auto_quantize_model.reporting import Reporting, no_notice

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from auto_quantize_model.checkpoints.checkpoint import Checkpoint
    from auto_quantize_model.engine.capture.batches import TokenBatch
    from auto_quantize_model.engine.capture.groups import Layout
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
        joined = may_join(self.loaded, self.layout, calls=self.calls) if self.joined else "none"
        return run_together(self.plan, self.batches, self.loaded, joined)

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
    with _folder(work, settings, needs_files=needs_files) as folder:
        tell_kept = settings.keep
        for _ in range(_ATTEMPTS):
            try:
                tell = reporting.notice if tell_kept else no_notice
                return _capture_and_replay(work, settings, plan, folder, Reporting(reporting.progress, tell))
            except DamagedCaptureError as error:
                reporting.notice(f"{error}; capturing it again")
                # What is damaged counted as kept, and what was just made would count too.
                tell_kept = False
        raise CaseError(f"{folder}: captures that were just written read back damaged; name another folder for them")


def _capture_and_replay(
    work: LoadedPass, settings: CaptureSettings, plan: MemoryPlan, folder: Path | None, reporting: Reporting
) -> PassScores:
    files = None
    if folder is not None:
        about = {"model": work.plan.cases[0].model.name, **work.facts}
        files = CaptureFiles(folder, work.batch_names, about, work.units)
    placement = plan.placement(files)
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
    if captured.made < len(work.batches):
        kept = len(work.batches) - captured.made
        reporting.notice(f"capture: {kept} of {len(work.batches)} batches were there, in {folder}")
    maxima = Maxima.of(captured)
    scores = replay(
        captured,
        work.loaded,
        work.plan,
        describe_rows(work.plan, work.batches, scored),
        work.formats,
        reporting.progress,
        shared=_score_files(work, settings),
        chunk_elements=plan.chunk_elements,
        counted={index: work.batches[index].counted.flatten().nonzero().squeeze(1) for index in scored},
    )
    return PassScores(scores, maxima)


@contextlib.contextmanager
def _folder(work: LoadedPass, settings: CaptureSettings, *, needs_files: bool) -> Iterator[Path | None]:
    """The folder for captured batches; None where they stay in memory, gone afterwards unless they are kept."""
    if settings.keep:
        yield settings.root / capture_name(work.facts)
    elif settings.shared is not None:
        yield settings.shared / capture_name(work.facts)
    elif needs_files:
        with contextlib.ExitStack() as stack:
            try:
                folder = stack.enter_context(unkept_folder(settings.root))
            except OSError as error:
                raise unwritable(settings.root, error) from None
            yield folder
    else:
        yield None


def _score_files(work: LoadedPass, settings: CaptureSettings) -> ScoreFiles | None:
    if settings.shared is None:
        return None
    asked = [
        work.facts,
        work.batch_names,
        sorted(work.formats),
        repr((work.plan.batches, sorted(work.plan.sizes.items()))),
    ]
    return ScoreFiles(settings.shared / f"scores-{digest(json.dumps(asked, sort_keys=True).encode())}")


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
