"""Per-layer quantization sensitivity of LLMs and VLMs: every precision from one pass over the model.

Importing this package imports neither torch nor pytest; `run_cases` imports torch when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auto_quantize_model.cases.suite import Case, Suite, load_suite
    from auto_quantize_model.engine.capture.settings import CaptureSettings
    from auto_quantize_model.errors import CaseError, InputError
    from auto_quantize_model.recipes.exports.quant_cfg import read_quant_cfg
    from auto_quantize_model.recipes.recipe import Recipe, solve_recipe
    from auto_quantize_model.reporting import Notice, Progress
    from auto_quantize_model.result_rows import to_rows
    from auto_quantize_model.run import CaseResult, run_cases

__all__ = [
    "CaptureSettings",
    "Case",
    "CaseError",
    "CaseResult",
    "InputError",
    "Notice",
    "Progress",
    "Recipe",
    "Suite",
    "load_suite",
    "read_quant_cfg",
    "run_cases",
    "solve_recipe",
    "to_rows",
]

_HOMES = {
    "CaptureSettings": "engine.capture.settings",
    "Case": "cases.suite",
    "CaseError": "errors",
    "CaseResult": "run",
    "InputError": "errors",
    "Notice": "reporting",
    "Progress": "reporting",
    "Recipe": "recipes.recipe",
    "Suite": "cases.suite",
    "load_suite": "cases.suite",
    "read_quant_cfg": "recipes.exports.quant_cfg",
    "run_cases": "run",
    "solve_recipe": "recipes.recipe",
    "to_rows": "result_rows",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    from auto_quantize_model.collecting import collector_paused

    with collector_paused():
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
