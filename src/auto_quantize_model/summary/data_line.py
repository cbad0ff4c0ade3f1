"""What a suite calibrates on that says nothing of it: nobody should have to find out afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auto_quantize_model.cases.builtin import builtin_folder
from auto_quantize_model.paths import display_path

if TYPE_CHECKING:
    from auto_quantize_model.cases.suite import Suite


def data_line(suite: Suite) -> str | None:
    """The line for a suite that names no dataset; None for one that names what each of its models calibrates on."""
    if not suite.data_unnamed:
        return None
    case = max(suite.data_unnamed, key=lambda each: each.dataset.samples(each.size))
    source, count = case.captions, case.dataset.samples(case.size)
    built_in = source.files[0].resolve().is_relative_to(builtin_folder().resolve())
    where = f"the package's {source.name}" if built_in else ", ".join(map(display_path, source.files))
    return f"calibrates on {case.dataset.name} ({count} captions in {where}); {suite.path.name} names no dataset"
