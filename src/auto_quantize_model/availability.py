"""Whether a case can run on this machine at all: its device and its checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auto_quantize_model.errors import UnavailableError
from auto_quantize_model.paths import shown

if TYPE_CHECKING:
    from pathlib import Path

    from auto_quantize_model.cases.suite import Case


def why_unavailable(case: Case, device: str | None, path: Path | None) -> str | None:
    """Say what a case lacks on this machine; None when nothing. `device` and `path` are what the user asked for."""
    from auto_quantize_model.precision.capability import find_device

    reasons = []
    try:
        find_device(device or case.autoquant.device, case.model.devices)
    except UnavailableError as error:
        reasons.append(str(error))
    # A folder that the user names must be there; that its model was never fetched is no mistake.
    if path is None and not has_checkpoint(case):
        reasons.append(f"no checkpoint in {shown(case.checkpoint)}{_how_to_get(case)}")
    return "; ".join(reasons) or None


def has_checkpoint(case: Case) -> bool:
    """Whether the model's own checkpoint folder is there; whether it is whole shows when it is read."""
    return case.checkpoint.is_dir()


def _how_to_get(case: Case) -> str:
    if case.model.hub_id is None:
        return ""
    return f": hf download {case.model.hub_id} --local-dir {shown(case.checkpoint)}"
