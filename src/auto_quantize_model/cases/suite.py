"""The suite: every case of models x pairs x sizes, and how to select among them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from auto_quantize_model.cases.expression import compile_expression
from auto_quantize_model.cases.loading import available, read_mapping, validate
from auto_quantize_model.cases.overrides import Override, override, parse_override
from auto_quantize_model.cases.settings import (
    AutoQuantSettings,
    DatasetSettings,
    ModelSettings,
    PairSettings,
    Size,
    SuiteSettings,
    Tolerances,
)
from auto_quantize_model.errors import InputError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from auto_quantize_model.cases.loading import SettingsT


@dataclasses.dataclass(frozen=True, slots=True)
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
    """The folder that relative dataset roots start from: that of `suite.yaml`."""

    @property
    def id(self) -> str:
        """The name of the case, as pytest shows it and `-k` matches it."""
        return f"{self.model.name}-{self.pair.name}-{self.size}"

    @property
    def captions_file(self) -> Path:
        """The captions that this case calibrates with."""
        return self.data_root / self.dataset.root / self.dataset.captions_path.format(size=self.size)

    @property
    def checkpoint(self) -> Path:
        """The folder of the model's weights."""
        return self.models_root / self.model.name / self.model.path

    @property
    def run_folder(self) -> Path:
        """Where the case's artifacts lie under a models tree."""
        pair = self.pair
        template = pair.run_folders.get(self.model.name, f"{self.model.name}_autoquant_{pair.name}_lm_{{size}}")
        suffix = "" if self.autoquant.method == "gradient" else f"_{self.autoquant.method}"
        folder = f"weight-{pair.weight}-act-{pair.activation}"
        return Path(self.model.name, "layer-analysis", folder, template.format(size=self.size) + suffix)


@dataclasses.dataclass(frozen=True, slots=True)
class Suite:
    """All cases of a `suite.yaml`, models outermost, then pairs, then sizes."""

    path: Path
    cases: tuple[Case, ...]
    tolerances: Tolerances

    def select(self, expression: str = "") -> tuple[Case, ...]:
        """The cases that an expression in the language of pytest's `-k` matches; none is an error."""
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


def load_suite(path: str | Path, models_root: str | Path | None = None, overrides: Sequence[str] = ()) -> Suite:
    """Read a suite with its configuration folder `conf/`, which lies beside it.

    `models_root` is the folder of `<model>/model.yaml`; by default `models/` beside the suite's folder.
    `overrides` are dotted assignments such as `autoquant.batch_size=4`, applied to every case.
    """
    path = Path(path)
    root = Path(models_root) if models_root is not None else path.resolve().parent.parent / "models"
    parsed = [parse_override(text) for text in overrides]
    values, clause = override(read_mapping(path), "suite", parsed)
    suite = validate(SuiteSettings, values, f"{path}{clause}")
    reader = _Reader(path, root, parsed)
    models = [reader.model(name) for name in suite.models]
    pairs = [reader.config(PairSettings, "quant_pair", name) for name in suite.pairs]
    autoquant = reader.config(AutoQuantSettings, "autoquant", suite.autoquant)
    datasets = {
        name: reader.config(DatasetSettings, "dataset", name)
        for name in {suite.dataset, *(model.dataset for model in models if model.dataset)}
    }
    cases = tuple(
        Case(model, pair, size, datasets[model.dataset or suite.dataset], autoquant, root, path.parent)
        for model in models
        for pair in pairs
        for size in suite.sizes
    )
    _check_sizes(path, cases)
    return Suite(path, cases, suite.tolerances)


class _Reader:
    """Reads the files that a suite names, each with its share of the overrides."""

    def __init__(self, suite: Path, models_root: Path, overrides: Sequence[Override]) -> None:
        self.suite = suite
        self.models_root = models_root
        self.overrides = overrides

    def config(self, settings: type[SettingsT], section: str, name: str) -> SettingsT:
        folder = self.suite.parent / "conf" / section
        file = folder / f"{name}.yaml"
        if not file.is_file():
            raise InputError(
                f"{self.suite}: {section} '{name}' is unknown: no file {file}; {nearest(name, available(folder))}"
            )
        return self._read(settings, section, file, name)

    def model(self, name: str) -> ModelSettings:
        file = self.models_root / name / "model.yaml"
        if not file.is_file():
            known = [path.parent.name for path in self.models_root.glob("*/model.yaml")]
            raise InputError(f"{self.suite}: model '{name}' is unknown: no file {file}; {nearest(name, known)}")
        return self._read(ModelSettings, "model", file, name)

    def _read(self, settings: type[SettingsT], section: str, file: Path, name: str) -> SettingsT:
        values, clause = override(read_mapping(file), section, self.overrides)
        if "name" in values:
            raise InputError(f"{file}{clause}: unknown key 'name'; the name is that of the file or the model's folder")
        return validate(settings, {"name": name, **values}, f"{file}{clause}")


def _check_sizes(path: Path, cases: Iterable[Case]) -> None:
    for case in cases:
        if case.size not in case.dataset.size_to_max_samples:
            raise InputError(
                f"{path}: size '{case.size}' is not in size_to_max_samples of dataset '{case.dataset.name}'"
            )
