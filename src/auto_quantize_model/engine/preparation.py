"""Everything about a pass that can be checked before its model is loaded."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch

from auto_quantize_model.checkpoints.locate import locate
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.engine.machine.operands import choose_operands
from auto_quantize_model.errors import CaseError, NotCoveredError
from auto_quantize_model.plan import format_key
from auto_quantize_model.precision.capability import Kernels, check_format, find_device
from auto_quantize_model.precision.formats import resolve_format
from auto_quantize_model.precision.importing import import_modelopt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from auto_quantize_model.cases.settings import PairSettings
    from auto_quantize_model.cases.suite import Case
    from auto_quantize_model.checkpoints.checkpoint import Checkpoint
    from auto_quantize_model.engine.capture.settings import CaptureSettings
    from auto_quantize_model.engine.machine.operands import Operands
    from auto_quantize_model.engines import EngineName
    from auto_quantize_model.measuring import MeasureSettings
    from auto_quantize_model.plan import PassPlan
    from auto_quantize_model.precision.formats import ResolvedFormat
    from auto_quantize_model.precision.quantizers import FormatQuantizers


@dataclasses.dataclass(frozen=True, slots=True)
class PreparedFormat:
    """A pair's format, ready to run on the device."""

    resolved: ResolvedFormat
    quantizers: FormatQuantizers | None
    """None for the engine that lets ModelOpt build them itself, and where workers of a cluster have them."""
    kernels: Kernels
    by_module: bool = False
    """Whether replay runs it as modules, which are never rounded."""


@dataclasses.dataclass(frozen=True, slots=True)
class PreparedPass:
    """One pass, ready to load its model."""

    plan: PassPlan
    engine: EngineName
    device: torch.device
    checkpoint: Checkpoint
    formats: Mapping[str, PreparedFormat]
    """By the formats' keys in the plan."""
    refused: Mapping[str, str]
    """Formats that cannot run here, with the reason."""
    captures: CaptureSettings
    measure: MeasureSettings
    operands: Operands
    """What replay's products may be rounded to."""


def prepare(
    plan: PassPlan,
    engine: EngineName,
    device: str | None,
    paths: Mapping[str, Path],
    captures: CaptureSettings,
    measure: MeasureSettings,
) -> PreparedPass:
    """Find the device and the checkpoint, and resolve every format; `device` and `paths` win over the settings."""
    import_modelopt()
    first = plan.cases[0]
    run_on = find_device(device or first.autoquant.device, first.model.devices)
    if run_on.index is not None:
        # Kernels that ModelOpt compiles run on the current device, wherever their tensors are.
        torch.cuda.set_device(run_on)
    # Replay has no shortcut for the KL method: each group must really be quantized and run.
    actual: EngineName = engine if first.autoquant.method == "gradient" else "modelopt"
    formats: dict[str, PreparedFormat] = {}
    refused: dict[str, str] = {}
    for key, pair in {format_key(case): case.pair for case in plan.cases}.items():
        try:
            formats[key] = _prepare_format(pair, actual, run_on)
        except CaseError as error:
            refused[key] = str(error)
    located = locate(first, paths.get(first.model.name))
    checkpoint = open_checkpoint(located.path, located.fix)
    operands = operands_of(first, actual, run_on)
    return PreparedPass(plan, actual, run_on, checkpoint, formats, refused, captures, measure, operands)


def operands_of(case: Case, engine: EngineName, device: torch.device) -> Operands:
    """What the products of a case are rounded to where it runs."""
    if engine != "replay":
        return "float32"
    return choose_operands(case.autoquant.replay_precision, case.model.dtype, device)


def _prepare_format(pair: PairSettings, engine: EngineName, device: torch.device) -> PreparedFormat:
    try:
        resolved = resolve_format(pair.format)
    except CaseError as error:
        raise CaseError(f"conf/quant_pair/{pair.name}.yaml: {error}") from None
    try:
        quantizers, kernels = check_format(resolved, device)
    except NotCoveredError:
        if engine == "replay":
            raise
        return PreparedFormat(resolved, None, Kernels("modelopt", "modelopt"))
    return PreparedFormat(resolved, quantizers, kernels, quantizers.by_module)
