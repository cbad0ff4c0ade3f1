"""The configuration that ModelOpt's `mtq.quantize` takes, and the recipe that its own scripts read."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auto_quantize_model.errors import InputError
from auto_quantize_model.precision.formats import number_axes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auto_quantize_model.recipes.candidates import Source
    from auto_quantize_model.recipes.recipe import Recipe

_QUANTIZERS = ("weight_quantizer", "input_quantizer")


def quant_cfg(recipe: Recipe) -> dict[str, Any]:
    """Everything off, then each module's quantizers by its name: of several entries that fit, the last one wins."""
    return {"algorithm": _algorithm(recipe), "quant_cfg": list(_entries(recipe))}


def quant_cfg_json(recipe: Recipe) -> str:
    """The same as a file. JSON has no numbers for keys: `read_quant_cfg` gives a block's axis its number back."""
    return json.dumps(quant_cfg(recipe), indent=2) + "\n"


def read_quant_cfg(file: str | Path) -> dict[str, Any]:
    """What `mtq.quantize` takes, from a `quant_cfg.json`."""
    try:
        config = json.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{file}: not valid JSON: {error}") from None
    if not isinstance(config, dict) or not isinstance(config.get("quant_cfg"), list):
        raise InputError(f"{file}: not a quant_cfg.json of a recipe: it has no list 'quant_cfg'")
    for entry in config["quant_cfg"]:
        number_axes(entry.get("cfg") or {})
    return config


def modelopt_recipe_yaml(recipe: Recipe) -> str:
    """A PTQ recipe as `modelopt.recipe.load_recipe` reads it."""
    import yaml

    totals = recipe.solved.totals
    about = f"{recipe.choice.model} at {totals.effective_bits:.4g} bits, from {', '.join(recipe.choice.pairs[:-1])}"
    document = {"metadata": {"recipe_type": "ptq", "description": about}, "quantize": quant_cfg(recipe)}
    return yaml.safe_dump(document, sort_keys=False, width=120)


def _entries(recipe: Recipe) -> Iterator[dict[str, Any]]:
    yield {"quantizer_name": "*", "enable": False}
    for source in recipe.used:
        attributes = {name: _attributes(source, name) for name in _QUANTIZERS}
        for module in recipe.modules_of(source.pair):
            for name, its in attributes.items():
                if its is not None:
                    # Experts have a quantizer for each of their stacked weights, and a name of its own for each.
                    own = name if recipe.is_linear(module) else f"*{name}"
                    yield {"quantizer_name": f"{module}.{own}", "cfg": its, "enable": True}


def _attributes(source: Source, quantizer: str) -> dict[str, Any] | None:
    """What a pair says of its weights or of its inputs; None where it leaves those alone."""
    attributes = source.quantizer(quantizer)
    if attributes is None:
        return None
    if not isinstance(attributes, dict):
        raise InputError(
            f"the pair '{source.pair}' quantizes in several steps, which no recipe can say of a module yet"
        )
    kept = {key: value for key, value in copy.deepcopy(attributes).items() if key != "enable"}
    number_axes(kept)
    if quantizer == "input_quantizer" and source.algorithm is None:
        # Never calibrated on its own; in a mixture that is calibrated it must be said.
        kept["type"] = "dynamic"
    return kept


def _algorithm(recipe: Recipe) -> Any:
    """How the mixture is calibrated; pairs that differ in it cannot be mixed in one call of ModelOpt's."""
    algorithms: list[Any] = []
    for source in recipe.used:
        if source.algorithm is not None and source.algorithm not in algorithms:
            algorithms.append(source.algorithm)
    if len(algorithms) > 1:
        raise InputError(f"ModelOpt calibrates a model in one way, and these pairs want {algorithms}; leave one out")
    return algorithms[0] if algorithms else None
