"""The typed, frozen form of every configuration file."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from auto_quantize_model.captions.nested import SIZE_CAPTIONS
from auto_quantize_model.captions.samples import Field as CaptionField
from auto_quantize_model.device_names import checked_device

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_PROBES = 32
"""Their signs are the bits of one hash."""

_LONGEST_PATH = 1000
_LONGEST_NAME = 250

ValueT = TypeVar("ValueT")


def _written_as(pattern: str, rule: str) -> AfterValidator:
    """Texts that a pattern matches; an error states the rule in words."""

    def check(value: str) -> str:
        if re.fullmatch(pattern, value, re.DOTALL) is None:
            raise ValueError(rule)
        return value

    return AfterValidator(check)


_BEGINNING = "begins with a letter or digit, and has only letters, digits,"
_SHORT = _written_as(".{0,100}", "a name has at most 100 characters")
"""So that no file system refuses the files and folders that are named after it."""

Name = Annotated[str, _SHORT, _written_as("[A-Za-z0-9][A-Za-z0-9_.]*", f"a name {_BEGINNING} '_' and '.'")]
"""No dash: case ids put one between the names of model, pair and size."""
DashedName = Annotated[str, _SHORT, _written_as("[A-Za-z0-9][A-Za-z0-9_.-]*", f"a name {_BEGINNING} '_', '.' and '-'")]
"""The model is the first part of a case's id, so a dash in its name leaves the id unambiguous."""


def _size_template(value: str) -> str:
    fields = [(name, spec, convert) for _, name, spec, convert in Formatter().parse(value) if name is not None]
    if any(field != ("size", "", None) for field in fields):
        raise ValueError("only {size} may be in braces")
    return value


def _checked_length(value: str) -> str:
    """Refuse what a file system cannot even look for."""
    encoded = value.encode(errors="surrogateescape")
    if len(encoded) > _LONGEST_PATH or max(map(len, encoded.split(b"/"))) > _LONGEST_NAME:
        raise ValueError(f"a path has at most {_LONGEST_PATH} bytes, and {_LONGEST_NAME} from slash to slash")
    return value


def _one_a_size(value: str) -> str:
    if "{size}" not in value:
        raise ValueError("must have {size} in it, or the sizes would overwrite each other")
    return value


def _no_twins(values: tuple[ValueT, ...]) -> tuple[ValueT, ...]:
    twin = next((value for value in values if values.count(value) > 1), None)
    if twin is not None:
        raise ValueError(f"'{twin}' is listed twice")
    return values


def _nested(counts: dict[str, int]) -> dict[str, int]:
    """Sizes from the fewest captions on, as each begins the next; in which order a mapping is written means nothing."""
    usual = [(name, counts[name]) for name in SIZE_CAPTIONS if name in counts]
    for (before, fewer), (name, more) in itertools.pairwise(usual):
        if more < fewer:
            raise ValueError(f"must not fall from {before} ({fewer}) to {name} ({more}): sizes are nested")
    return dict(sorted(counts.items(), key=lambda size: size[1]))


def _checked_key(value: str) -> str:
    if not value or not value.isprintable() or len(value) > _LONGEST_NAME:
        raise ValueError(f"a key of a record has 1 to {_LONGEST_NAME} characters, all of them printable")
    return value


def _named(value: object) -> object:
    """Sizes as a list of names: how many captions each takes, the dataset says."""
    if not isinstance(value, list | tuple):
        return value
    if not all(isinstance(name, str) for name in value):
        raise ValueError("is a list of names, or a mapping of names to numbers of captions")
    return dict.fromkeys(_no_twins(tuple(value)))


def _all_or_none(sizes: dict[str, int | None]) -> dict[str, int | None]:
    counts = {name: count for name, count in sizes.items() if count is not None}
    if counts and len(counts) < len(sizes):
        raise ValueError("give every size its number of captions, or list the names alone")
    return {**_nested(counts)} if counts else sizes


SizeTemplate = Annotated[str, AfterValidator(_size_template), AfterValidator(_checked_length)]
FolderTemplate = Annotated[
    SizeTemplate,
    AfterValidator(_one_a_size),
    _written_as(r"[A-Za-z0-9][\w.{}-]*", f"a folder's name {_BEGINNING} '_', '.', '-' and {{size}}"),
]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
DeviceName = Annotated[str, AfterValidator(checked_device)]
Share = Annotated[float, Field(gt=0, lt=1)]
Size = Name
"""What stands behind the last dash of a case's id."""
Sizes = Annotated[dict[Size, Count], Field(min_length=1), AfterValidator(_nested)]
"""How many captions each size takes, from the fewest on."""
KeyOfRecord = Annotated[str, AfterValidator(_checked_key)]


class Settings(BaseModel):
    """What all configuration shares: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _path_from_text(value: object) -> object:
    if isinstance(value, str) and ("\0" in value or not value):
        raise ValueError("a path is neither empty nor has NUL in it")
    return Path(_checked_length(value)) if isinstance(value, str) else value


RelativePath = Annotated[Path, BeforeValidator(_path_from_text)]


class QuantizerChange(Settings):
    """What a pair replaces one quantizer's entry in its ModelOpt preset with."""

    enable: bool = True
    cfg: dict[str | int, Any] | None = None

    @model_validator(mode="after")
    def _disabled_or_configured(self) -> QuantizerChange:
        if self.enable == (self.cfg is None):
            raise ValueError("give either 'cfg', or 'enable: false'")
        return self


class FormatSettings(Settings):
    """A ModelOpt quantization format: a preset, a preset with named changes, or a whole configuration."""

    name: Name
    preset: Name | None = None
    changes: dict[Literal["*weight_quantizer", "*input_quantizer"], QuantizerChange] = {}
    config: dict[str, Any] | None = None
    """What ModelOpt is given, in the form in which manifests hold it; then there is no preset."""

    @model_validator(mode="before")
    @classmethod
    def _preset_alone(cls, value: object) -> object:
        return {"name": value, "preset": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _preset_or_config(self) -> FormatSettings:
        if (self.preset is None) == (self.config is None):
            raise ValueError("give either 'preset' or 'config'")
        if self.config is not None and self.changes:
            raise ValueError("'changes' go with a 'preset'; write them into 'config'")
        return self


class PairSettings(Settings):
    """One (weight precision, activation precision) combination and its published names."""

    name: Name
    weight: Name
    activation: Name
    format: FormatSettings
    scheme: Name | None = None
    optional: bool = False
    """Whether only a suite that names it has it; a suite that names no pairs has all others."""
    run_folders: dict[str, FolderTemplate] = {}

    @property
    def scheme_name(self) -> str:
        """The pair's name in manifests and reports."""
        return self.scheme or f"{self.name}_autoquant_lm"


class DatasetSettings(Settings):
    """Where calibration captions come from and how they become token batches."""

    name: DashedName
    root: RelativePath = Path()
    captions_path: SizeTemplate | None = None
    """A file a size, each the beginning of the next."""
    files: Annotated[tuple[RelativePath, ...], AfterValidator(_no_twins)] = Field(default=(), strict=False)
    """Or files of which every size takes the first captions, one file after the other."""
    text_key: KeyOfRecord | None = None
    """What holds the text of a record of a .jsonl or .parquet file; left out, `text`."""
    messages_key: KeyOfRecord | None = None
    """Or what holds a conversation's messages, for the tokenizer's chat template."""
    max_chars: Count | None = None
    """Longer captions do not count."""
    size_to_max_samples: Sizes = SIZE_CAPTIONS
    size_files: dict[Size, Size] = {}
    """Sizes that have no file of their own under `captions_path`, and the size whose file they take."""
    max_calib_samples: Count | None = None
    seq_len: Annotated[int, Field(ge=2, le=1_000_000)] = 512
    padding_side: Literal["left", "right"] = "left"

    @model_validator(mode="after")
    def _one_of_two(self) -> DatasetSettings:
        if bool(self.files) == (self.captions_path is not None):
            raise ValueError("give either 'files', or 'captions_path' with a file a size")
        if self.text_key is not None and self.messages_key is not None:
            raise ValueError("give either 'text_key' or 'messages_key'")
        return self

    @property
    def field(self) -> CaptionField:
        """What of a record calibrates."""
        if self.messages_key is not None:
            return CaptionField(self.messages_key, "messages")
        return CaptionField() if self.text_key is None else CaptionField(self.text_key)

    def files_of(self, size: Size) -> tuple[Path, ...]:
        """The files that a size's captions are in, below the root."""
        if self.captions_path is None:
            return self.files
        return (Path(self.captions_path.format(size=self.size_files.get(size, size))),)

    def with_sizes(self, counts: dict[Size, int]) -> DatasetSettings:
        """The same with a suite's sizes: each takes its captions from the smallest file that has enough of them."""
        files = {name: self._file_for(name, count) for name, count in counts.items()}
        others = {name: file for name, file in files.items() if name != file}
        return self.model_copy(update={"size_to_max_samples": counts, "size_files": others})

    def _file_for(self, size: Size, count: int) -> Size:
        enough = [name for name, its in self.size_to_max_samples.items() if its >= count]
        if size in enough or not self.captions_path:
            return size
        return enough[0] if enough else list(self.size_to_max_samples)[-1]

    def samples(self, size: Size) -> int:
        """How many captions a size takes."""
        wanted = self.size_to_max_samples[size]
        return wanted if self.max_calib_samples is None else min(wanted, self.max_calib_samples)


_USUAL_SIZE = "medium"


def usual_size(captions: Mapping[Size, int]) -> Size:
    """The size that a recipe is solved from where none is named, of those there are with their numbers of captions."""
    return _USUAL_SIZE if _USUAL_SIZE in captions else max(captions, key=lambda size: captions[size])


ReplayPrecision = Literal["auto", "exact", "tensor_core"]
"""How replay multiplies; auto: as the model and the hardware suggest."""


class AutoQuantSettings(Settings):
    """How AutoQuantize scores and searches."""

    name: DashedName
    method: Literal["gradient", "kl_div"] = "gradient"
    effective_bits: Annotated[float, Field(gt=0, le=16)] | None = None
    score_size: Count = 128
    probes: Annotated[int, Field(ge=1, le=MOST_PROBES)] = 2
    batch_size: Count = 8
    device: DeviceName = "auto"
    replay_precision: ReplayPrecision = "auto"
    disabled_layers: tuple[str, ...] = Field(default=(), strict=False)
    """Patterns of the names of modules: a group with one of them stays as it is."""
    cost_model: Literal["weight", "active_moe"] = "weight"
    """What bits are counted of: of all weights alike, or of experts only the share that works for a token."""
    active_expert_ratio: Annotated[float, Field(gt=0, le=1)] | None = None
    """That share; left out, what the model's configuration says."""
    cost_excluded_layers: tuple[str, ...] = Field(default=(), strict=False)
    """Patterns of the names of modules: a group of nothing but these costs no bits."""


Family = Literal["causal_lm", "vlm", "qwen3_vl"]
FAMILIES: tuple[Family, ...] = get_args(Family)
"""How transformers loads a model; `families/` has a room for each."""


class ModelSettings(Settings):
    """One model of the suite: its `model.yaml`."""

    name: DashedName
    family: Family
    hub_id: Annotated[str, _written_as(r"\w[\w.-]*(/\w[\w.-]*)?", "a Hugging Face id is written owner/name")] | None = (
        None
    )
    package: (
        Annotated[str, _written_as(r"[A-Za-z_]\w*", "a package is named as Python imports it, without dashes")] | None
    ) = None
    """An installable Python package that carries the checkpoint."""
    path: RelativePath = Field(default_factory=lambda: Path("checkpoint"))
    devices: tuple[Literal["cpu", "cuda"], ...] = Field(default=("cpu", "cuda"), min_length=1, strict=False)
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    dataset: DashedName | None = None


class ServedFormat(Settings):
    """What a runtime makes of a pair."""

    method: str
    """What the runtime calls it."""
    source: str
    """Where that is said."""


class RuntimeSettings(Settings):
    """What will run a quantized model: `conf/runtime/<name>.yaml`."""

    name: DashedName
    writes: Literal["modelopt_recipe", "hf_quant_config", "compressed_tensors", "llm_compressor"]
    """The form of the file that it reads."""
    pairs: dict[Name, ServedFormat] = Field(min_length=1)
    refused: dict[Name, str] = {}
    """Why it has no way to run other pairs."""
    mixes: bool = True
    """Whether several of the formats may be in one model."""
    mixes_source: str
    names: Annotated[tuple[Literal["modules", "checkpoint"], ...], Field(min_length=1, strict=False)] = ("modules",)
    """Which names it knows layers by: those of the loaded model's modules, those of the tensors in the checkpoint's
    files, or either; several are all written, where they differ."""
    names_source: str | None = None
    fused: tuple[Annotated[tuple[str, ...], Field(strict=False)], ...] = Field(default=(), strict=False)
    """The last parts of the names of modules that it runs as one, and that must share a format."""
    fused_source: str | None = None


BudgetUnit = Literal["bits", "gigabytes", "share", "max_kl"]


def _one_budget(value: dict[str, float]) -> dict[str, float]:
    if len(value) != 1:
        raise ValueError("a recipe has one budget, for example {bits: 6}")
    return value


class SearchSpace(Settings):
    """What some of the groups may choose from."""

    modules: tuple[str, ...] = Field(min_length=1, strict=False)
    """Patterns of the names of modules; a group is in the space with all of its modules, or with none."""
    pairs: Annotated[tuple[Name, ...], AfterValidator(_no_twins)] = Field(strict=False)
    allow_none: bool = True
    """Whether a group may stay as it is where there is a pair for it."""


class RecipeSettings(Settings):
    """A recipe that the suite guards: `conf/recipe/<name>.yaml`."""

    name: DashedName
    budget: Annotated[dict[BudgetUnit, Annotated[float, Field(gt=0, strict=False)]], AfterValidator(_one_budget)]
    pairs: Annotated[tuple[Name, ...], AfterValidator(_no_twins)] = Field(min_length=1, strict=False)
    size: Size | None = None
    """Left out, `medium`, or the largest where the dataset has no such size."""
    runtime: DashedName | None = None
    pins: tuple[str, ...] = Field(default=(), strict=False)
    spaces: tuple[SearchSpace, ...] = Field(default=(), strict=False)
    """For each group the first that it is in counts; a group in none may choose from all pairs."""
    models: tuple[DashedName, ...] = Field(default=(), strict=False)
    """The models that it is for; left out, all of the suite."""


class Band(Settings):
    """How far the numbers of a group, and the total, may move before that is drift: shares of the larger number."""

    group: Share
    total: Share


_SAME_ENVIRONMENT = Band(group=1e-4, total=1e-4)
_ACROSS_DEVICES = Band(group=0.02, total=0.02)


class Tolerances(Settings):
    """Three bands; the flat keys are the one for the same kind of device with other versions or another processor."""

    group: Share = 0.01
    total: Share = 0.01
    same_environment: Band | None = None
    """The same versions on the same processor; left out, 1e-4, or less where the band above is tighter."""
    across_devices: Band | None = None
    """CPU against GPU; left out, 0.02, or more where the flat band is wider."""

    @property
    def default(self) -> Band:
        return Band(group=self.group, total=self.total)

    @property
    def within_environment(self) -> Band:
        return self.same_environment or _each(min, _SAME_ENVIRONMENT, self.default)

    @property
    def between_devices(self) -> Band:
        return self.across_devices or _each(max, _ACROSS_DEVICES, self.default)

    @model_validator(mode="after")
    def _bands_widen(self) -> Tolerances:
        tight, middle, wide = self.within_environment, self.default, self.between_devices
        for key, *values in (
            ("group", tight.group, middle.group, wide.group),
            ("total", tight.total, middle.total, wide.total),
        ):
            if values != sorted(values):
                raise ValueError(
                    f"same_environment.{key} <= {key} <= across_devices.{key} must hold, "
                    f"not {' <= '.join(f'{value:g}' for value in values)}"
                )
        return self


def _each(choose: Callable[[float, float], float], one: Band, other: Band) -> Band:
    return Band(group=choose(one.group, other.group), total=choose(one.total, other.total))


class SuiteSettings(Settings):
    """`suite.yaml`: models x pairs x sizes."""

    models: Annotated[tuple[DashedName, ...], AfterValidator(_no_twins)] = Field(min_length=1, strict=False)
    pairs: Annotated[tuple[Name, ...], AfterValidator(_no_twins)] = Field(default=(), min_length=1, strict=False)
    """Left out, every pair that the suite can name and that is not optional."""
    modelopt_recipe: Annotated[str, AfterValidator(_checked_length)] | None = None
    """One of ModelOpt's own recipes, by its name there or by its file: its formats are the pairs."""
    sizes: Annotated[dict[Size, Count | None], BeforeValidator(_named), AfterValidator(_all_or_none)] | None = Field(
        default=None, min_length=1
    )
    """Names with numbers of captions, which go before the dataset's, or names alone; left out, all of the dataset's."""
    dataset: DashedName = "embedded_captions"
    autoquant: DashedName = "default"
    recipes: Annotated[tuple[DashedName, ...], AfterValidator(_no_twins)] = Field(default=(), strict=False)
    tolerances: Tolerances = Tolerances()
    allow_partial: bool = False
    """Whether a case may be published whose model has weights of which nothing is known."""
    partial_because: str | None = Field(default=None, min_length=1)
    """Why that is all right; whoever allows it says so."""

    @property
    def counts(self) -> dict[Size, int]:
        """The numbers of captions that it gives its sizes; none where it lists their names alone."""
        return {name: count for name, count in (self.sizes or {}).items() if count is not None}

    @model_validator(mode="after")
    def _gives_a_reason(self) -> SuiteSettings:
        if self.allow_partial and self.partial_because is None:
            raise ValueError("allow_partial needs partial_because: why weights that were not scored are all right")
        return self

    @model_validator(mode="after")
    def _pairs_once(self) -> SuiteSettings:
        if self.modelopt_recipe is not None and (self.pairs or self.recipes):
            raise ValueError("modelopt_recipe brings its own pairs and its own recipe; leave 'pairs' and 'recipes' out")
        return self
