"""A recipe as the rest of the world gets it: solved from manifests, with all that is known of it."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auto_quantize_model.artifacts import probe_sums_name
from auto_quantize_model.errors import InputError
from auto_quantize_model.manifest.document import check_manifest, read_manifest
from auto_quantize_model.manifest.probe_sums import ProbeSums, disagreement, parse_probe_sums, probe_sums_of
from auto_quantize_model.manifest.schema import InvalidManifestError
from auto_quantize_model.precision.formats import LINEAR
from auto_quantize_model.recipes.budget import Budget, checked_budget
from auto_quantize_model.recipes.candidates import NONE, Candidates, Source, candidates
from auto_quantize_model.recipes.constraints import constrained, parse_pin
from auto_quantize_model.recipes.open_groups import OpenGroup, open_groups
from auto_quantize_model.recipes.solving import Front, Solved, front_of, limited, solve

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from auto_quantize_model.cases.settings import RuntimeSettings, SearchSpace
    from auto_quantize_model.run import CaseResult


_BESIDE = {"qwen3_vl": ("model.visual",)}
"""What a family's checkpoints have beside the language model where it is never loaded, so that no run sees it."""


@dataclasses.dataclass(frozen=True, repr=False)
class Recipe:
    """One pair, or none, for each group of a model."""

    budget: Budget
    choice: Candidates
    solved: Solved
    runtime: RuntimeSettings | None = None
    pins: tuple[str, ...] = ()
    spaces: tuple[SearchSpace, ...] = ()
    """What some of the groups may choose from."""
    caption_texts: tuple[str, ...] = ()
    """The scored captions, for `recipe.md` to quote; empty where they are not at hand, or are not to be quoted."""

    @functools.cached_property
    def front(self) -> Front:
        """What other budgets buy."""
        return front_of(self.choice)

    @functools.cached_property
    def open_groups(self) -> tuple[OpenGroup, ...]:
        """The groups whose pair other captions might change, the least settled first."""
        stability, chosen = self.solved.stability, self.solved.chosen
        if stability is None:
            return ()
        costs, limit = limited(self.choice, self.budget, chosen)
        return open_groups(self.choice, stability, chosen, costs, limit)

    @property
    def assignment(self) -> dict[str, str]:
        """The pair of each group, or `none`, in the model's order."""
        pairs = self.choice.pairs
        return {
            name: pairs[column]
            for part, column in zip(self.choice.parts, self.solved.chosen, strict=True)
            for name in part.names
        }

    def modules_of(self, pair: str) -> list[str]:
        """The modules that get a pair, in the model's order."""
        column = self.choice.pairs.index(pair)
        chosen = zip(self.choice.parts, self.solved.chosen, strict=True)
        return [module for part, its in chosen if its == column for module in part.modules]

    def refuse_stacked(self, form: str) -> None:
        """Refuse to write a form of file that has no name for weights that are stacked, such as experts'."""
        for source in self.used:
            for module in self.modules_of(source.pair):
                if not self.is_linear(module):
                    raise InputError(
                        f"{form}: no way is known here to write '{module}', whose weights are stacked; pin it to none, "
                        "or take --runtime modelopt"
                    )

    def is_linear(self, module: str) -> bool:
        """Whether a module is one linear layer; experts stack the weights of many."""
        return bool(self.choice.sources[0].manifest["layers"][module]["module_type"] == LINEAR)

    def names_of(self, modules: Iterable[str]) -> list[str]:
        """What the runtime knows modules by: where the checkpoint's files call one otherwise, that may be several."""
        ways = ("modules",) if self.runtime is None else self.runtime.names
        names = ({"modules": each, "checkpoint": self._checkpoint_names.get(each, each)} for each in modules)
        return list(dict.fromkeys(of_module[way] for of_module in names for way in ways))

    @property
    def beside(self) -> tuple[str, ...]:
        """The beginnings of the names of what the checkpoint has beside its language model, such as a vision tower."""
        manifest = self.choice.sources[0].manifest
        if "in_checkpoint" in manifest:
            return tuple(manifest["in_checkpoint"]["others"])
        family = manifest["model"]["family"]
        if family == "vlm":
            raise InputError(
                f"{self.choice.sources[0].name}: of an older version, which does not say what the checkpoint has "
                "beside its language model; run it again"
            )
        return _BESIDE.get(family, ())

    @functools.cached_property
    def _checkpoint_names(self) -> dict[str, str]:
        its = self.choice.sources[0].manifest.get("in_checkpoint", {"names": []})
        return {each["layer"]: each["name"] for each in its["names"]}

    @property
    def unquantized_modules(self) -> list[str]:
        """The modules that stay as they are: those of groups that get no pair, then those that no pair may quantize."""
        never = [module for entry in self.choice.never_quantized.values() for module in entry["modules"]]
        return [*self.modules_of(NONE), *never]

    @property
    def used(self) -> tuple[Source, ...]:
        """The pairs that some group has."""
        taken = set(self.solved.chosen.tolist())
        return tuple(source for column, source in enumerate(self.choice.sources) if column in taken)

    def __repr__(self) -> str:
        totals = self.solved.totals
        return (
            f"<Recipe {self.choice.model}: {totals.effective_bits:.3g} bits, {totals.gigabytes:.3g} GB, "
            f"predicted KL {totals.predicted_kl:.3g}>"
        )


def solve_recipe(
    manifests: Iterable[Mapping[str, Any] | CaseResult | str | Path],
    *,
    budget: Budget | float | Mapping[str, float],
    pins: Sequence[str] = (),
    runtime: RuntimeSettings | None = None,
) -> Recipe:
    """The best recipe under one budget, from the manifests of several pairs of one model and size.

    A manifest is its file, beside which its probe sums are, or what `run_cases` yielded; as a plain dict it has no
    probe sums, and the recipe then neither intervals nor stability. A budget is a number of effective bits a scored
    weight, or `{"gigabytes": G}` of the whole checkpoint, `{"share": S}` of its unquantized size, or `{"max_kl": K}`:
    as few bits as that predicted KL takes. A pin is `PATTERN=PAIR`, with names of groups or modules.
    """
    return solve_sources([source_of(each) for each in manifests], checked_budget(budget), pins, runtime)


def solve_sources(
    sources: Sequence[Source],
    budget: Budget,
    pins: Sequence[str],
    runtime: RuntimeSettings | None,
    spaces: Sequence[SearchSpace] = (),
) -> Recipe:
    """The same from manifests that have been read."""
    choice = constrained(candidates(sources), [parse_pin(pin) for pin in pins], runtime, spaces)
    return Recipe(budget, choice, solve(choice, budget), runtime, tuple(pins), tuple(spaces))


def source_of(given: Mapping[str, Any] | CaseResult | str | Path) -> Source:
    """A manifest in whatever form it was given, with its probe sums where they are known."""
    if isinstance(given, str | Path):
        return read_source(Path(given))
    if not isinstance(given, dict):
        result: Any = given
        if result.manifest is None:
            raise InputError(f"{result.case.id}: has no manifest: {result.error}")
        return Source(result.manifest, None if result.scores is None else probe_sums_of(result.scores), result.case.id)
    try:
        check_manifest(given)
    except InvalidManifestError as error:
        raise InputError(f"not a manifest: {error}") from None
    return Source(given, None, str(given["case"]["id"]))


def read_source(file: Path) -> Source:
    """A manifest, and the probe sums beside it if they are there."""
    manifest = read_manifest(file)
    beside = file.parent / probe_sums_name(manifest)
    try:
        content = beside.read_bytes()
    except FileNotFoundError:
        return Source(manifest, None, str(file))
    except OSError as error:
        raise InputError(f"{beside}: cannot be read: {error.strerror}") from None
    return Source(manifest, _own_sums(manifest, content, beside), str(file))


def _own_sums(manifest: Mapping[str, Any], content: bytes, file: Path) -> ProbeSums:
    sums = parse_probe_sums(content, str(file))
    problem = disagreement(manifest, sums) if "schema_version" in manifest else None
    if problem is not None:
        raise InputError(f"{file}: {problem}; it is not this manifest's own: run or publish the case again")
    return sums
