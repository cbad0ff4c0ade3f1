"""Whether a case can run on this machine at all: its device and its checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auto_quantize_model.checkpoints.locate import locate
from auto_quantize_model.errors import UnavailableError

if TYPE_CHECKING:
    from pathlib import Path

    from auto_quantize_model.cases.suite import Case


def why_unavailable(case: Case, device: str | None, path: Path | None, *, here: bool = True) -> str | None:
    """Say what a case lacks on this machine; None when nothing. `device` and `path` are what the user asked for.

    What runs elsewhere, and not `here`, needs a checkpoint here too, and no device.
    """
    from auto_quantize_model.precision.capability import find_device

    reasons = []
    try:
        if here:
            find_device(device or case.autoquant.device, case.model.devices)
    except UnavailableError as error:
        reasons.append(str(error))
    try:
        # A place that the user names must be there; that its model was never fetched is no mistake.
        locate(case, path)
    except UnavailableError as error:
        reasons.append(str(error))
    return "; ".join(reasons) or None
