"""The work on a group that is more than a product: its modules run again, quantized inside by ModelOpt."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from auto_quantize_model.engine.capture.calls import Call
from auto_quantize_model.engine.machine.devices import current
from auto_quantize_model.engine.replay.group_work import SATURATION, RowSums, arrived, under_way
from auto_quantize_model.precision.conversion import convert_linears
from auto_quantize_model.precision.fp4 import static_blocks_on_cpu
from auto_quantize_model.precision.module_quantizers import (
    calibrate_by_algorithm,
    calibrate_by_maxima,
    device_of,
    only,
    runs_by_row,
    set_input_maxima,
    set_up,
    set_up_inputs,
    unquantized,
    weights_quantized,
)
from auto_quantize_model.precision.quiet import modelopt_quiet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from auto_quantize_model.engine.capture.captured import GroupRows
    from auto_quantize_model.engine.replay.rows import Rows
    from auto_quantize_model.engine.replay.variants import Side
    from auto_quantize_model.plan import FormatSize, PassPlan, SizePlan
    from auto_quantize_model.precision.quantizers import FormatQuantizers
    from auto_quantize_model.scores import Group

_AWQ_SHARE = 4
"""ModelOpt's search calibrates by AWQ with a fourth of the batches."""


@dataclasses.dataclass(frozen=True, slots=True)
class Calibrated:
    """A format calibrated one way, and what runs so."""

    quantizers: FormatQuantizers
    batches: tuple[int, ...]
    """The batches that it is calibrated on, where its algorithm runs the modules; else what is scored."""
    maxima: tuple[tuple[str, float], ...]
    """By input quantizer, where maxima are all that calibration gives."""
    sides: tuple[tuple[Side, tuple[tuple[FormatSize, Side], ...]], ...]
    """What is quantized, and whom that serves."""
    scored: tuple[int, ...]


def calibrated_ways(
    plan: PassPlan,
    formats: Mapping[str, FormatQuantizers],
    wanted: Sequence[FormatSize],
    inner: Mapping[str, NDArray[np.float32]],
) -> list[Calibrated]:
    """Sizes that calibrate a format alike share their work."""
    sharing: dict[tuple[Any, ...], list[FormatSize]] = {}
    for each in wanted:
        quantizers, size = formats[each[0]], plan.sizes[each[1]]
        sharing.setdefault((each[0], *_calibration(quantizers, size, inner)), []).append(each)
    # What one side alone does is the same for every format that treats that side alike.
    alone: dict[tuple[Any, ...], list[tuple[FormatSize, Side]]] = {}
    ways = []
    for (name, batches, maxima), members in sharing.items():
        quantizers = formats[name]
        scored = tuple(sorted({index for _, size in members for index in plan.sizes[size].scored}))
        sides: list[tuple[Side, list[tuple[FormatSize, Side]]]] = []
        for side in _sides(quantizers):
            serves: list[tuple[FormatSize, Side]] = [(each, side) for each in members]
            key = (side, scored, _side_key(quantizers, side, batches, maxima))
            if side == "both" or key not in alone:
                alone[key] = serves
                sides.append((side, serves))
            else:
                alone[key] += serves
        ways.append((quantizers, batches, maxima, sides, scored))
    return [
        Calibrated(quantizers, batches, maxima, tuple((side, tuple(serves)) for side, serves in sides), scored)
        for quantizers, batches, maxima, sides, scored in ways
    ]


def _side_key(
    quantizers: FormatQuantizers, side: Side, batches: tuple[int, ...], maxima: tuple[tuple[str, float], ...]
) -> tuple[Any, ...]:
    """Equal for ways that quantize one side alike."""
    if quantizers.by_module:
        return quantizers.weight_key, batches
    return (quantizers.weight_key,) if side == "weights" else (quantizers.input_key, maxima)


def _calibration(
    quantizers: FormatQuantizers, size: SizePlan, inner: Mapping[str, NDArray[np.float32]]
) -> tuple[tuple[int, ...], tuple[tuple[str, float], ...]]:
    """The batches that calibrate by running, and the maxima where these are enough."""
    if not quantizers.calibrated:
        return (), ()
    if not quantizers.by_module:
        return (), largest(quantizers, inner, size)
    batches = size.calibrated
    # The very words of ModelOpt's search.
    return (batches[: max(1, len(batches) // _AWQ_SHARE)] if "awq" in str(quantizers.algorithm) else batches), ()


def largest(
    quantizers: FormatQuantizers, inner: Mapping[str, NDArray[np.float32]], size: SizePlan
) -> tuple[tuple[str, float], ...]:
    """The maxima that calibration gives input quantizers inside of a module; one that saw nothing has none."""
    if quantizers.input_key is None or not quantizers.calibrated:
        return ()
    found = {name: float(values[list(size.calibrated)].max()) for name, values in inner.items()}
    return tuple((name, maximum) for name, maximum in found.items() if maximum >= 0)


def inner_of(group: Group, inner: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """Those of the maxima that belong to a group's members."""
    prefixes = tuple(f"{member}." for member in group.members)
    return {name: values for name, values in inner.items() if name.startswith(prefixes)}


def _sides(quantizers: FormatQuantizers) -> tuple[Side, ...]:
    # Other algorithms move some of what one side loses to the other, so that neither has a part of its own.
    if quantizers.input_key is None or quantizers.algorithm not in (None, "max", {"method": "max"}):
        return ("both",)
    return "both", "weights", "activations"


class ModuleWork:
    """One group's modules in float32, what they were called with, and what quantizing them changes."""

    def __init__(
        self,
        seen: GroupRows,
        model: Any,
        rows: Rows,
        counted: Mapping[int, Tensor],
        ways: Sequence[Calibrated],
        inner: Mapping[str, NDArray[np.float32]],
    ) -> None:
        self._seen = seen
        self._rows = rows
        self._counted = counted
        self._ways = ways
        self._inner = inner
        self._root = _replica(model, seen)
        self._places = seen.group.scored_at or seen.group.members
        self._batches = sorted(counted)
        self._weights: dict[tuple[str, int], Tensor] = {}
        self._set_up: FormatQuantizers | None = None
        with current(device_of(self._root)), static_blocks_on_cpu(), modelopt_quiet():
            # One copy for all that the group comes to; nothing before it waits for the device.
            self._sums_on_host = under_way(torch.stack(list(self._all_sums())))
        # The next group begins before this one ends.
        del self._root, self._weights

    @property
    def serves(self) -> list[tuple[tuple[FormatSize, Side], ...]]:
        """Whom each of the row sums is for."""
        return [served for way in self._ways for _, served in way.sides]

    def exercised(self, batches: tuple[int, ...]) -> bool:
        """Whether in the batches' rows both the inputs and the gradients are more than zeros."""
        reached = not self._inner or any(bool((values[list(batches)] > 0).any()) for values in self._inner.values())
        places = [self._batches.index(index) for index in batches]
        return reached and any(
            bool(self._seen.gradients[name][place][0].any()) for name in self._places for place in places
        )

    def row_sums(self) -> list[RowSums]:
        """For every way and side: what each row adds to the scores."""
        sums = arrived(*self._sums_on_host)
        return [
            RowSums(norms, saturated > 0, underflowed > 0, signed)
            for norms, saturated, underflowed, *rest in sums
            for signed in [np.stack(rest)]
        ]

    @torch.no_grad()
    def _all_sums(self) -> Iterator[Tensor]:
        references: dict[tuple[int, ...], dict[str, Tensor]] = {}
        for way in self._ways:
            if way.scored not in references:
                with unquantized(self._root):
                    references[way.scored] = self._outputs(way.scored, together=self._rowwise(way))
            self._calibrate(way)
            for side, _ in way.sides:
                yield self._sums(way, side, references[way.scored])

    def _rowwise(self, way: Calibrated) -> bool:
        """Whether batches may run as one: no row sees another, in the module and in its quantizers."""
        return way.quantizers.calibrated and all(runs_by_row(self._root.get_submodule(name)) for name in self._places)

    def _calibrate(self, way: Calibrated) -> None:
        members, quantizers = self._seen.group.members, way.quantizers
        if self._set_up is quantizers and not quantizers.by_module:
            set_input_maxima(self._root, members, dict(way.maxima))
            return
        self._set_up = quantizers
        if not quantizers.by_module and (quantizers.weight_key, 0) in self._weights:
            # Its weights are quantized already, so that their quantizers will not be asked.
            set_up_inputs(self._root, members, quantizers)
            set_input_maxima(self._root, members, dict(way.maxima))
            return
        set_up(self._root, members, quantizers)
        if not quantizers.calibrated:
            return
        if quantizers.by_module:
            calibrate_by_algorithm(self._root, quantizers.algorithm, lambda _: self._run_all(way.batches))
        else:
            calibrate_by_maxima(self._root, members, dict(way.maxima))

    def _run_all(self, batches: Sequence[int]) -> None:
        for index in batches:
            for name in self._places:
                self._float_call(name, index).repeat(self._root.get_submodule(name))

    def _sums(self, way: Calibrated, side: Side, reference: Mapping[str, Tensor]) -> Tensor:
        """Per row: the norm of its products, whether one was clamped, whether one underflowed, and each probe's sum."""
        # Some of ModelOpt's algorithms add a correction of their own where they quantize a weight.
        once = (
            contextlib.nullcontext()
            if way.quantizers.by_module
            else weights_quantized(self._root, self._seen.group.members, self._weights, way.quantizers.weight_key)
        )
        with only(self._root, side), once:
            outputs = self._outputs(way.scored, together=self._rowwise(way))
        difference = torch.cat([outputs[name] - reference[name] for name in self._places], dim=1)
        of_loss, *of_probes = self._gradients(way.scored)
        products = difference * of_loss
        saturated = (products.abs() >= SATURATION).any(dim=1)
        norms = torch.linalg.vector_norm(products.clamp_(-SATURATION, SATURATION), dim=1)
        underflowed = ((difference != 0) & (of_loss != 0)).any(dim=1) & (norms == 0)
        signed = [(difference * of_probe).sum(dim=1) for of_probe in of_probes]
        return self._at_their_rows(torch.stack([norms, saturated.float(), underflowed.float(), *signed]), way.scored)

    def _at_their_rows(self, values: Tensor, batches: tuple[int, ...]) -> Tensor:
        """Values of some batches' rows, with zeros for all other rows."""
        result = values.new_zeros((len(values), len(self._rows.batch)))
        start = 0
        for run in self._rows.runs(batches):
            stop = start + run.stop - run.start
            result[:, run] = values[:, start:stop]
            start = stop
        return result

    def _gradients(self, batches: Sequence[int]) -> Iterator[Tensor]:
        """The loss's, then those of every probe: the rows of all batches, the outputs of all places."""
        kinds = len(self._seen.gradients[self._places[0]][0])
        places = [self._batches.index(index) for index in batches]
        for kind in range(kinds):
            yield torch.cat(
                [
                    torch.cat([self._float(self._seen.gradients[name][place][kind]) for place in places])
                    for name in self._places
                ],
                dim=1,
            )

    def _outputs(self, batches: Sequence[int], *, together: bool) -> dict[str, Tensor]:
        """By place: the rows of its output that the loss counts."""
        return {name: torch.cat(list(self._rows_of(name, batches, together=together))) for name in self._places}

    def _rows_of(self, name: str, batches: Sequence[int], *, together: bool) -> Iterator[Tensor]:
        module = self._root.get_submodule(name)
        calls = [self._float_call(name, index) for index in batches]
        if together:
            parts = [
                [tensor.index_select(0, self._on_device(self._counted[index])) for tensor in call.tensors]
                for call, index in zip(calls, batches, strict=True)
            ]
            joined = Call(calls[0].form, tuple(torch.cat(of_all) for of_all in zip(*parts, strict=True)))
            yield joined.repeat(module)
            return
        for call, index in zip(calls, batches, strict=True):
            yield call.repeat(module).flatten(0, -2).index_select(0, self._on_device(self._counted[index]))

    def _float_call(self, name: str, index: int) -> Call:
        return self._seen.calls[name][index].moved(self._float)

    def _float(self, tensor: Tensor) -> Tensor:
        tensor = self._on_device(tensor)
        return tensor.float() if tensor.is_floating_point() else tensor

    def _on_device(self, tensor: Tensor) -> Tensor:
        return tensor.to(device_of(self._root), non_blocking=True)


def _replica(model: Any, seen: GroupRows) -> Any:
    """The group's modules in float32 under their full names, for ModelOpt's rules go by these."""
    root = torch.nn.Module()
    for name in seen.group.scored_at or seen.group.members:
        at = root
        *path, own = name.split(".")
        for part in path:
            if part not in at._modules:
                at.add_module(part, torch.nn.Module())
            at = at.get_submodule(part)
        at.add_module(own, copy.deepcopy(model.get_submodule(name)).float())
    convert_linears(root, seen.group.members)
    return root
