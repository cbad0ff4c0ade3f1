"""The figures of a model, which its index shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auto_quantize_model.pictures import bits_against_kl, by_size, heat_map

if TYPE_CHECKING:
    from auto_quantize_model.reports.model_cases import ModelCases

_RENDERERS = {
    bits_against_kl.NAME: bits_against_kl.render,
    heat_map.NAME: heat_map.render,
    by_size.NAME: by_size.render,
}
FIGURE_NAMES = tuple(_RENDERERS)
MEANINGS = {
    bits_against_kl.NAME: "What the pairs and recipes cost against the bits they take; the table below has the numbers",
    heat_map.NAME: "What each layer costs under each pair",
    by_size.NAME: "The total of each pair at each size, and whether its ten most sensitive groups are settled",
}
"""What each shows, for those who cannot see it."""


def render_figures(cases: ModelCases) -> dict[str, str]:
    """Each by its file name; none where no case has a predicted KL, since none could be drawn."""
    return {name: render(cases) for name, render in _RENDERERS.items()} if cases.predicted else {}
