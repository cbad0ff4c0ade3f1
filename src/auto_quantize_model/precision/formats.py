"""From a pair's settings to ModelOpt's own configuration, its hash and its cost."""

from __future__ import annotations

import copy
import dataclasses
import fnmatch
import hashlib
import json
from typing import TYPE_CHECKING, Any

from auto_quantize_model.errors import CaseError, nearest, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from auto_quantize_model.cases.settings import FormatSettings, QuantizerChange

UNQUANTIZED_BITS = 16.0
_WEIGHT, _INPUT = "weight_quantizer", "input_quantizer"
NVFP4_SCALE_BITS = (4, 3)
NVFP4_BLOCK_SIZE = 16
MX_SCALE_BITS = (8, 0)


@dataclasses.dataclass(frozen=True, slots=True)
class ResolvedFormat:
    """A quantization format as the installed ModelOpt understands it."""

    name: str
    config: dict[str, Any]
    """What ModelOpt is given, without the backend that replaces its CUDA kernels on CPU."""
    resolved: dict[str, Any]
    """The configuration after ModelOpt's validation, every default filled in, as plain JSON."""
    effective_bits: float
    """What a weight costs: the bits that the preset states, or those of the weight's number format."""
    rules: tuple[Mapping[str, Any], ...] = ()
    """Where the format names modules, ModelOpt's entries that say which; `config` is what it does to one of them."""

    def quantizes(self, members: Iterable[str], types: Iterable[str]) -> bool:
        """Whether it quantizes a group of modules of some types: as ModelOpt does, all of it or nothing."""
        return not self.rules or all(
            any(_says(self.rules, name) for name in _quantizers(*each)) for each in zip(members, types, strict=True)
        )

    @property
    def sha256(self) -> str:
        text = json.dumps(self.resolved, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def algorithm(self) -> Any:
        """ModelOpt's calibration algorithm, or None where nothing is calibrated."""
        return self.config.get("algorithm")

    @property
    def label(self) -> str:
        """The format as manifests list it with a group's score."""
        return label(self.name, self.effective_bits)


def label(name: str, effective_bits: float) -> str:
    """Name a format and its bits the way ModelOpt does."""
    return f"{name}(effective-bits: {effective_bits})"


LINEAR = "QuantLinear"
"""ModelOpt's name for what it makes of a linear layer, of which a quantizer's name ends in `.weight_quantizer`."""
UNQUANTIZED_LABEL = label("NONE", UNQUANTIZED_BITS)


def resolve_format(settings: FormatSettings) -> ResolvedFormat:
    """What a format means to the installed ModelOpt: its preset with the pair's changes, or its own configuration."""
    from modelopt.torch.quantization.config import QuantizeConfig

    config = _own_config(settings) if settings.preset is None else _preset_config(settings, settings.preset)
    try:
        validated = QuantizeConfig(**config)
    except (ValueError, TypeError) as error:
        raise CaseError(f"format '{settings.name}' is refused by ModelOpt: {one_line(error)}") from None
    entries = validated.model_dump(mode="json", exclude_none=True)["quant_cfg"]
    resolved = {"algorithm": config.get("algorithm"), "quant_cfg": entries}
    stated = config.get("effective_bits")
    if stated is not None:
        resolved["effective_bits"] = float(stated)
    rules: tuple[Mapping[str, Any], ...] = ()
    if _says(config["quant_cfg"], _WEIGHT) is None:
        rules = tuple(config["quant_cfg"])
        config = {**config, "quant_cfg": _of_named_modules(settings.name, rules)}
    return ResolvedFormat(settings.name, config, resolved, _weight_bits(settings.name, config), rules)


def with_backends(config: dict[str, Any], nvfp4: str, mx: Mapping[Any, str]) -> dict[str, Any]:
    """The same configuration with registered backends instead of ModelOpt's CUDA kernels; those of MX by `num_bits`."""
    config = copy.deepcopy(config)
    for stage in _stages(config):
        num_bits = stage.get("num_bits")
        bits = tuple(num_bits) if isinstance(num_bits, list) else num_bits
        if _as_tuple((stage.get("block_sizes") or {}).get("scale_bits")) == MX_SCALE_BITS and bits in mx:
            stage["backend"] = mx[bits]
        elif _is_dynamic_nvfp4(stage):
            stage["backend"] = nvfp4
    return config


def _stages(config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The attributes of every quantizer that a configuration enables; one may have several steps."""
    for entry in config["quant_cfg"]:
        attributes = entry.get("cfg")
        yield from attributes if isinstance(attributes, list) else [attributes or {}]


def _is_dynamic_nvfp4(stage: Mapping[str, Any]) -> bool:
    blocks = stage.get("block_sizes") or {}
    bits, scale_bits = _as_tuple(stage.get("num_bits")), _as_tuple(blocks.get("scale_bits"))
    return (bits, scale_bits, blocks.get("type")) == ((2, 1), NVFP4_SCALE_BITS, "dynamic")


def _preset_config(settings: FormatSettings, name: str) -> dict[str, Any]:
    from modelopt.torch.quantization import config as presets

    preset = getattr(presets, name, None)
    if name not in presets.choices or not isinstance(preset, dict):
        raise CaseError(f"format '{name}' is not in the installed ModelOpt; {nearest(name, presets.choices)}")
    config = copy.deepcopy(preset)
    for quantizer, change in settings.changes.items():
        _change(config, settings, quantizer, change)
    for stage in _stages(config):
        if _is_dynamic_nvfp4(stage):
            # Two presets say 32; ModelOpt's kernel is not told, and takes 16.
            stage["block_sizes"][-1] = NVFP4_BLOCK_SIZE
    return config


def _own_config(settings: FormatSettings) -> dict[str, Any]:
    config = copy.deepcopy(settings.config or {})
    entries = config.get("quant_cfg")
    if not isinstance(entries, list) or not all(_has_name(entry) for entry in entries):
        raise CaseError(f"format '{settings.name}': its config must have 'quant_cfg', a list of named entries")
    for attributes in (entry["cfg"] for entry in entries if entry.get("cfg")):
        for stage in attributes if isinstance(attributes, list) else [attributes]:
            if isinstance(stage, dict):
                number_axes(stage)
    return config


def number_axes(stage: dict[str, Any]) -> None:
    """Give the axes of a quantizer's blocks their numbers back, which JSON has not for keys."""
    blocks = stage.get("block_sizes")
    if isinstance(blocks, dict):
        stage["block_sizes"] = {_axis(key): value for key, value in blocks.items()}


def _has_name(entry: Any) -> bool:
    return isinstance(entry, dict) and "quantizer_name" in entry


def _axis(key: Any) -> Any:
    """ModelOpt names a block's axis by its number, and what else there is by words."""
    return int(key) if isinstance(key, str) and key.lstrip("-").isdecimal() else key


def _change(config: dict[str, Any], settings: FormatSettings, quantizer: str, change: QuantizerChange) -> None:
    for entry in config["quant_cfg"]:
        if entry["quantizer_name"] == quantizer:
            entry.pop("cfg", None)
            entry.pop("enable", None)
            entry.update({"cfg": _tuples(change.cfg)} if change.enable else {"enable": False})
            return
    raise CaseError(f"format '{settings.name}': the preset '{settings.preset}' has no entry for '{quantizer}'")


def _tuples(value: Any) -> Any:
    """YAML has lists only; ModelOpt writes number formats as tuples."""
    if isinstance(value, dict):
        return {key: _tuples(inner) for key, inner in value.items()}
    return tuple(value) if isinstance(value, list) else value


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _says(rules: Iterable[Mapping[str, Any]], quantizer: str) -> Any:
    """How a quantizer is configured, by the last rule that names it; None where it is off, or none does."""
    says = None
    for rule in rules:
        # Rules for one class of modules are about layers that no search quantizes.
        if rule.get("parent_class") is None and fnmatch.fnmatch(quantizer, rule["quantizer_name"]):
            says = rule.get("cfg") or says if rule.get("enable", True) else None
    return says


def _quantizers(member: str, its_type: str) -> Iterator[str]:
    """What ModelOpt may call the quantizer of a module's weight; experts have one for each of their stacked weights."""
    yield f"{member}.{_WEIGHT}"
    if its_type != LINEAR:
        yield from (f"{member}.{weight}_{_WEIGHT}" for weight in ("gate_up_proj", "up_proj", "down_proj"))


def _of_named_modules(name: str, rules: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What a format that names modules does to each of them."""
    entries: list[dict[str, Any]] = [{"quantizer_name": "*", "enable": False}]
    for role in (_WEIGHT, _INPUT):
        configured = [rule["cfg"] for rule in rules if _is_of(rule, role) and rule.get("cfg")]
        if any(each != configured[0] for each in configured):
            raise CaseError(f"format '{name}' quantizes several kinds of modules in different ways: make each a pair")
        entries += [{"quantizer_name": f"*{role}", "cfg": copy.deepcopy(each)} for each in configured[:1]]
    return entries


def _is_of(rule: Mapping[str, Any], role: str) -> bool:
    """Whether a rule is about weights, or about inputs."""
    return bool(rule["quantizer_name"].rstrip("*").endswith(role))


def _weight_bits(name: str, config: dict[str, Any]) -> float:
    for entry in config["quant_cfg"]:
        attributes = entry.get("cfg")
        if entry["quantizer_name"] != "*weight_quantizer" or not attributes:
            continue
        if config.get("effective_bits") is not None:
            return float(config["effective_bits"])
        stages = attributes if isinstance(attributes, list) else [attributes]
        return min(_bits(stage) for stage in stages)
    raise CaseError(f"format '{name}' does not quantize weights, but at most a cache: there is nothing to score")


def _bits(attributes: dict[str, Any]) -> float:
    stated = attributes.get("effective_bits")
    if stated is not None:
        return float(stated)
    num_bits = attributes["num_bits"]
    return float(sum(num_bits) + 1) if isinstance(num_bits, list | tuple) else float(num_bits)
