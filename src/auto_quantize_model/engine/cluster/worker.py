"""One worker of a pass: it loads the model once, captures batches and replays groups."""

from __future__ import annotations

import dataclasses
import pickle
from typing import TYPE_CHECKING, Any

from auto_quantize_model.errors import CaseError, InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from auto_quantize_model.engine.capture.batches import TokenBatch
    from auto_quantize_model.engine.capture.groups import Layout
    from auto_quantize_model.engine.capture.recording import Head
    from auto_quantize_model.engine.capture.units import Unit
    from auto_quantize_model.engine.cluster.packed import Part
    from auto_quantize_model.engine.loaded_pass import LoadedPass
    from auto_quantize_model.engine.machine.operands import Operands
    from auto_quantize_model.engine.preparation import PreparedFormat
    from auto_quantize_model.engine.replay.replay import GroupScores, Replay
    from auto_quantize_model.plan import PassPlan
    from auto_quantize_model.scores import InCheckpoint


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """What a worker must know to open a pass."""

    plan: PassPlan
    device: str | None
    path: Path | None
    """Where the user says that the checkpoint is."""
    threads: int
    """How many a CPU computes with: another number may come to other last bits."""


@dataclasses.dataclass(frozen=True, slots=True)
class Named:
    """Which batches run together, and what the batches are called then."""

    units: tuple[Unit, ...]
    batch_names: list[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Model:
    """What a worker tells of the model that it has loaded."""

    layout: Layout
    batches: list[TokenBatch]
    facts: dict[str, Any]
    in_checkpoint: InCheckpoint
    operands: Operands
    """What its products may be rounded to."""
    formats: tuple[str, ...]
    """Those that it can replay."""
    not_covered: dict[str, str]
    alone: Named
    joined: Named | None
    """None where there is no room for batches that run together."""


@dataclasses.dataclass(frozen=True, slots=True)
class Opened:
    """What a worker tells once it is ready."""

    device: str
    checkpoint: Path
    fingerprint: str
    formats: dict[str, PreparedFormat]
    refused: dict[str, str]
    model: Model | None
    """None where no format can run."""


@dataclasses.dataclass(frozen=True, slots=True)
class UnitHeads:
    """Of a captured unit what is no rows."""

    heads: dict[int, Head]
    nbytes: int
    """How many bytes the rows take."""


def stated_versions() -> dict[str, str]:
    """All that must be the same on every host, or scores would not be."""
    import torch

    from auto_quantize_model.engine.capture.identity import package_version
    from auto_quantize_model.engine.machine.environment import describe_environment

    stated = describe_environment(torch.device("cpu"))
    del stated["hardware"]
    return {**stated, "this package's code": package_version()}


class PassWorker:
    """Has a model in memory, for as long as one pass takes. Runs on a host of the cluster."""

    def __init__(self, versions: Mapping[str, str]) -> None:
        """Take only what every version of this package would understand."""
        self._versions = versions
        self._work: LoadedPass
        self._replay: Replay
        self._rows_apart = False

    def open(self, order: bytes) -> Opened:
        """Load the model; refuse whatever would come to other scores than elsewhere."""
        for name, mine in stated_versions().items():
            theirs = self._versions.get(name)
            if mine != theirs:
                raise InputError(
                    f"{name} is {mine} there and {theirs} where the run was started; install the same on every host"
                )
        import torch

        given: Order = pickle.loads(order)  # noqa: S301  from the process that started this one
        torch.set_num_threads(given.threads)
        return self._open(given)

    def capture(self, unit: Unit) -> UnitHeads | tuple[UnitHeads | Part, ...]:
        """Run batches together: their heads, then what each group saw where a replay needs that."""
        from auto_quantize_model.engine.capture.captured import check_rows_apart
        from auto_quantize_model.engine.capture.recording import recording
        from auto_quantize_model.engine.cluster.packed import head_of, packed

        work = self._work
        batches = [work.batches[index] for index in unit]
        with _out_of_memory_told(), recording(work.loaded, work.layout, work.plan.probes, calls=work.calls) as recorder:
            captured = recorder.record(batches, scoring=unit[0] in work.plan.scored)
            if len(unit) > 1 and not self._rows_apart:
                check_rows_apart(recorder, batches)
                self._rows_apart = True
        taken = dict(zip(unit, captured, strict=True))
        heads = {index: head_of(batch) for index, batch in taken.items()}
        if not has_rows(work.plan, unit, calls=work.calls):
            return UnitHeads(heads, 0)
        parts = [packed(taken, group) for group in work.layout.groups]
        return UnitHeads(heads, sum(array.nbytes for part in parts for array in part.values())), *parts

    def hold(self, heads: Mapping[int, Head]) -> None:
        """All is captured: keep what the replay of every group needs of it."""
        import torch

        from auto_quantize_model.engine.capture.captured import Captured
        from auto_quantize_model.engine.cluster.packed import Parts
        from auto_quantize_model.engine.replay.replay import Replay

        work = self._work
        self._parts = Parts()
        captured = Captured.of_heads(work.layout, work.plan.scored, heads, self._parts)
        with torch.inference_mode():
            self._replay = Replay(
                captured,
                work.loaded,
                work.plan,
                work.rows,
                work.formats,
                counted=work.counted,
                operands=work.operands,
            )

    def replay(self, number: int, *parts: Part) -> GroupScores:
        """Score a group for every format and size."""
        self._parts.take(parts)
        with _out_of_memory_told():
            return self._replay.score(self._work.layout.groups[number])

    def _open(self, order: Order) -> Opened:
        from auto_quantize_model.engine.capture.settings import CaptureSettings
        from auto_quantize_model.engine.execution import load_pass
        from auto_quantize_model.engine.preparation import prepare
        from auto_quantize_model.measuring import MeasureSettings

        name = order.plan.cases[0].model.name
        paths = {} if order.path is None else {name: order.path}
        prepared = prepare(order.plan, "replay", order.device, paths, CaptureSettings(), MeasureSettings())
        # What quantizes stays here, where it is used.
        formats = {key: dataclasses.replace(each, quantizers=None) for key, each in prepared.formats.items()}
        model = None
        if formats:
            self._work, not_covered = load_pass(prepared)
            model = _describe(self._work, not_covered)
        checkpoint, refused = prepared.checkpoint, dict(prepared.refused)
        return Opened(prepared.device.type, checkpoint.path, checkpoint.fingerprint, formats, refused, model)


def has_rows(plan: PassPlan, unit: Sequence[int], *, calls: bool) -> bool:
    """Whether a replay needs more of a unit than its heads."""
    return calls or unit[0] in plan.scored


def _describe(work: LoadedPass, not_covered: dict[str, str]) -> Model:
    from auto_quantize_model.engine.capture.batches import on_cpu
    from auto_quantize_model.engine.in_checkpoint import in_checkpoint
    from auto_quantize_model.engine.memory import has_room

    joined = dataclasses.replace(work, joined=True)
    return Model(
        layout=work.layout,
        batches=[on_cpu(batch) for batch in work.batches],
        facts=work.facts,
        in_checkpoint=in_checkpoint(work.loaded, work.layout),
        operands=work.operands,
        formats=tuple(work.formats),
        not_covered=not_covered,
        alone=Named(work.units, work.batch_names),
        joined=Named(joined.units, joined.batch_names) if has_room(joined.needs, work.devices) else None,
    )


class _out_of_memory_told:  # noqa: N801  reads as what it does
    """One line in place of an error that holds on to what memory ran out with."""

    def __enter__(self) -> None:
        """Nothing is to be done before."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _at: object) -> None:
        import torch

        if isinstance(error, torch.OutOfMemoryError):
            raise CaseError(
                "out of GPU memory on a host of the cluster; lower autoquant.batch_size, "
                "or free its GPU of other processes"
            ) from None
