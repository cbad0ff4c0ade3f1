"""Proving a recipe: it is really quantized and measured, beside what else one could have done."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from auto_quantize_model.captions.samples import captions_sha256
from auto_quantize_model.engine.capture.batches import tokenize
from auto_quantize_model.engine.capture.captured import capture
from auto_quantize_model.engine.capture.groups import find_groups
from auto_quantize_model.engine.capture.settings import CaptureSettings
from auto_quantize_model.engine.measurement.held_out import tokens_of
from auto_quantize_model.engine.measurement.maxima import Maxima, check_measurable
from auto_quantize_model.engine.measurement.measure import measure
from auto_quantize_model.engine.preparation import prepare
from auto_quantize_model.errors import InputError
from auto_quantize_model.families import load_model
from auto_quantize_model.measuring import MeasureSettings
from auto_quantize_model.plan import format_key, plan_passes
from auto_quantize_model.precision.conversion import convert_others
from auto_quantize_model.recipes.candidates import NONE
from auto_quantize_model.recipes.modelopt_choice import modelopts_choice
from auto_quantize_model.recipes.proof import MODELOPTS_OWN, Rival, proof_of
from auto_quantize_model.scores import MeasuredOn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from auto_quantize_model.captions.samples import Sample
    from auto_quantize_model.cases.suite import Case
    from auto_quantize_model.engine.measurement.quantizing import Quantized
    from auto_quantize_model.engine.preparation import PreparedPass
    from auto_quantize_model.precision.formats import ResolvedFormat
    from auto_quantize_model.recipes.proof import Proof
    from auto_quantize_model.recipes.recipe import Recipe
    from auto_quantize_model.reporting import Progress
    from auto_quantize_model.scores import Measured

_AS_MANY_BITS = 1e-9
"""So that rounding does not keep ModelOpt's search from as many bits as the recipe has."""
MOST_CAPTIONS = 128
"""How many of the dataset's own held-out captions are measured."""


@dataclasses.dataclass(frozen=True, slots=True)
class HeldOutCaptions:
    """Captions that neither calibrate nor score."""

    captions: tuple[Sample, ...]
    on: MeasuredOn


def held_out_captions(case: Case, file: Path | None) -> HeldOutCaptions:
    """Those of a file, or those of the dataset's larger sizes that come behind a case's own."""
    if file is not None:
        captions = case.captions.of_file(file).read()
        return HeldOutCaptions(tuple(captions), MeasuredOn(file.name, len(captions), captions_sha256(captions)))
    own = case.dataset.samples(case.size)
    largest = max(case.dataset.size_to_max_samples, key=case.dataset.samples)
    source = dataclasses.replace(case, size=largest).captions
    others = source.read(case.dataset.samples(largest))[own:][-MOST_CAPTIONS:]
    if not others:
        raise InputError(
            f"every caption of dataset '{case.dataset.name}' calibrates at size {case.size}, so none is left to "
            "measure on; name others with --measure-on FILE, or take a smaller --size"
        )
    return HeldOutCaptions(tuple(others), MeasuredOn(source.name, len(others), captions_sha256(others)))


def prove(recipe: Recipe, prover: Prover, held_out: HeldOutCaptions) -> Proof:
    """Measure a recipe, each of its pairs alone, and what ModelOpt's own search makes of the same scores and bits."""
    choice, totals = recipe.choice, recipe.solved.totals
    modelopts = modelopts_choice(choice, prover.formats, totals.effective_bits + _AS_MANY_BITS, recipe.spaces)
    rivals = [(Rival(MODELOPTS_OWN, choice.effective_bits(modelopts), is_pair=False), modelopts)]
    for pair in choice.pairs[:-1]:
        alone = choice.everywhere(pair)
        rivals.append((Rival(pair, choice.effective_bits(alone), is_pair=True), alone))
    ours, *theirs = prover.measure([recipe.assignment, *(assignment for _, assignment in rivals)], held_out)
    return proof_of(ours, [(rival, its) for (rival, _), its in zip(rivals, theirs, strict=True)], held_out.on)


class Prover:
    """A model, ready to be quantized by any recipe of some pairs and to be measured."""

    def __init__(
        self,
        cases: Mapping[str, Case],
        device: str | None,
        model_paths: Mapping[str, Path],
        manifest: Mapping[str, Any],
        progress: Progress,
    ) -> None:
        """`cases` are those of one model and size, by their pairs; `manifest` is that of one of them."""
        checkpoint_sha256 = manifest["model"]["checkpoint_sha256"]
        captions_sha256 = manifest["calibration"]["captions_sha256"]
        (plan,) = plan_passes(list(cases.values()))
        self._cases = cases
        self._progress = progress
        self._prepared: PreparedPass = prepare(
            plan, "replay", device, model_paths, CaptureSettings(), MeasureSettings()
        )
        for pair, case in cases.items():
            if plan.size_of(case).captions_sha256 != captions_sha256:
                raise InputError(
                    f"{case.captions.place}: not the captions that the manifest of '{pair}' was calibrated on; set the "
                    "suite, or --override dataset.*, as when it was run"
                )
        for key, reason in self._prepared.refused.items():
            raise InputError(f"the recipe cannot be proved here: {key}: {reason}")
        if self._prepared.checkpoint.fingerprint != checkpoint_sha256:
            raise InputError(
                f"{self._prepared.checkpoint.path}: not the checkpoint of the manifests; name theirs with --model-path"
            )

    @property
    def formats(self) -> dict[str, ResolvedFormat]:
        """What each pair means to the installed ModelOpt."""
        return {pair: self._prepared.formats[format_key(case)].resolved for pair, case in self._cases.items()}

    def measure(self, assignments: Sequence[Mapping[str, str]], held_out: HeldOutCaptions) -> list[Measured]:
        """Quantize by each assignment of pairs to groups, calibrated as the manifests are, and measure."""
        plan = self._prepared.plan
        case = next(iter(self._cases.values()))
        self._progress("load", 0, 1)
        loaded = load_model(case.model, self._prepared.checkpoint, self._prepared.device)
        self._progress("load", 1, 1)
        layout = find_groups(loaded)
        batches, size = tokenize(plan, loaded), plan.size_of(case)
        convert_others(loaded.model, loaded.in_scope)
        maxima = Maxima.of(capture(loaded, layout, batches, (), plan.probes, self._progress))
        of_name = {group.name: group for group in layout.groups}

        def quantized(group: str, pair: str) -> Quantized:
            quantizers = self._prepared.formats[format_key(self._cases[pair])].quantizers
            assert quantizers is not None  # noqa: S101  replay has them all
            check_measurable(pair, quantizers, layout.groups)
            return maxima.quantized(of_name[group], quantizers, size)

        really = [
            {group: quantized(group, pair) for group, pair in assignment.items() if pair != NONE}
            for assignment in assignments
        ]
        tokens = tokens_of(held_out.captions, plan, loaded)
        return measure(
            loaded, layout.groups, tokens, really, lambda done, total: self._progress("measure", done, total)
        )
