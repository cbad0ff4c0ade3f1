"""Replay: every case's scores from one capture, group by group, without running the model again."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from auto_quantize_model.engine.capture_files import to_host
from auto_quantize_model.engine.devices import current
from auto_quantize_model.engine.lookahead import one_ahead, one_behind
from auto_quantize_model.engine.products import product
from auto_quantize_model.engine.progress import silent
from auto_quantize_model.engine.scores import GroupScore, Split
from auto_quantize_model.engine.sharing import do_each_once
from auto_quantize_model.plan import format_key, size_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from auto_quantize_model.engine.batches import TokenBatch
    from auto_quantize_model.engine.captured import Captured, GroupRows
    from auto_quantize_model.engine.groups import Group
    from auto_quantize_model.engine.progress import Progress
    from auto_quantize_model.engine.score_files import ScoreFiles
    from auto_quantize_model.engine.scores import Status
    from auto_quantize_model.families.loaded import LoadedModel
    from auto_quantize_model.plan import RunPlan, SizeKey, SizePlan
    from auto_quantize_model.precision.quantizers import FormatQuantizers

SATURATION = 1e10
"""ModelOpt clamps every product of a gradient and a difference to this."""

CHUNK_ELEMENTS = {"cpu": 1 << 20, "cuda": 1 << 27}
"""How many elements of a product are in flight: on CPU few enough to stay in cache."""

FormatSize = tuple[str, "SizeKey"]
"""A format and a size of the pass, by their keys in its plan."""
_GroupScores = dict[FormatSize, GroupScore]
Side = Literal["both", "weights", "activations"]
"""What is quantized: a format scores with both sides, and its split tells what each would score alone."""


class Rows:
    """Where each row of a capture comes from; the same for all its groups, so each answer is worked out once."""

    def __init__(self, batch: NDArray[np.int64], sample: NDArray[np.int64], loss_tokens: NDArray[np.int64]) -> None:
        """Take each row's batch and caption, and for each batch how many positions its loss is a mean over."""
        self.batch = batch
        self.sample = sample
        self._loss_tokens = loss_tokens
        self._runs: dict[tuple[int, ...], list[slice]] = {}
        self._kl_shares: dict[tuple[int, ...], NDArray[np.float64]] = {}

    def runs(self, batches: tuple[int, ...]) -> list[slice]:
        """The contiguous stretches of rows that belong to the batches."""
        if batches not in self._runs:
            edges = np.flatnonzero(np.diff(np.concatenate([[0], np.isin(self.batch, batches), [0]])))
            self._runs[batches] = [slice(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]
        return self._runs[batches]

    def take(self, values: NDArray[Any], batches: tuple[int, ...]) -> NDArray[Any]:
        """The values of the rows that belong to the batches."""
        return np.concatenate([values[run] for run in self.runs(batches)])

    def kl_shares(self, batches: tuple[int, ...]) -> NDArray[np.float64]:
        """What turns each row's sum of squared products into its share of the predicted KL."""
        if batches not in self._kl_shares:
            in_batch = self._loss_tokens[self.take(self.batch, batches)].astype(np.float64)
            self._kl_shares[batches] = 0.5 * np.square(in_batch) / self._loss_tokens[list(batches)].sum()
        return self._kl_shares[batches]


@dataclasses.dataclass(frozen=True, slots=True)
class _Product:
    """One product of a group's inputs and weights, and the cases that it serves."""

    weight: FormatQuantizers | None
    """How the weights are quantized; None: not at all."""
    serves: tuple[tuple[FormatSize, Side], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class _InputVariant:
    """One way in which a group's input is quantized, and the products that it enters."""

    batches: tuple[int, ...]
    """The scored batches that any of its cases needs."""
    maxima: tuple[tuple[tuple[int, ...], float], ...]
    """Batches that are quantized together, with their absolute maximum; empty: not quantized at all."""
    quantizers: FormatQuantizers | None
    """A format that quantizes inputs this way; None: not quantized at all."""
    products: tuple[_Product, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class _RowSums:
    """Per row of a capture: the root of its sum of squared products, and whether a product was clamped."""

    norms: NDArray[np.float64]
    saturated: NDArray[np.bool_]


def describe_rows(plan: RunPlan, batches: Sequence[TokenBatch], scored: Sequence[int]) -> Rows:
    """Number the rows of a capture by batch and by caption."""
    batch_of, sample_of = [], []
    for index in scored:
        counts = batches[index].counted.sum(dim=1).cpu().numpy()
        batch_of.append(np.full(int(counts.sum()), index))
        sample_of.append(np.repeat(np.arange(len(counts)) + plan.batches[index].start, counts))
    loss_tokens = np.array([batch.loss_tokens for batch in batches], dtype=np.int64)
    return Rows(np.concatenate(batch_of), np.concatenate(sample_of), loss_tokens)


@torch.inference_mode()
def replay(
    captured: Captured,
    loaded: LoadedModel,
    plan: RunPlan,
    rows: Rows,
    formats: Mapping[str, FormatQuantizers],
    progress: Progress = silent,
    *,
    shared: ScoreFiles | None = None,
    chunk_elements: int | None = None,
) -> dict[FormatSize, list[GroupScore]]:
    """Score every group for every case whose format has quantizers; the capture is emptied on the way.

    With `shared`, several processes score each group once between them. Fewer `chunk_elements` take less memory.
    """
    work = _Replay(captured, loaded, plan, rows, formats, chunk_elements)
    groups = captured.layout.groups
    found: list[_GroupScores] = []
    if shared is None:
        for scores in one_behind(map(work.begin, work.rows()), _Begun.finish):
            found.append(scores)
            progress("replay", len(found), len(groups))
    else:
        told = [0]

        def score(index: int) -> Callable[[], None]:
            begun = work.begin(captured.take(groups[index]))

            def write() -> None:
                shared.write(index, begun.finish())
                told.append(shared.count())
                progress("replay", told[-1], len(groups))

            return write

        do_each_once(range(len(groups)), shared.has, score, shared.lock)
        if told[-1] < len(groups):
            progress("replay", len(groups), len(groups))
        found = [shared.read(index, group, work.wanted) for index, group in enumerate(groups)]
    return {each: [scores[each] for scores in found] for each in work.wanted}


class _Replay:
    """What the work on every group shares."""

    def __init__(
        self,
        captured: Captured,
        loaded: LoadedModel,
        plan: RunPlan,
        rows: Rows,
        formats: Mapping[str, FormatQuantizers],
        chunk_elements: int | None,
    ) -> None:
        keys = dict.fromkeys((format_key(case), size_key(case)) for case in plan.cases)
        self.wanted = [key for key in keys if key[0] in formats]
        self._captured = captured
        self._loaded = loaded
        self._plan = plan
        self._rows = rows
        self._formats = formats
        self._chunk_elements = chunk_elements
        self._maxima = dict(zip((group.name for group in captured.layout.groups), captured.maxima(), strict=True))

    def rows(self) -> Iterator[GroupRows]:
        """What every group saw; from disk, while the group before is worked on."""
        taken = map(self._captured.take, self._captured.layout.groups)
        return one_ahead(taken) if self._captured.on_disk else taken

    def begin(self, seen: GroupRows) -> _Begun:
        """Start the work on a group; on a GPU it goes on while others begin."""
        maxima = self._maxima[seen.group.name]
        variants = _input_variants(self._plan, self._formats, self.wanted, maxima)
        work = None
        if seen.complete:
            modules = [self._loaded.model.get_submodule(name) for name in seen.group.members]
            with current(modules[0].weight.device):
                work = _GroupWork(seen, modules, self._rows, variants, self._chunk_elements)
        return _Begun(seen.group, self._plan, self._rows, variants, work)


class _Begun:
    """A group whose products are under way."""

    def __init__(
        self, group: Group, plan: RunPlan, rows: Rows, variants: Sequence[_InputVariant], work: _GroupWork | None
    ) -> None:
        self._group = group
        self._plan = plan
        self._rows = rows
        self._variants = variants
        self._work = work

    def finish(self) -> _GroupScores:
        """Wait for the products, and make the scores of them."""
        products = [each for variant in self._variants for each in variant.products]
        if self._work is None:
            nothing = _RowSums(np.zeros(len(self._rows.batch)), np.zeros(len(self._rows.batch), dtype=bool))
            sums = [nothing] * len(products)
        else:
            sums = self._work.row_sums()
        found: dict[FormatSize, dict[Side, _RowSums]] = {}
        for each, values in zip(products, sums, strict=True):
            for key, side in each.serves:
                found.setdefault(key, {})[side] = values
        return {
            key: _group_score(self._group, self._plan.sizes[key[1]], self._rows, sides, self._work)
            for key, sides in found.items()
        }


def _input_variants(
    plan: RunPlan,
    formats: Mapping[str, FormatQuantizers],
    wanted: Iterable[FormatSize],
    maxima: NDArray[np.float32],
) -> list[_InputVariant]:
    """Formats and sizes that see the same quantized input share it: the same format, the same maximum."""
    sharing: dict[tuple[str | None, float | None], list[tuple[FormatSize, Side]]] = {}
    for each in wanted:
        quantizers, size = formats[each[0]], plan.sizes[each[1]]
        if quantizers.input_key is None:
            sharing.setdefault((None, None), []).append((each, "both"))
            continue
        maximum = float(maxima[list(size.calibrated)].max()) if quantizers.calibrated else None
        sharing.setdefault((quantizers.input_key, maximum), []).extend([(each, "both"), (each, "activations")])
        sharing.setdefault((None, None), []).append((each, "weights"))
    return [_variant(key, members, plan, formats, maxima) for key, members in sharing.items()]


def _variant(
    key: tuple[str | None, float | None],
    members: Sequence[tuple[FormatSize, Side]],
    plan: RunPlan,
    formats: Mapping[str, FormatQuantizers],
    maxima: NDArray[np.float32],
) -> _InputVariant:
    input_key, maximum = key
    batches = tuple(sorted({index for (_, size), _ in members for index in plan.sizes[size].scored}))
    if input_key is None:
        together: tuple[tuple[tuple[int, ...], float], ...] = ()
    elif maximum is not None:
        together = ((batches, maximum),)
    else:
        together = tuple(((index,), float(maxima[index])) for index in batches)
    by_weight: dict[str | None, list[tuple[FormatSize, Side]]] = {}
    for each, side in members:
        weight_key = None if side == "activations" else formats[each[0]].weight_key
        by_weight.setdefault(weight_key, []).append((each, side))
    products = tuple(
        _Product(None if weight_key is None else formats[served[0][0][0]], tuple(served))
        for weight_key, served in by_weight.items()
    )
    quantizers = None if input_key is None else formats[members[0][0][0]]
    return _InputVariant(batches, together, quantizers, products)


def _group_score(
    group: Group, size: SizePlan, rows: Rows, sides: Mapping[Side, _RowSums], work: _GroupWork | None
) -> GroupScore:
    sums = sides["both"]
    samples = rows.take(rows.sample, size.scored)
    squares = np.square(rows.take(sums.norms, size.scored))
    sample_scores = _per_sample(samples, squares, size.scored_samples)
    sample_kl = _per_sample(samples, squares * rows.kl_shares(size.scored), size.scored_samples)
    status: Status = "scored"
    if not np.isfinite(squares).all():
        status = "non_finite"
    elif rows.take(sums.saturated, size.scored).any():
        status = "saturated"
    elif not squares.any() and (work is None or not work.exercised(size.scored)):
        status = "not_exercised"
    return GroupScore(
        group=group,
        score=float(sample_scores.sum()),
        predicted_kl=float(sample_kl.sum()),
        sample_scores=sample_scores,
        sample_kl=sample_kl,
        status=status,
        split=_split(size, rows, sides) if len(sides) > 1 else None,
    )


def _split(size: SizePlan, rows: Rows, sides: Mapping[Side, _RowSums]) -> Split:
    weights, activations = (
        float(np.square(rows.take(sides[side].norms, size.scored)).sum()) for side in ("weights", "activations")
    )
    return Split(weights, activations)


def _per_sample(samples: NDArray[np.int64], values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    return np.bincount(samples, weights=values, minlength=count).astype(np.float64)


class _GroupWork:
    """One group's captured rows in float32, and the products that its scores are made of."""

    def __init__(
        self,
        seen: GroupRows,
        modules: Sequence[Any],
        rows: Rows,
        variants: Sequence[_InputVariant],
        chunk_elements: int | None,
    ) -> None:
        self._rows = rows
        self._variants = variants
        # In float32 even where the model is not: rounding a difference to bfloat16 inflates scores.
        self._own_weights = [module.weight.detach() for module in modules]
        self._device = self._own_weights[0].device
        self._chunk_elements = chunk_elements or CHUNK_ELEMENTS[self._device.type]
        self._inputs = self._float(seen.inputs)
        self._gradients = _joined([self._float(seen.gradients[name]) for name in seen.group.members], dim=1)
        self._quantized: dict[str, Tensor] = {}
        self._norms_on_host, self._arrived = _under_way(self._stacked(_norm))
        self._forget()

    def exercised(self, batches: tuple[int, ...]) -> bool:
        """Whether in the batches' rows both the inputs and the gradients are more than zeros."""
        runs = self._rows.runs(batches)
        return all(any(bool(each[run].any()) for run in runs) for each in (self._inputs, self._gradients))

    def row_sums(self) -> list[_RowSums]:
        """For every product of every variant: each row's sum of squares, as its root."""
        if self._arrived is not None:
            self._arrived.synchronize()
        found = self._norms_on_host.numpy().astype(np.float64)
        if np.all(found < SATURATION):
            return [_RowSums(each, np.zeros(len(each), dtype=bool)) for each in found]
        # Rare, so only now is it worth looking at single products, as ModelOpt always does.
        with current(self._device):
            clamped, full = self._stacked(_clamped_norm), self._stacked(_any_saturated)
        self._forget()
        pairs = zip(clamped.cpu().numpy().astype(np.float64), full.cpu().numpy() > 0, strict=True)
        return [_RowSums(each, saturated) for each, saturated in pairs]

    def _float(self, parts: Sequence[Tensor]) -> Tensor:
        """The rows of all batches, in float32 where the weights are."""
        return torch.cat([part.to(self._device, non_blocking=True) for part in parts]).float()

    def _stacked(self, reduce: Callable[[Tensor], Tensor]) -> Tensor:
        return torch.stack([each for variant in self._variants for each in self._norms(variant, reduce)])

    def _forget(self) -> None:
        """Let go of what can be computed again: the next group begins before this one ends."""
        self._quantized.clear()
        for name in ("_weights", "_weight", "_unquantized"):
            self.__dict__.pop(name, None)

    def _norms(self, variant: _InputVariant, reduce: Callable[[Tensor], Tensor]) -> Iterator[Tensor]:
        runs = self._rows.runs(variant.batches)
        quantized = self._quantized_inputs(variant) if variant.maxima else None
        for each in variant.products:
            result = torch.zeros(len(self._inputs), device=self._inputs.device)
            weight = self._weight if each.weight is None else self._quantized_weight(each.weight)
            if quantized is None:
                weight = weight - self._weight
            for part in _chunks(runs, self._chunk_elements // len(weight)):
                difference = self._difference(part, quantized, weight, alone=each.weight is None)
                result[part] = reduce(difference.mul_(self._gradients[part]))
            yield result

    def _difference(self, part: slice, quantized: Tensor | None, weight: Tensor, *, alone: bool) -> Tensor:
        """What quantizing changes of the output; `weight` is a change itself where inputs stay as they are."""
        if quantized is None:
            return product(self._inputs[part], weight)
        if alone:
            return product(quantized[part] - self._inputs[part], weight)
        return product(quantized[part], weight).sub_(self._unquantized[part])

    def _quantized_inputs(self, variant: _InputVariant) -> Tensor:
        quantizers = variant.quantizers
        assert quantizers is not None  # noqa: S101  a variant with maxima has them
        result = torch.empty_like(self._inputs)
        for batches, maximum in variant.maxima:
            # Filled in, where a copy from the host would wait for the device.
            amax = torch.full((), maximum, device=self._device)
            for part in self._rows.runs(batches):
                result[part] = quantizers.quantize_input(self._inputs[part], amax)
        return result

    def _quantized_weight(self, quantizers: FormatQuantizers) -> Tensor:
        found = self._quantized.get(quantizers.weight_key)
        if found is None:
            found = _joined([quantizers.quantize_weight(weight) for weight in self._weights])
            self._quantized[quantizers.weight_key] = found
        return found

    @functools.cached_property
    def _weights(self) -> list[Tensor]:
        return [weight.float() for weight in self._own_weights]

    @functools.cached_property
    def _weight(self) -> Tensor:
        return _joined(self._weights)

    @functools.cached_property
    def _unquantized(self) -> Tensor:
        return product(self._inputs, self._weight)


def _joined(parts: list[Tensor], dim: int = 0) -> Tensor:
    """Concatenate without a copy where there is but one part."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=dim)


def _under_way(values: Tensor) -> tuple[Tensor, torch.cuda.Event | None]:
    """A copy on the host; from a GPU it is there once the event has happened."""
    host = to_host(values)
    if values.device.type != "cuda":
        return host, None
    event = torch.cuda.Event()
    event.record(torch.cuda.current_stream(values.device))
    return host, event


def _chunks(runs: Iterable[slice], limit: int) -> Iterator[slice]:
    limit = max(limit, 1)
    for run in runs:
        rows = run.stop - run.start
        # Even parts: a short rest at the end would be a slow product.
        step = -(-rows // -(-rows // limit))
        for start in range(run.start, run.stop, step):
            yield slice(start, min(start + step, run.stop))


def _norm(products: Tensor) -> Tensor:
    result: Tensor = torch.linalg.vector_norm(products, dim=1)
    return result


def _clamped_norm(products: Tensor) -> Tensor:
    return _norm(products.clamp_(-SATURATION, SATURATION))


def _any_saturated(products: Tensor) -> Tensor:
    return (products.abs_() >= SATURATION).any(dim=1).float()
