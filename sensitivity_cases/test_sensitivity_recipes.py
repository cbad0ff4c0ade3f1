"""Every recipe of the suite is two tests: it follows from the manifests, and it is as good as it was measured to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from auto_quantize_model.plugin.recipe_check import RecipeCheck


def test_recipe_drift(sensitivity_recipe: RecipeCheck) -> None:
    """The committed recipe is still what the committed manifests give. No torch."""
    sensitivity_recipe.check_drift()


# A warning of torch or transformers, in whatever version is installed, says nothing about a recipe.
@pytest.mark.filterwarnings("default")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.gpu
def test_recipe_measured(sensitivity_recipe: RecipeCheck) -> None:
    """Quantized by it, the model still diverges as little as committed, and no pair alone is better."""
    sensitivity_recipe.check_measured()
