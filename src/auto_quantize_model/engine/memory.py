"""How much memory a pass takes, and the plan that follows from how much there is."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import torch

from auto_quantize_model.byte_sizes import show_bytes
from auto_quantize_model.engine.capture.captured import Placement
from auto_quantize_model.engine.capture.units import one_by_one
from auto_quantize_model.engine.replay.group_work import CHUNK_ELEMENTS
from auto_quantize_model.families.device_memory import bytes_of, free_device_memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auto_quantize_model.engine.capture.batches import TokenBatch
    from auto_quantize_model.engine.capture.files import CaptureFiles
    from auto_quantize_model.engine.capture.groups import Layout
    from auto_quantize_model.engine.capture.units import Unit
    from auto_quantize_model.families.loaded import LoadedModel
    from auto_quantize_model.plan import PassPlan
    from auto_quantize_model.scores import Group

_FLOAT32 = 4
_SPARE = 0.9
"""The share of free device memory that is planned with: the rest is what allocators lose between blocks."""
_HOST_SHARE = 0.5
"""The share of the host's free memory that captured tensors may take: the machine has other users."""
_SMALL_CHUNK = 1 / 16
_LOSS_COPIES = 3
"""How many values of four bytes the loss of a batch and its gradient have side by side for each counted logit."""
_JOINED_SHARE = 0.25
"""The share of the free memory that batches may take while they run together."""
CONTROL_GROUP = Path("/sys/fs/cgroup")


@dataclasses.dataclass(frozen=True, slots=True)
class Needs:
    """What a pass takes, in bytes, predicted from shapes alone."""

    model: int
    captured: int
    """Every captured tensor."""
    capture: int
    """What the largest batch takes in addition while it runs forward and backward."""
    replay: int
    """What the largest group takes in addition while it is scored."""

    @property
    def working(self) -> int:
        """What the pass takes in addition to the model and the captured tensors, at its worst."""
        return max(self.capture, self.replay)


@dataclasses.dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Where captured tensors go, and how much of a product is in flight."""

    device_bytes: float
    host_bytes: float
    chunk_elements: int

    def needs_files(self, needs: Needs) -> bool:
        """Whether some captured tensors must go to disk."""
        return needs.captured > self.device_bytes + self.host_bytes

    def placement(self, files: CaptureFiles | None) -> Placement:
        """The plan for a capture that may use files."""
        return Placement(self.device_bytes, self.host_bytes, files)

    def describe(self, needs: Needs) -> str:
        """Where the captured tensors will be, in words."""
        on_device = min(needs.captured, self.device_bytes)
        on_host = min(needs.captured - on_device, self.host_bytes)
        places = {"in memory": on_device, "on the host": on_host, "on disk": needs.captured - on_device - on_host}
        return ", ".join(f"{show_bytes(size)} {place}" for place, size in places.items() if size) or "nothing"


def predict(
    loaded: LoadedModel,
    layout: Layout,
    batches: Sequence[TokenBatch],
    plan: PassPlan,
    weight_formats: int,
    *,
    units: Sequence[Unit] | None = None,
    calls: bool = False,
) -> Needs:
    """Predict what a pass takes; `weight_formats` are kept side by side for each group.

    The batches of each of the `units` run together. With `calls`, what every layer was called with is kept too.
    """
    item = loaded.dtype.itemsize
    scoring = [batches[index] for index in plan.scored]
    rows = sum(batch.loss_tokens for batch in scoring)
    gradients = 1 + plan.probes
    widths = {group.name: _widths(loaded, group) for group in layout.groups}
    row_bytes = sum(inputs + gradients * outputs for inputs, outputs in widths.values()) * item
    positions = sum(batch.input_ids.numel() for batch in (batches if calls else scoring))
    called = sum(widths[group.name][0] for group in layout.groups if calls or group.scored_at)
    return Needs(
        model=bytes_of(weight for weight in loaded.model.parameters() if weight.device.type == loaded.device.type),
        captured=rows * row_bytes + positions * called * item,
        capture=max(
            (
                _unit_bytes(loaded, layout, widths, [batches[index] for index in unit], gradients)
                for unit in units or one_by_one(batches)
                if unit[0] in plan.scored
            ),
            default=0,
        ),
        replay=max(
            (
                _group_bytes(group, *widths[group.name], rows, gradients, weight_formats, loaded)
                for group in layout.groups
            ),
            default=0,
        ),
    )


def plans(
    needs: Needs, devices: Sequence[torch.device], limit: int | None, sharing: int = 1, processes: int = 1
) -> list[MemoryPlan]:
    """The plan to begin with, and smaller ones for when memory runs out.

    Of all the `processes` on this machine, `sharing` use the same device.
    """
    kind = devices[0].type
    chunk = CHUNK_ELEMENTS[kind]
    wanted = math.inf if limit is None else float(limit)
    room = free_host_memory() * _HOST_SHARE / processes
    if kind != "cuda":
        on_host = wanted if limit is not None else room
        return [MemoryPlan(on_host, 0.0, chunk)]
    free = sum(max(free_device_memory(device) / sharing * _SPARE - needs.working, 0.0) for device in devices)
    on_device = min(wanted, free)
    on_host = min(wanted - on_device, room)
    fewer = [MemoryPlan(0.0, min(wanted, room), size) for size in (chunk, int(chunk * _SMALL_CHUNK))]
    return list(dict.fromkeys([MemoryPlan(on_device, on_host, chunk), *fewer]))


def free_host_memory() -> int:
    """What the machine has free, or the container that this runs in if that is less."""
    available = int(psutil.virtual_memory().available)
    try:
        limit, used = (int((CONTROL_GROUP / f"memory.{name}").read_text("ascii")) for name in ("max", "current"))
        facts = dict(line.split() for line in (CONTROL_GROUP / "memory.stat").read_text("ascii").splitlines())
        # What was read from files counts as used, and goes as soon as it is in the way.
        used -= int(facts["inactive_file"])
    except (OSError, ValueError, KeyError):  # no control groups here, or no limit in this one
        return available
    return max(min(available, limit - used), 0)


def _widths(loaded: LoadedModel, group: Group) -> tuple[int, int]:
    """How many numbers go into a group for each token, and come out."""
    if group.scored_at:
        # What runs again as a whole mostly passes on what the model passes on between its blocks.
        hidden = int(loaded.model.get_input_embeddings().weight.shape[1])
        return hidden, hidden * len(group.scored_at)
    weights = [loaded.model.get_submodule(name).weight for name in group.members]
    return weights[0].shape[1], sum(len(weight) for weight in weights)


def _unit_bytes(
    loaded: LoadedModel,
    layout: Layout,
    widths: dict[str, tuple[int, int]],
    unit: Sequence[TokenBatch],
    gradients: int,
) -> int:
    """Rows that are captured, what autograd keeps between the layers, and the logits with their gradients."""
    item = loaded.dtype.itemsize
    rows = [batch.loss_tokens for batch in unit]
    values = sum(inputs + outputs for inputs, outputs in widths.values())
    captured = sum(rows) * sum(inputs + gradients * outputs for inputs, outputs in widths.values()) * item
    kept = sum(batch.input_ids.numel() for batch in unit) * values * (item + _FLOAT32) // 2
    vocabulary = layout.head.weights // widths[layout.groups[0].name][0] if layout.groups else 0
    logits = sum(rows) * (1 + gradients) * item + max(rows) * max(_LOSS_COPIES * _FLOAT32, (gradients - 1) * item)
    return captured + kept + vocabulary * logits


def has_room(needs: Needs, devices: Sequence[torch.device], sharing: int = 1, processes: int = 1) -> bool:
    """Whether batches may run together: what that takes leaves most of the free memory to what is captured."""
    on_host = devices[0].type != "cuda"
    free = free_host_memory() / processes if on_host else min(map(free_device_memory, devices)) / sharing
    return needs.capture <= free * _JOINED_SHARE


def _group_bytes(
    group: Group, inputs: int, outputs: int, rows: int, gradients: int, weight_formats: int, loaded: LoadedModel
) -> int:
    """Weights as they are and in every format, rows with their gradients, and a part of a product."""
    copies = 1 + (len(group.members) > 1) + weight_formats + 1
    per_row = 3 * inputs + (2 + gradients) * outputs
    chunk = min(CHUNK_ELEMENTS[loaded.device.type], rows * outputs)
    joined = 0 if loaded.dtype == torch.float32 else rows * (inputs + gradients * outputs) * loaded.dtype.itemsize
    return joined + _FLOAT32 * (group.weights * copies + rows * per_row + 3 * chunk)
