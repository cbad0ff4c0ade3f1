"""`bits-against-kl.svg`: what the pairs and the recipes of a model cost, against the bits that they take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auto_quantize_model.manifest.document import mapping
from auto_quantize_model.pictures.bits_plot import WIDTH, BitsPlot, Point
from auto_quantize_model.pictures.svg import Drawing
from auto_quantize_model.reports.model_cases import bits, total

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auto_quantize_model.reports.model_cases import ModelCases

NAME = "bits-against-kl.svg"

_TOP, _END = 84.0, 424.0


def render(cases: ModelCases) -> str:
    """The figure as text."""
    points = [point for point in _points(cases) if point.cost]
    title = f"{cases.model}: bits against KL"
    told = "; ".join(point.told for point in points)
    drawing = Drawing(WIDTH, title, f"KL per token against effective bits. {told}.")
    drawing.text(14, 26, title, "h")
    drawing.text(14, 46, "nats per token (logarithmic) of the whole model, at the largest size published", "m s")
    plot = BitsPlot(points, (pareto for _, pareto in cases.recipes.values()), _TOP, _END)
    return drawing.render(plot.draw(drawing))


def _points(cases: ModelCases) -> Iterator[Point]:
    for pair in cases.by_cost():
        manifest = cases.largest(pair)
        predicted, interval = total(manifest)
        yield Point(pair, bits(manifest), predicted, interval, mapping(manifest, "measured").get("kl"), False)
    for name, (recipe, _) in cases.recipes.items():
        measured = mapping(recipe, "measured").get("kl")
        interval = recipe.get("predicted_kl_ci95")
        yield Point(name, recipe["effective_bits"], recipe["predicted_kl"], interval, measured, True)
