"""Running a pass on a cluster: one outcome a case, the same as those of one process."""

from __future__ import annotations

import dataclasses
import pickle
from typing import TYPE_CHECKING

import torch

from auto_quantize_model.byte_sizes import show_bytes
from auto_quantize_model.checkpoints.locate import locate
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.device_names import parse_device
from auto_quantize_model.engine.capture.captured import RowsMeetError
from auto_quantize_model.engine.cluster.crew import Crew
from auto_quantize_model.engine.cluster.pass_work import DistantPass, PassWork
from auto_quantize_model.engine.cluster.worker import Order
from auto_quantize_model.engine.execution import ModelFacts, failed, outcomes
from auto_quantize_model.engine.pass_files import PassFiles
from auto_quantize_model.engine.preparation import PreparedPass
from auto_quantize_model.engine.replay.group_work import CHUNK_ELEMENTS
from auto_quantize_model.errors import CaseError, InputError
from auto_quantize_model.flags import both_flags
from auto_quantize_model.measuring import MeasureSettings
from auto_quantize_model.plan import format_key
from auto_quantize_model.precision.importing import import_modelopt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from auto_quantize_model.engine.capture.settings import CaptureSettings
    from auto_quantize_model.engine.cluster.ray_cluster import Cluster
    from auto_quantize_model.engine.cluster.worker import Model
    from auto_quantize_model.engine.execution import Outcome
    from auto_quantize_model.engine.pass_files import PassScores
    from auto_quantize_model.plan import PassPlan
    from auto_quantize_model.reporting import Reporting


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What the user says of a pass beyond its cases."""

    device: str | None
    paths: Mapping[str, Path]
    gpus: int
    captures: CaptureSettings


@dataclasses.dataclass(frozen=True, slots=True)
class OrderedPass:
    """One pass, ready to be handed to a cluster."""

    prepared: PreparedPass
    """As far as it can be without a model, or a device."""
    order: Order
    gpus: int
    """How many each of its workers takes; 0 where they are on CPUs."""


def order(plan: PassPlan, asked: Asked, cluster: Cluster) -> OrderedPass:
    """Find the checkpoint, and see that the cluster has what the pass needs."""
    first = plan.cases[0]
    if first.autoquant.method != "gradient":
        raise InputError(
            f"{both_flags('cluster')}: the method {first.autoquant.method} runs ModelOpt's own loop, which is not "
            "shared out; leave one out"
        )
    path = asked.paths.get(first.model.name)
    located = locate(first, path)
    checkpoint = open_checkpoint(located.path, located.fix)
    device = asked.device or first.autoquant.device
    gpus = asked.gpus if _on_gpus(device, first.model.devices, cluster) else 0
    if not cluster.places(gpus=gpus):
        raise InputError(
            f"{both_flags('cluster-gpus')}: no host of the cluster has {gpus} GPUs"
            if gpus
            else f"{both_flags('cluster')}: no host of the cluster has a CPU for a worker; "
            "`ray start --num-cpus 1` joins one that has"
        )
    place, threads = None if path is None else path.absolute(), torch.get_num_threads()
    told = Order(plan, asked.device, place, threads)
    on = torch.device("cuda" if gpus else "cpu")
    prepared = PreparedPass(plan, "replay", on, checkpoint, {}, {}, asked.captures, MeasureSettings(), "float32")
    return OrderedPass(prepared, told, gpus)


def execute_on_cluster(ordered: OrderedPass, cluster: Cluster, reporting: Reporting) -> Iterator[Outcome]:
    """Run the pass; a case that cannot be run fails alone."""
    crew = Crew(cluster, pickle.dumps(ordered.order), reporting.notice, gpus=ordered.gpus)
    try:
        reporting.progress("load", 0, 1)
        try:
            crew.start()
            # What is needed here in the end; until a worker has its model there is nothing else to do.
            import_modelopt()
            opened = crew.first(ordered.prepared.checkpoint.fingerprint)
        except CaseError as error:
            yield from failed(ordered.prepared, dict.fromkeys(map(format_key, ordered.order.plan.cases), str(error)))
            return
        reporting.progress("load", 1, 1)
        prepared = dataclasses.replace(ordered.prepared, formats=opened.formats, refused=opened.refused)
        if opened.model is None:
            yield from failed(prepared, {})
            return
        prepared = dataclasses.replace(prepared, operands=opened.model.operands)
        reason = None
        try:
            scores = _scored(prepared, opened.model, crew, cluster, reporting)
        except CaseError as error:
            reason = str(error)
        hardware = crew.hardware
    finally:
        crew.close()
    if reason is not None:
        yield from failed(prepared, dict.fromkeys(opened.formats, reason))
        return
    yield from outcomes(prepared, _facts(opened.model, hardware), scores.groups, opened.model.not_covered)


def _scored(prepared: PreparedPass, model: Model, crew: Crew, cluster: Cluster, reporting: Reporting) -> PassScores:
    try:
        return _scored_joined(prepared, model, crew, cluster, reporting, joined=True)
    except RowsMeetError:
        reporting.notice("capture: a batch comes out otherwise beside others in this model; they run one by one")
    return _scored_joined(prepared, model, crew, cluster, reporting, joined=False)


def _scored_joined(
    prepared: PreparedPass, model: Model, crew: Crew, cluster: Cluster, reporting: Reporting, *, joined: bool
) -> PassScores:
    distant = DistantPass.of(prepared.plan, model, joined=joined)
    chunk = CHUNK_ELEMENTS[prepared.device.type]
    with PassFiles(distant, prepared.captures, chunk, reporting.notice, needs_files=None) as files:
        scores = files.found()
        if scores is None:
            work = PassWork(distant, cluster, files.scores, reporting.progress)
            crew.do(work)
            scores = work.scores()
            moved = show_bytes(work.captured_bytes)
            reporting.notice(f"cluster: {moved} were captured, and moved to where they were replayed")
        files.finish(scores)
    return scores


def _facts(model: Model, hardware: str) -> ModelFacts:
    environment = {**model.facts["environment"], "hardware": hardware}
    return ModelFacts(model.layout, model.batches, model.facts["dtype"], model.in_checkpoint, environment)


def _on_gpus(device: str, allowed: tuple[str, ...], cluster: Cluster) -> bool:
    """Whether the pass runs on the cluster's GPUs."""
    kind, index = parse_device(device)
    if index is not None:
        raise InputError(f"device '{device}': a cluster gives each worker a GPU of its own; choose cuda")
    if kind == "auto":
        kind = "cuda" if cluster.has_gpus and "cuda" in allowed else "cpu"
    if kind not in allowed:
        raise InputError(f"device '{kind}': the model's `devices` allow {', '.join(allowed)} only")
    if kind == "cuda" and not cluster.has_gpus:
        raise InputError("device 'cuda': no host of the cluster has a GPU that Ray knows of; choose cpu")
    return kind == "cuda"
