"""Which tolerances hold between two manifests: tight on one machine, wide between a CPU and a GPU."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

from auto_quantize_model.comparison.differences import differences_in
from auto_quantize_model.manifest.document import mapping

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auto_quantize_model.cases.settings import Tolerances

BandName = Literal["same_environment", "default", "across_devices"]

MACHINE = ("environment", "engine")
"""The sections of a manifest that say where and with what it was made."""
_MOST_KEYS = 3


@dataclasses.dataclass(frozen=True, slots=True)
class ChosenBand:
    """The tolerances that hold, and why these."""

    name: BandName
    group: float
    total: float
    reason: str


def choose_band(old: Mapping[str, Any], new: Mapping[str, Any], tolerances: Tolerances) -> ChosenBand:
    """The band for what two manifests say of their machines; the default one where one of them says nothing."""
    devices = [mapping(each, "engine").get("device") for each in (old, new)]
    if None not in devices and devices[0] != devices[1]:
        wide = tolerances.between_devices
        return ChosenBand("across_devices", wide.group, wide.total, f"one is of {devices[0]}, one of {devices[1]}")
    silent = not all(mapping(each, key) for each in (old, new) for key in MACHINE)
    differing = list(differences_in(MACHINE, old, new))
    if not silent and not differing:
        tight = tolerances.within_environment
        return ChosenBand("same_environment", tight.group, tight.total, "the same versions on the same processor")
    middle = tolerances.default
    keys = ", ".join(each.key for each in differing[:_MOST_KEYS])
    reason = "not both say where they were made" if silent else f"other {keys}"
    return ChosenBand("default", middle.group, middle.total, reason)
