"""The reference: ModelOpt's own `auto_quantize`, one case at a time, on a fresh model each."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any

from auto_quantize_model.engine.capture.batches import TokenBatch, causal_loss
from auto_quantize_model.errors import CaseError, one_line
from auto_quantize_model.precision.formats import UNQUANTIZED_BITS
from auto_quantize_model.precision.fp4 import static_blocks_on_cpu
from auto_quantize_model.precision.quantizers import modelopt_config
from auto_quantize_model.precision.quiet import modelopt_quiet
from auto_quantize_model.scores import GroupScore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch

    from auto_quantize_model.cases.settings import AutoQuantSettings
    from auto_quantize_model.engine.capture.groups import Layout
    from auto_quantize_model.families.loaded import LoadedModel
    from auto_quantize_model.plan import SizePlan
    from auto_quantize_model.precision.formats import ResolvedFormat
    from auto_quantize_model.scores import Status

_RECIPE_SUFFIX = ".quant_recipe"


def score_with_modelopt(
    loaded: LoadedModel,
    layout: Layout,
    batches: Sequence[TokenBatch],
    size: SizePlan,
    resolved: ResolvedFormat,
    autoquant: AutoQuantSettings,
) -> list[GroupScore]:
    """Score one case. The model is converted in place: it must not be used again."""
    stats = _candidate_stats(loaded, [batches[index] for index in size.calibrated], size, resolved, autoquant)
    return [_group_score(group, stats) for group in layout.groups]


def _candidate_stats(
    loaded: LoadedModel,
    batches: Sequence[TokenBatch],
    size: SizePlan,
    resolved: ResolvedFormat,
    autoquant: AutoQuantSettings,
) -> dict[str, dict[str, Any]]:
    import modelopt.torch.quantization as mtq

    gradient = autoquant.method == "gradient"
    try:
        with modelopt_quiet(), static_blocks_on_cpu(), _restored_process_state():
            _, state = mtq.auto_quantize(
                loaded.model,
                # ModelOpt counts layers that it may not quantize into the budget; the search here does not.
                constraints={"effective_bits": UNQUANTIZED_BITS},
                quantization_formats=[modelopt_config(resolved, loaded.device)],
                data_loader=list(batches),
                forward_step=_forward if gradient else _forward_logits,
                loss_func=_loss if gradient else None,
                num_calib_steps=len(batches),
                num_score_steps=len(size.scored),
                disabled_layers=loaded.disabled_layers(),
                method=autoquant.method,
                verbose=False,
            )
    except Exception as error:
        raise CaseError(f"ModelOpt cannot score format '{resolved.name}': {one_line(error)}") from error
    stats: dict[str, dict[str, Any]] = state["candidate_stats"]
    return stats


def _group_score(group: Any, stats: dict[str, dict[str, Any]]) -> GroupScore:
    its_stats = stats.get(group.name + _RECIPE_SUFFIX)
    if its_stats is None:
        raise CaseError(f"ModelOpt did not score '{group.name}': its groups are not those of this version's rules")
    if set(its_stats["module_names"]) != set(group.members):
        raise CaseError(f"ModelOpt groups '{group.name}' with other layers than its own rules say")
    # The format's score comes first, then that of NONE, which is zero.
    score = float(its_stats["scores"][0])
    return GroupScore(
        group=group,
        score=score,
        predicted_kl=None,
        sample_scores=None,
        sample_kl=None,
        status=_status(score),
    )


def _status(score: float) -> Status:
    if not math.isfinite(score):
        return "non_finite"
    # ModelOpt's zero does not tell whether nothing was lost or nothing was measured, so it counts as the latter.
    return "scored" if score else "not_exercised"


def _forward(model: Any, batch: TokenBatch) -> Any:
    return model(**batch.inputs, use_cache=False)


def _forward_logits(model: Any, batch: TokenBatch) -> Any:
    return model(**batch.inputs, use_cache=False).logits


def _loss(output: Any, batch: TokenBatch) -> torch.Tensor:
    return causal_loss(output.logits, batch)


@contextlib.contextmanager
def _restored_process_state() -> Iterator[None]:
    """Undo what `auto_quantize` leaves behind in the process when it fails midway."""
    from modelopt.torch.quantization import model_calib

    folding = model_calib._ENABLE_FOLDING_PQS_TO_WEIGHTS
    try:
        yield
    finally:
        model_calib._ENABLE_FOLDING_PQS_TO_WEIGHTS = folding
