"""ModelOpt's own AutoQuantize recipes as input: what such a file says, in the words of a suite.

Reading one imports ModelOpt, and with it torch: only a suite that names one pays for that.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
import io
import json
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from auto_quantize_model.cases.loading import read_mapping, validate
from auto_quantize_model.cases.settings import PairSettings, RecipeSettings
from auto_quantize_model.cases.yaml_text import parse_yaml
from auto_quantize_model.errors import InputError, nearest, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_SUFFIXES = ("", ".yaml", ".yml")
_WEIGHT, _INPUT = "weight_quantizer", "input_quantizer"
_ROLES = ("*", f"*{_WEIGHT}", f"*{_INPUT}")
_SECTION = "auto_quantize"
"""What only recipes for the search have; how else they say their type differs between ModelOpt's versions."""
_FIXED = "its fixed format is off while the other groups are scored; with ModelOpt it is on, and scores differ a little"


@dataclasses.dataclass(frozen=True, slots=True)
class ModelOptRecipe:
    """What a recipe file means to a suite."""

    recipe: RecipeSettings
    """Its budget, and which groups may choose from which pairs."""
    pairs: tuple[PairSettings, ...]
    """Its candidate formats, and the fixed format of what is not searched."""
    autoquant: Mapping[str, Any]
    """What it says of scoring and of costs, as keys of `conf/autoquant/*.yaml`."""
    notes: tuple[str, ...]
    """What is done here otherwise than ModelOpt does it, a line each."""


def shipped_recipes() -> list[str]:
    """The names of the AutoQuantize recipes that come with the installed ModelOpt."""
    root = Path(str(files("modelopt_recipes")))
    return sorted(
        str(file.relative_to(root).with_suffix(""))
        for file in root.rglob("*.yaml")
        if f"\n{_SECTION}:" in file.read_text(encoding="utf-8")
    )


def read_modelopt_recipe(text: str, folder: Path, known: Iterable[PairSettings], named_in: Path) -> ModelOptRecipe:
    """Read a recipe by its file, which may lie in `folder`, or by its name in ModelOpt.

    A candidate that is the format of a known pair is that pair, so that its manifests can be compared.
    """
    place, name = _find(text, folder, named_in)
    said = _load(place, text, named_in)
    search = said[_SECTION]
    pairs = _Pairs(known, named_in)
    spaces = [
        {
            "modules": space["module_name_patterns"],
            "pairs": [pairs.of(each) for each in space["candidate_formats"]],
            "allow_none": space.get("allow_no_quant", True),
        }
        for space in search.get("module_search_spaces", ())
    ]
    notes: list[str] = []
    searched = [pattern for space in spaces for pattern in space["modules"]]
    if search.get("candidate_formats"):
        spaces.append({"modules": ["*"], "pairs": [pairs.of(each) for each in search["candidate_formats"]]})
    else:
        base = _outside(said.get("quantize") or {}, searched)
        # Where nothing is left for the fixed format to quantize, the rest stays as it is.
        fixed = [pairs.of(base)] if base is not None else []
        notes += [_FIXED] * len(fixed)
        spaces.append({"modules": ["*"], "pairs": fixed, "allow_none": not fixed})
    notes += _ignored(said, search)
    constraints = search.get("constraints", {})
    recipe = {
        "name": name,
        "budget": {"bits": constraints.get("effective_bits", 4.8)},
        "pairs": [pair.name for pair in pairs.taken],
        "spaces": spaces,
    }
    return ModelOptRecipe(
        validate(RecipeSettings, recipe, f"{named_in}: recipe '{text}'"),
        tuple(pairs.taken),
        _autoquant(search, constraints),
        tuple(notes),
    )


def _find(text: str, folder: Path, named_in: Path) -> tuple[Path, str]:
    """A recipe's file, and what it is called."""
    root = Path(str(files("modelopt_recipes")))
    for place in (Path(folder, text), Path(root, text)) if Path(text).name else ():
        for suffix in _SUFFIXES:
            file = place.with_name(place.name + suffix)
            if file.is_file():
                return file.resolve(), _as_name(file.stem)
    raise InputError(
        f"{named_in}: recipe '{text}' is neither a file nor one that comes with ModelOpt; "
        f"{nearest(text, shipped_recipes())}"
    )


def _as_name(stem: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "_.-" else "_" for letter in stem)


def _load(file: Path, text: str, named_in: Path) -> dict[str, Any]:
    """What ModelOpt reads from a recipe, its imports resolved; what it refuses is one line."""
    # ModelOpt's own reader knows no limit to what a few lines of YAML may grow to.
    search = read_mapping(file).get(_SECTION)
    if not isinstance(search, dict):
        raise InputError(
            f"{named_in}: recipe '{text}': {file.name} has no section '{_SECTION}', which says what to search"
        )
    constraints = search.get("constraints")
    if isinstance(constraints, dict) and constraints.get("cost_model") == "kv_cache":
        raise InputError(f"{named_in}: recipe '{text}' searches a cache, and no weights: there is nothing to score")
    _check_imports(file, {file})
    from modelopt.recipe import load_recipe

    try:
        with contextlib.redirect_stdout(io.StringIO()):
            recipe = load_recipe(file)
    except (ValueError, TypeError, KeyError, yaml.YAMLError, OSError) as error:
        raise InputError(f"{named_in}: recipe '{text}' is refused by ModelOpt: {one_line(error)}") from None
    said: dict[str, Any] = recipe.model_dump(exclude_unset=True)
    return said


def _check_imports(file: Path, seen: set[Path]) -> None:
    """Parse what a user's own recipe imports with the reader that has limits."""
    try:
        imports = parse_yaml(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{file}: cannot be read: {one_line(error)}") from None
    imports = imports.get("imports") if isinstance(imports, dict) else None
    for each in imports.values() if isinstance(imports, dict) else ():
        for suffix in _SUFFIXES:
            other = Path(f"{each}{suffix}").resolve()
            if other.is_file() and other not in seen:
                _check_imports(other, seen | {other})


class _Pairs:
    """The pairs that candidate formats become, each once."""

    def __init__(self, known: Iterable[PairSettings], named_in: Path) -> None:
        from modelopt.torch.quantization import config as presets

        self.taken: list[PairSettings] = []
        self._named_in = named_in
        self._by_config: dict[str, PairSettings] = {}
        named = {str(pair.format.preset): pair for pair in known if pair.format.preset and not pair.format.changes}
        for preset in sorted(presets.choices, key=lambda each: each not in named):
            config = getattr(presets, preset)
            key = _key(config)
            if key not in self._by_config:
                self._by_config[key] = named.get(preset) or _of_preset(preset, config)

    def of(self, config: dict[str, Any]) -> str:
        """The name of the pair that a format is."""
        key = _key(config)
        if key not in self._by_config:
            self._by_config[key] = self._new(config)
        pair = self._by_config[key]
        if pair not in self.taken:
            self.taken.append(pair)
        return pair.name

    def _new(self, config: dict[str, Any]) -> PairSettings:
        weight, activation = _sides(config)
        algorithm = config.get("algorithm")
        method = algorithm.get("method") if isinstance(algorithm, dict) else algorithm
        stem = "_".join([f"w{weight}_a{activation}", *([str(method)] if method not in ("max", None) else [])])
        names = {pair.name for pair in (*self._by_config.values(), *self.taken)}
        name = next(each for each in _numbered(stem) if each not in names)
        values = {
            "name": name,
            "weight": weight,
            "activation": activation,
            "format": {"name": name, "config": config},
        }
        return validate(PairSettings, values, f"{self._named_in}: a format of the recipe")


def _numbered(stem: str) -> Iterator[str]:
    yield stem
    number = 2
    while True:
        yield f"{stem}_{number}"
        number += 1


def _of_preset(preset: str, config: Mapping[str, Any]) -> PairSettings:
    weight, activation = _sides(config)
    name = preset.lower().removesuffix("_cfg").removesuffix("_default")
    return PairSettings(name=name, weight=weight, activation=activation, format=preset)  # type: ignore[arg-type]


def _key(config: Mapping[str, Any]) -> str:
    """Equal for configurations that ModelOpt's search takes for the same.

    It asks a format what to do with one layer, whose name it does not tell: what is disabled by name does not count.
    """
    from modelopt.torch.quantization.config import QuantizeConfig

    said = QuantizeConfig(**config).model_dump(mode="json", exclude_none=True)
    entries = said["quant_cfg"]
    if all(each["quantizer_name"] in _ROLES for each in entries if each.get("cfg")):
        said["quant_cfg"] = [
            each for each in entries if each["quantizer_name"] in _ROLES and "parent_class" not in each
        ]
    return json.dumps(said)


def _sides(config: Mapping[str, Any]) -> tuple[str, str]:
    """How weights and inputs are stored, as pairs call it."""
    return _stored(config, _WEIGHT), _stored(config, _INPUT)


def _stored(config: Mapping[str, Any], role: str) -> str:
    for entry in config["quant_cfg"]:
        attributes = entry.get("cfg")
        if attributes and entry["quantizer_name"].rstrip("*").endswith(role):
            first = attributes[0] if isinstance(attributes, list) else attributes
            bits = first.get("num_bits", 8)
            return f"fp{sum(bits) + 1}" if isinstance(bits, list | tuple) else f"int{bits}"
    return "fp16"


def _outside(base: Mapping[str, Any], searched: Sequence[str]) -> dict[str, Any] | None:
    """The fixed format without what it says of modules that are searched; None where nothing is left of it.

    A pattern that a wider one matches as a text can name nothing that the wider one does not.
    """
    kept = [
        entry
        for entry in base.get("quant_cfg", ())
        if not entry.get("cfg") or (_quantizes_layers(entry) and not _is_within(entry["quantizer_name"], searched))
    ]
    if not any(entry.get("cfg") for entry in kept):
        return None
    algorithm = base.get("algorithm")
    if isinstance(algorithm, dict) and algorithm.get("layerwise") == {"enable": False}:
        algorithm = {key: value for key, value in algorithm.items() if key != "layerwise"}
        algorithm = algorithm["method"] if list(algorithm) == ["method"] else algorithm
    return {**base, "quant_cfg": kept, "algorithm": algorithm}


def _quantizes_layers(entry: Mapping[str, Any]) -> bool:
    return any(role in entry["quantizer_name"] for role in (_WEIGHT, _INPUT))


def _is_within(quantizer: str, searched: Sequence[str]) -> bool:
    modules = quantizer.replace(_WEIGHT, "").replace(_INPUT, "").rstrip("*.") or "*"
    return any(fnmatch.fnmatch(each, pattern) for each in (modules, f"{modules}*") for pattern in searched)


def _autoquant(search: Mapping[str, Any], constraints: Mapping[str, Any]) -> dict[str, Any]:
    cost = constraints.get("cost") or {}
    values = {
        "method": search.get("auto_quantize_method"),
        "score_size": search.get("score_size"),
        "disabled_layers": search.get("disabled_layers"),
        "cost_model": constraints.get("cost_model"),
        "active_expert_ratio": cost.get("active_moe_expert_ratio"),
        "cost_excluded_layers": search.get("cost_excluded_layers"),
    }
    return {key: value for key, value in values.items() if value is not None}


def _ignored(said: Mapping[str, Any], search: Mapping[str, Any]) -> Iterator[str]:
    cache = search.get("kv_cache") or any(
        entry.get("cfg") and not _quantizes_layers(entry) for entry in (said.get("quantize") or {}).get("quant_cfg", ())
    )
    if cache:
        yield "it quantizes a cache too, which no weight's sensitivity depends on: left alone"
    if not any("lm_head" in pattern for pattern in search.get("disabled_layers", ())):
        yield "it searches the output head too, which is not in scope: it stays as it is"
