"""The suite: every case of models x pairs x sizes, and how to select among them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auto_quantize_model.captions.source import CaptionSource
from auto_quantize_model.cases.builtin import builtin_folder
from auto_quantize_model.cases.expression import compile_expression
from auto_quantize_model.cases.layers import LayeredFile, Layers
from auto_quantize_model.cases.loading import read_mapping, validate
from auto_quantize_model.cases.modelopt_recipe import read_modelopt_recipe
from auto_quantize_model.cases.overrides import Override, override, parse_override
from auto_quantize_model.cases.settings import (
    AutoQuantSettings,
    DatasetSettings,
    ModelSettings,
    PairSettings,
    RecipeSettings,
    RuntimeSettings,
    Size,
    SuiteSettings,
    Tolerances,
    usual_size,
)
from auto_quantize_model.errors import InputError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from auto_quantize_model.cases.loading import SettingsT
    from auto_quantize_model.cases.modelopt_recipe import ModelOptRecipe


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Case:
    """One (model, pair, size): one test, one set of artifacts."""

    model: ModelSettings
    pair: PairSettings
    size: Size
    dataset: DatasetSettings
    autoquant: AutoQuantSettings
    models_root: Path
    """The folder that holds one folder a model."""
    data_root: Path
    """The folder that a relative root of the dataset starts from: the suite's or the built-in one."""
    allow_partial: bool = False
    """Whether it may be published where some weights were not scored: the suite's consent."""

    @property
    def id(self) -> str:
        """The name of the case, as pytest shows it and `-k` matches it."""
        return f"{self.model.name}-{self.pair.name}-{self.size}"

    def __repr__(self) -> str:
        return f"<Case {self.id}>"

    @property
    def captions(self) -> CaptionSource:
        """Where its captions are, and the captions of every smaller size before them."""
        folder = self.data_root / self.dataset.root
        files = tuple(folder / file for file in self.dataset.files_of(self.size))
        return CaptionSource(files, self.dataset.field, self.dataset.max_chars)

    @property
    def checkpoint(self) -> Path:
        """Where the model's own weights are: a folder, or a GGUF file."""
        return self.models_root / self.model.name / self.model.path

    @property
    def run_folder(self) -> Path:
        """Where the case's artifacts are in a models tree."""
        pair = self.pair
        template = pair.run_folders.get(self.model.name, f"{self.model.name}_autoquant_{pair.name}_lm_{{size}}")
        suffix = "" if self.autoquant.method == "gradient" else f"_{self.autoquant.method}"
        folder = f"weight-{pair.weight}-act-{pair.activation}"
        return Path(self.model.name, "layer-analysis", folder, template.format(size=self.size) + suffix)


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class RecipeCase:
    """One recipe for one model: what the suite guards beside its cases."""

    recipe: RecipeSettings
    runtime: RuntimeSettings | None
    cases: tuple[Case, ...]
    """Those whose manifests it is solved from, one a pair."""

    @property
    def id(self) -> str:
        return f"{self.cases[0].model.name}-{self.recipe.name}"

    @property
    def models_root(self) -> Path:
        return self.cases[0].models_root

    @property
    def folder(self) -> Path:
        """Where its committed files are."""
        return self.models_root / self.run_folder

    @property
    def run_folder(self) -> Path:
        """Where its files are below a models tree, or below the output of a run."""
        return Path(self.cases[0].model.name, "recipes", self.recipe.name)

    def __repr__(self) -> str:
        return f"<RecipeCase {self.id}>"


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Suite:
    """All cases of a `suite.yaml`, models outermost, then pairs, then sizes."""

    path: Path
    cases: tuple[Case, ...]
    tolerances: Tolerances
    recipes: tuple[RecipeCase, ...] = ()
    """The recipes that it guards, models innermost."""
    modelopt_recipe: ModelOptRecipe | None = None
    """The one of ModelOpt's own recipes that its pairs come from."""
    data_unnamed: tuple[Case, ...] = ()
    """The cases for which neither the suite nor the model names a dataset."""

    def __iter__(self) -> Iterator[Case]:
        return iter(self.cases)

    def __len__(self) -> int:
        return len(self.cases)

    def __repr__(self) -> str:
        sizes = {case.size for case in self.cases}
        parts = f"{len(self.models)} models, {len(self.pairs)} pairs and {len(sizes)} sizes"
        return f"<Suite {self.path}: {len(self)} cases of {parts}>"

    @property
    def models(self) -> tuple[ModelSettings, ...]:
        return tuple({case.model.name: case.model for case in self.cases}.values())

    @property
    def pairs(self) -> tuple[PairSettings, ...]:
        return tuple({case.pair.name: case.pair for case in self.cases}.values())

    def select(self, expression: str = "") -> tuple[Case, ...]:
        """The cases that an expression in the language of pytest's `-k` matches; none is an error."""
        if not isinstance(expression, str):
            raise TypeError(f"select takes an expression such as 'tiny and wint8', not {expression!r}")
        matches = compile_expression(expression)
        selected = tuple(case for case in self.cases if matches(case.id))
        if not selected:
            raise InputError(f"-k '{expression}' matches none of the {len(self.cases)} cases; {self._hint(expression)}")
        return selected

    def _hint(self, expression: str) -> str:
        parts = {part for case in self.cases for part in (case.model.name, case.pair.name, case.size)}
        wrong = [word for word in expression.replace("(", " ").replace(")", " ").split() if not self._matched(word)]
        return nearest(wrong[0] if wrong else expression, parts)

    def _matched(self, word: str) -> bool:
        return word in ("and", "or", "not") or any(word.lower() in case.id.lower() for case in self.cases)


def load_suite(
    path: str | Path,
    models_root: str | Path | None = None,
    overrides: Sequence[str] = (),
    modelopt_recipe: str | None = None,
) -> Suite:
    """Read a suite, with the configuration folder `conf/` beside it laid over the built-in one.

    `models_root` is the folder of `<model>/model.yaml`; by default `models/` beside the suite, or beside its folder.
    `overrides` are dotted assignments such as `autoquant.batch_size=4`, applied to every case. `modelopt_recipe` is
    one of ModelOpt's own recipes, by its name there or by its file: its formats are then the pairs, not the suite's.
    """
    if isinstance(overrides, str):
        raise TypeError(f"overrides are a list; put the one into it: {[overrides]}")
    path = Path(path)
    root = Path(models_root) if models_root is not None else _models_near(path)
    parsed = [parse_override(text) for text in overrides]
    values, clause = override(read_mapping(path), "suite", parsed)
    if modelopt_recipe is not None:
        values = {key: value for key, value in values.items() if key not in ("pairs", "recipes")}
        values["modelopt_recipe"] = modelopt_recipe
    suite = validate(SuiteSettings, values, f"{path}{clause}")
    reader = _Reader(path, root, parsed)
    models = [reader.model(name) for name in suite.models]
    every = [reader.pair(name) for name in suite.pairs or reader.layers.names("quant_pair")]
    modelopts = None if suite.modelopt_recipe is None else reader.modelopts_recipe(suite.modelopt_recipe, every)
    wanted = suite.pairs or [
        pair.name for pair in every if not pair.optional or reader.layers.is_own("quant_pair", pair.name)
    ]
    pairs = [pair for pair in every if pair.name in wanted] if modelopts is None else modelopts.pairs
    autoquant = reader.autoquant(suite.autoquant, {} if modelopts is None else modelopts.autoquant)
    named = {model.dataset: reader.model_file(model.name) for model in models if model.dataset} | {suite.dataset: path}
    datasets = {name: reader.dataset(name, file, suite.counts) for name, file in named.items()}
    cases = tuple(
        Case(model, pair, size, dataset, autoquant, root, data_root, suite.allow_partial)
        for model in models
        for dataset, data_root in [datasets[model.dataset or suite.dataset]]
        for pair in pairs
        for size in suite.sizes or dataset.size_to_max_samples
    )
    _check_sizes(path, cases)
    named_none = {model.name for model in models if "dataset" not in suite.model_fields_set and model.dataset is None}
    unnamed = tuple(case for case in cases if case.model.name in named_none)
    if modelopts is None:
        recipes = tuple(each for name in suite.recipes for each in reader.recipes(name, cases))
    else:
        # A method that predicts no KL has nothing to guard a recipe by.
        guarded = autoquant.method == "gradient"
        recipes = tuple(reader.recipe_cases(modelopts.recipe, None, cases)) if guarded else ()
    return Suite(path, cases, suite.tolerances, recipes, modelopts, unnamed)


def load_runtime(name: str, suite: Path | None) -> RuntimeSettings:
    """A runtime's profile: a built-in one, or one beside a suite."""
    return _runtime(name, Layers(builtin_folder() if suite is None else suite.parent), suite)


def _runtime(name: str, layers: Layers, suite: Path | None) -> RuntimeSettings:
    if name not in layers.names("runtime"):
        raise InputError(f"runtime '{name}' is unknown; {nearest(name, layers.names('runtime'))}")
    file = layers.read("runtime", name, suite or layers.own)
    return validate(RuntimeSettings, {"name": name, **file.values}, str(file.path))


def _models_near(suite: Path) -> Path:
    folder = suite.resolve().parent
    beside_folder = folder.parent / "models"
    return beside_folder if beside_folder.is_dir() and not (folder / "models").is_dir() else folder / "models"


class _Reader:
    """Reads the files that a suite names, each with its share of the overrides."""

    def __init__(self, suite: Path, models_root: Path, overrides: Sequence[Override]) -> None:
        self.suite = suite
        self.models_root = models_root
        self.overrides = overrides
        self.layers = Layers(suite.parent)

    def pair(self, name: str) -> PairSettings:
        file = self.layers.read("quant_pair", name, self.suite)
        return self._settings(PairSettings, "quant_pair", name, file)

    def autoquant(self, name: str, of_recipe: Mapping[str, Any]) -> AutoQuantSettings:
        """How to score; what ModelOpt's recipe says of it wins over the file, and overrides win over both."""
        file = self.layers.read("autoquant", name, self.suite)
        file = dataclasses.replace(file, values={**file.values, **of_recipe})
        return self._settings(AutoQuantSettings, "autoquant", name, file)

    def modelopts_recipe(self, text: str, known: Iterable[PairSettings]) -> ModelOptRecipe:
        """One of ModelOpt's own recipes."""
        return read_modelopt_recipe(text, self.suite.parent, known, self.suite)

    def dataset(self, name: str, named_in: Path, counts: dict[Size, int]) -> tuple[DatasetSettings, Path]:
        """A dataset, and the folder that its root starts from: that of whoever states the root.

        Captions that do not come with the package are the user's, and lie with the suite. Where the suite gives its
        sizes numbers of captions, in `counts`, the dataset's own sizes only say which file has how many.
        """
        file = self.layers.read("dataset", name, named_in)
        changed = {change.keys[0] for change in self.overrides if change.section == "dataset"}
        if counts and "size_to_max_samples" in changed:
            raise InputError(
                f"{self.suite}: gives its sizes numbers of captions, which go before dataset.size_to_max_samples; "
                "override suite.sizes"
            )
        dataset = self._settings(DatasetSettings, "dataset", name, file)
        if counts:
            dataset = dataset.with_sizes(counts)
        folder = self.layers.own if "root" in changed else file.origins.get("root", self.layers.own)
        sizes = dataset.size_to_max_samples
        files = (folder / dataset.root / each for size in sizes for each in dataset.files_of(size))
        comes_with_it = any(each.is_file() for each in files)
        return dataset, folder if comes_with_it else self.layers.own

    def recipes(self, name: str, cases: Iterable[Case]) -> Iterator[RecipeCase]:
        """A recipe for each of its models."""
        recipe = self._settings(RecipeSettings, "recipe", name, self.layers.read("recipe", name, self.suite))
        runtime = None if recipe.runtime is None else _runtime(recipe.runtime, self.layers, self.suite)
        known = self.layers.names("quant_pair")
        for pair in recipe.pairs:
            if pair not in known:
                raise InputError(f"{self.suite}: recipe '{name}': pair '{pair}' is unknown; {nearest(pair, known)}")
        yield from self.recipe_cases(recipe, runtime, cases)

    def recipe_cases(
        self, recipe: RecipeSettings, runtime: RuntimeSettings | None, cases: Iterable[Case]
    ) -> Iterator[RecipeCase]:
        """A recipe with each of its models."""
        known = tuple(cases)
        for model in dict.fromkeys(case.model.name for case in known):
            if recipe.models and model not in recipe.models:
                continue
            of_model = [case for case in known if case.model.name == model]
            size = self._size_of(recipe, of_model[0])
            its = {case.pair.name: case for case in of_model if case.size == size}
            # A suite that was narrowed by an override has not the cases for every recipe.
            if set(recipe.pairs) <= set(its):
                yield RecipeCase(recipe, runtime, tuple(its[pair] for pair in recipe.pairs))

    def _size_of(self, recipe: RecipeSettings, case: Case) -> Size:
        """The size that a recipe takes of a model's cases."""
        sizes = case.dataset.size_to_max_samples
        overridden = any((change.section, change.keys[0]) == ("suite", "sizes") for change in self.overrides)
        if recipe.size is not None and recipe.size not in sizes and not overridden:
            raise InputError(
                f"{self.suite}: recipe '{recipe.name}': dataset '{case.dataset.name}' has no size '{recipe.size}'; "
                f"{nearest(recipe.size, sizes)}"
            )
        return recipe.size or usual_size(sizes)

    def model_file(self, name: str) -> Path:
        return self.models_root / name / "model.yaml"

    def model(self, name: str) -> ModelSettings:
        file = self.model_file(name)
        if not file.is_file():
            known = [path.parent.name for path in self.models_root.glob("*/model.yaml")]
            raise InputError(f"{self.suite}: model '{name}' is unknown: no file {file}; {nearest(name, known)}")
        return self._settings(ModelSettings, "model", name, LayeredFile(file, read_mapping(file)))

    def _settings(self, settings: type[SettingsT], section: str, name: str, file: LayeredFile) -> SettingsT:
        values, clause = override(dict(file.values), section, self.overrides)
        origin = f"{file.path}{clause}"
        if "name" in values:
            raise InputError(f"{origin}: unknown key 'name'; the name is that of the file or the model's folder")
        return validate(settings, {"name": name, **values}, origin)


def _check_sizes(path: Path, cases: Iterable[Case]) -> None:
    for case in cases:
        if case.size not in case.dataset.size_to_max_samples:
            raise InputError(
                f"{path}: dataset '{case.dataset.name}' has no size '{case.size}': give it a number "
                f"(sizes: {{{case.size}: 32}}), or name another; "
                f"{nearest(case.size, case.dataset.size_to_max_samples)}"
            )
