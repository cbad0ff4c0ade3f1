"""Is every number on this device what it should be: the FP4 formats, the scores, the embedded matrix."""

from __future__ import annotations

import concurrent.futures
import json
import warnings
from typing import TYPE_CHECKING

import torch

from auto_quantize_model import load_suite
from auto_quantize_model.baselines.store import baseline_manifest
from auto_quantize_model.comparison.compare import compare
from auto_quantize_model.errors import CaseError
from auto_quantize_model.precision.capability import check_format
from auto_quantize_model.precision.formats import resolve_format
from auto_quantize_model.precision.fp4 import mxfp4, nvfp4
from benchmarks import fp4_comparison
from benchmarks.fp4_comparison import DTYPES, KINDS, UNIT_AMAX, decided, differences, inputs
from benchmarks.gpu_check.stages import one_line, shortened
from benchmarks.gpu_check.table import Row, short
from benchmarks.measuring import manifest_of, run, worst_difference
from benchmarks.places import SUITE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.fp4_comparison import Differences, Mxfp4, Nvfp4
    from benchmarks.gpu_check.shared import Shared


LIMIT = 1e-4
"""In float32 on one device, replay's scores are ModelOpt's within this share."""


def kernels(shared: Shared) -> Iterator[Row]:
    """Build ModelOpt's CUDA extensions, all at once, and say which kernel runs for each pair."""
    from modelopt.torch.quantization import extensions

    builders = (extensions.get_cuda_ext, extensions.get_cuda_ext_fp8, extensions.get_cuda_ext_mx)
    with warnings.catch_warnings(record=True) as caught, concurrent.futures.ThreadPoolExecutor() as pool:
        warnings.simplefilter("always")
        built = [extension is not None for extension in pool.map(lambda build: build(), builders)]
    yield Row("ModelOpt's CUDA extensions", f"{sum(built)} of {len(built)} built")
    for each in caught:
        yield Row("  a warning at that", shortened(str(each.message)))
    for pair in shared.suite.pairs:
        try:
            _, used = check_format(resolve_format(pair.format), torch.device(shared.device.name))
        except CaseError as error:
            yield Row(pair.name, str(error), ok=False)
        else:
            yield Row(pair.name, f"weights: {used.weight}, inputs: {used.input}")


def fp4(shared: Shared) -> Iterator[Row]:
    """Our FP4 formats against ModelOpt's kernels, bit for bit; in a rehearsal against its storage classes."""
    compare_formats = {"cuda": _against_kernels, "cpu": _against_storage_classes}[shared.device.name]
    for what, found in compare_formats():
        try:
            yield _fp4_row(what, list(found))
        except Exception as error:  # noqa: BLE001  a kernel that fails must not hide the other's result
            yield Row(what, one_line(error), "the same", ok=False)


def reference(shared: Shared) -> Iterator[Row]:
    """Replay against `mtq.auto_quantize` in float32."""
    cases = shared.suite.select(shared.scale.reference)
    ours, theirs = (run(cases, engine, shared.device.name) for engine in ("replay", "modelopt"))
    for mine, other in zip(ours, theirs, strict=True):
        worst = worst_difference([mine], [other])
        yield Row(short(mine.case), worst, f"{LIMIT:g}", worst <= LIMIT)


def bfloat16(shared: Shared) -> Iterator[Row]:
    """Both engines on the same model in bfloat16, against ModelOpt in float32.

    ModelOpt takes its differences in bfloat16 then, and is off by that rounding. Replay takes them in float32: for
    pairs that leave activations alone, what is left is the rounding of the model's own inputs and gradients.
    """
    narrow = load_suite(SUITE, overrides=["suite.models=[qwen3_vl_tiny]", "model.dtype=bfloat16"])
    cases = narrow.select(shared.scale.bfloat16)
    exact = run(shared.suite.select(shared.scale.bfloat16), "modelopt", shared.device.name)
    ours, theirs = (run(cases, engine, shared.device.name) for engine in ("replay", "modelopt"))
    for mine, other, right in zip(ours, theirs, exact, strict=True):
        off = [f"{worst_difference([each], [right]):.1e}" for each in (mine, other)]
        yield Row(f"{short(mine.case)}, off float32", f"replay {off[0]}, ModelOpt {off[1]}", "no limit")


def baselines(shared: Shared) -> Iterator[Row]:
    """The embedded matrix against what is committed."""
    bands = set()
    for result in shared.embedded:
        # Read without the schema's check, which needs a library that a bare machine may lack.
        committed = json.loads(baseline_manifest(result.case).read_text(encoding="utf-8"))
        found = compare(committed, manifest_of(result), shared.suite.tolerances)
        bands.add(found.band.name)
        worst = 0.0 if found.worst is None else found.worst.distance
        within = found.verdict in ("identical", "within_noise")
        yield Row(short(result.case), f"{found.verdict}, {worst:.1e}", f"{found.band.group:g}", within)
    yield Row("tolerances", ", ".join(sorted(bands)))


def _fp4_row(what: str, found: Sequence[Differences]) -> Row:
    values, left_out, differ = (sum(getattr(each, key) for each in found) for key in ("values", "left_out", "differ"))
    first = next((f"; first {each.first}" for each in found if each.first), "")
    text = f"{differ} of {values} differ, {left_out} left out{first}"
    return Row(f"{what}, {len(found)} tensors", text, "the same", all(each.none for each in found))


def _against_kernels() -> Iterator[tuple[str, Iterator[Differences]]]:
    yield "NVFP4 on GPU", _nvfp4(fp4_comparison.nvfp4_kernel, "cuda", KINDS)
    yield "NVFP4 on CPU", _nvfp4_on_cpu(fp4_comparison.nvfp4_kernel, "cuda")
    yield "MXFP4 on GPU", _mxfp4(fp4_comparison.mxfp4_kernel, "cuda", "cuda", (*KINDS, "tied"), DTYPES)
    yield "MXFP4 on CPU", _mxfp4(fp4_comparison.mxfp4_kernel, "cuda", "cpu", (*KINDS, "tied"), DTYPES)


def _against_storage_classes() -> Iterator[tuple[str, Iterator[Differences]]]:
    # Where the classes differ from the kernels (partial blocks, zeros, MXFP4's ties) is left to the tests.
    yield "NVFP4", _nvfp4(lambda: fp4_comparison.nvfp4_qtensor, "cpu", ("random", "negative"), width=1024)
    yield "NVFP4, given a maximum", _nvfp4_on_cpu(lambda: fp4_comparison.nvfp4_qtensor, "cpu", width=1024)
    one = DTYPES[:1]
    yield "MXFP4", _mxfp4(lambda: fp4_comparison.mxfp4_qtensor, "cpu", "cpu", ("random", "negative"), one, width=1024)


def _nvfp4(get: Callable[[], Nvfp4], device: str, kinds: Sequence[str], width: int = 1000) -> Iterator[Differences]:
    theirs = get()
    for dtype in DTYPES:
        for kind in kinds:
            values = inputs(kind, dtype, device, width)
            amax = values.abs().amax()
            yield differences(values, nvfp4(values, amax), theirs(values, amax), decided(values, amax))
        values, amax = fp4_comparison.tied_inputs(dtype, device), torch.tensor(UNIT_AMAX, device=device)
        yield differences(values, nvfp4(values, amax), theirs(values, amax))


def _nvfp4_on_cpu(get: Callable[[], Nvfp4], device: str, width: int = 1000) -> Iterator[Differences]:
    theirs = get()
    for dtype in DTYPES:
        values = inputs("random", dtype, device, width)
        amax = values.abs().amax()
        ours = nvfp4(values.cpu(), amax.cpu()).to(device)
        yield differences(values, ours, theirs(values, amax), decided(values, amax))


def _mxfp4(
    get: Callable[[], Mxfp4],
    device: str,
    where: str,
    kinds: Sequence[str],
    dtypes: Sequence[torch.dtype],
    width: int = 1000,
) -> Iterator[Differences]:
    theirs = get()
    for dtype in dtypes:
        for kind in kinds:
            values = inputs(kind, dtype, device, width)
            yield differences(values, mxfp4(values.to(where)).to(device), theirs(values))
