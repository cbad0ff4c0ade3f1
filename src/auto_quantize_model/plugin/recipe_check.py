"""One guarded recipe in its tests: still what the manifests give, and still as good as it was measured to be."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from auto_quantize_model.baselines.index import write_index
from auto_quantize_model.commands import publish_command
from auto_quantize_model.comparison.measured_kl import agree
from auto_quantize_model.errors import CaseError, InputError
from auto_quantize_model.options import REPORT_ONLY
from auto_quantize_model.paths import display_path
from auto_quantize_model.plugin.failing import fail
from auto_quantize_model.plugin.passes import third_parties_quiet
from auto_quantize_model.recipes.files import recipe_files, write_recipe
from auto_quantize_model.recipes.guarding import (
    committed,
    committed_proof,
    drift,
    missing_manifests,
    publish_recipe,
    solve_committed,
)

if TYPE_CHECKING:
    from auto_quantize_model.cases.suite import RecipeCase, Suite
    from auto_quantize_model.plugin.options import Options
    from auto_quantize_model.plugin.output import Output
    from auto_quantize_model.recipes.proof import Proof
    from auto_quantize_model.recipes.recipe import Recipe

_MOST_LINES = 10


class RecipeCheck:
    """What a test gets for a recipe of the suite; every check fails the test with what to do next."""

    def __init__(self, recipe_case: RecipeCase, suite: Suite, options: Options, output: Output) -> None:
        self.case = recipe_case
        self._suite = suite
        self._options = options
        self._output = output

    @functools.cached_property
    def recipe(self) -> Recipe:
        """The recipe that the committed manifests give."""
        missing = missing_manifests(self.case)
        if missing:
            pytest.skip(f"{self.case.id}: no baseline of {missing[0].id} to solve it from")
        try:
            return solve_committed(self.case)
        except InputError as error:
            self._fail(str(error))

    def check_drift(self) -> None:
        """Fail unless the committed recipe is what the committed manifests give."""
        recipe = self.recipe
        document = self._committed()
        problems = list(drift(self.case, recipe, document))
        if problems:
            more = [f"and {len(problems) - _MOST_LINES} more"] if len(problems) > _MOST_LINES else []
            self._fail("\n".join([*problems[:_MOST_LINES], *more]), *self._without_measuring(recipe, document))

    def check_measured(self) -> None:
        """Fail unless the recipe measures as committed and no pair alone is better; while publishing, write it.

        Where only reports are made, nothing is measured: its files are made anew from what is committed.
        """
        if self._options.report_only:
            self._regenerate()
            return
        from auto_quantize_model.availability import why_unavailable

        first = self.case.cases[0]
        reason = why_unavailable(first, self._options.device, self._options.model_paths.get(first.model.name))
        if reason is not None:
            pytest.skip(f"{first.model.name}: {reason}")
        recipe = self.recipe
        try:
            with third_parties_quiet():
                proof = self._prove(recipe)
        except (InputError, CaseError) as error:
            fail(f"{self.case.id}: {error}")
        beaten = proof.beaten_by(recipe.solved.totals.effective_bits)
        if beaten is not None:
            fail(
                f"{self.case.id}: '{beaten.name}' alone has a measured KL of {beaten.kl:.4g} at "
                f"{beaten.effective_bits:.4g} bits, the recipe {proof.measured['kl']:.4g}: it is not worth having"
            )
        if self._options.publish:
            self._publish(recipe, proof)
            return
        self._compare(proof.measured)

    def _regenerate(self) -> None:
        recipe = self.recipe
        document = self._committed()
        try:
            proof = committed_proof(recipe, document)
        except InputError as error:
            self._fail(str(error))
        if self._options.publish:
            self._publish(recipe, proof)
            return
        try:
            write_recipe(self._output.folder / self.case.run_folder, recipe_files(recipe, proof))
        except InputError as error:
            fail(f"{self.case.id}: {error}")

    def _publish(self, recipe: Recipe, proof: Proof | None) -> None:
        try:
            publish_recipe(self.case, recipe, proof)
            write_index(self._suite, self.case.cases[0].model.name)
        except InputError as error:
            fail(f"{self.case.id}: not published: {error}")

    def _prove(self, recipe: Recipe) -> Proof:
        from auto_quantize_model.recipes.proving import Prover, held_out_captions, prove
        from auto_quantize_model.reporting import silent

        cases = {case.pair.name: case for case in self.case.cases}
        held_out = held_out_captions(self.case.cases[0], None)
        manifest = recipe.choice.sources[0].manifest
        prover = Prover(cases, self._options.device, self._options.model_paths, manifest, silent)
        return prove(recipe, prover, held_out)

    def _compare(self, measured: dict[str, Any]) -> None:
        old = self._committed()["measured"]
        if old is None:
            self._fail("the committed recipe was never measured")
        if old["captions"]["sha256"] != measured["captions"]["sha256"]:
            self._fail("it was measured on other captions")
        # A recipe does not say where it was measured.
        intervals = old["kl_ci95"], measured["kl_ci95"]
        if not agree(old["kl"], measured["kl"], intervals, self._suite.tolerances.default.total, elsewhere=True):
            # One caption alone has no interval.
            sure = "" if old["kl_ci95"] is None else " with an interval of {:.5g} to {:.5g}".format(*old["kl_ci95"])
            self._fail(f"its measured KL is {measured['kl']:.5g}, committed {old['kl']:.5g}{sure}")

    def _committed(self) -> dict[str, Any]:
        try:
            document = committed(self.case)
        except InputError as error:
            self._fail(str(error))
        if document is None:
            self._fail(f"{display_path(self.case.folder)}: no such recipe is committed")
        return document

    @staticmethod
    def _without_measuring(recipe: Recipe, document: dict[str, Any]) -> list[str]:
        """The option that makes its files anew, where what was measured is still of this recipe."""
        try:
            return [] if committed_proof(recipe, document) is None else [REPORT_ONLY.pytest_flag]
        except InputError:
            return []

    def _fail(self, message: str, *options: str) -> NoReturn:
        command = publish_command(display_path(self._suite.path.parent), self.case.id, *options)
        fail(f"{self.case.id}: {message}\nto make it anew: {command}")
