"""A Hugging Face checkpoint folder: what is in it, and whether it is whole. Safetensors only, never pickles."""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from auto_quantize_model.checkpoints.architectures import (
    require_architecture,
    require_kind,
    require_next_token_prediction,
    require_unquantized,
)
from auto_quantize_model.checkpoints.checkpoint import AGAIN, Checkpoint
from auto_quantize_model.errors import InputError
from auto_quantize_model.interrupts import interrupts_prevail

if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from pathlib import Path

    from torch import Tensor

_INDEX = "model.safetensors.index.json"
_SINGLE = "model.safetensors"
_ADAPTER = "adapter_config.json"
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tekken.json")


class SafetensorsFolder(Checkpoint):
    """A configuration, weights in one file or in shards, and a tokenizer, in a folder."""

    def __init__(self, path: Path, fix: str = AGAIN) -> None:
        super().__init__(path, fix)
        if path.is_file():
            raise InputError(f"{path}: a file; name the folder that it is in, with its config.json and tokenizer")
        if not path.is_dir():
            raise InputError(f"{path}: no checkpoint folder; put the model's files there, or {fix}")
        self._refuse_adapter()
        self.config: dict[str, Any] = self._read_json("config.json")
        self._files = self._tensor_files()

    def require_loadable(self, model_types: Container[str], kind: str) -> None:
        """Refuse what the installed transformers does not have, what is not of a kind, and what predicts no tokens."""
        file = self.path / "config.json"
        model_type = require_architecture(self.config, file, self.fix)
        require_next_token_prediction(self.config, file)
        require_unquantized(self.config, file)
        require_kind(model_type, model_types, kind, file)

    def require_tokenizer(self) -> None:
        """Refuse a folder without one: transformers makes an empty tokenizer of nothing."""
        if not any((self.path / name).is_file() for name in _TOKENIZERS):
            raise InputError(
                f"{self.path}: no tokenizer files; put {_TOKENIZERS[0]} or another tokenizer's beside the weights, "
                f"or {self.fix}"
            )

    def special_tokens(self) -> dict[str, int]:
        """None: transformers reads what a folder states."""
        return {}

    @property
    def files(self) -> tuple[Path, ...]:
        index = self.path / _INDEX
        return (*sorted(set(self._files.values())), *([index] if index.is_file() else []))

    @property
    def source(self) -> tuple[str, dict[str, str]]:
        return str(self.path), {}

    @property
    def tensor_names(self) -> tuple[str, ...]:
        return tuple(self._files)

    def tensors(self, prefixes: tuple[str, ...]) -> Iterator[tuple[str, Tensor]]:
        """The tensors whose names start with one of the prefixes; others are never read."""
        for file, names in self._by_file().items():
            wanted = [name for name in names if name.startswith(prefixes)]
            if wanted:
                with self._open(file) as opened:
                    for name in wanted:
                        with interrupts_prevail():
                            tensor = opened.get_tensor(name)
                        yield name, tensor

    @property
    def parameters(self) -> int:
        count = 0
        for file, names in self._by_file().items():
            with self._open(file) as opened:
                count += sum(math.prod(opened.get_slice(name).get_shape()) for name in names)
        return count

    def digest(self) -> str:
        """SHA-256 over every tensor's name, type, shape and bytes; sharding does not matter."""
        import torch

        digest = hashlib.sha256()
        for name in sorted(self._files):
            with interrupts_prevail(), self._open(self._files[name]) as opened:
                tensor = opened.get_tensor(name).contiguous()
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(memoryview(tensor.reshape(-1).view(torch.uint8).numpy()))
        return digest.hexdigest()

    def _refuse_adapter(self) -> None:
        """Refuse an adapter. With whole weights next to it, transformers would still load the adapter's base model."""
        file = self.path / _ADAPTER
        if not file.is_file():
            return
        base = self._read_json(_ADAPTER).get("base_model_name_or_path")
        if (self.path / _SINGLE).is_file() or (self.path / _INDEX).is_file():
            raise InputError(f"{file}: an adapter beside whole weights; remove it if it is merged into them")
        raise InputError(
            f"{file}: a LoRA adapter{f' of {base}' if base else ''}, not a whole model; "
            "merge it into its base model (peft's merge_and_unload) and name the folder that this is saved to"
        )

    def _tensor_files(self) -> dict[str, Path]:
        # Where both are there, transformers loads the single file.
        if (self.path / _SINGLE).is_file():
            files = dict.fromkeys(self._names(self.path / _SINGLE), self.path / _SINGLE)
        elif (self.path / _INDEX).is_file():
            files = self._sharded()
        else:
            raise InputError(f"{self.path}: {self._why_no_weights()}")
        return files

    def _sharded(self) -> dict[str, Path]:
        weight_map = self._read_json(_INDEX).get("weight_map")
        if not isinstance(weight_map, dict) or not weight_map:
            raise InputError(f"{self.path / _INDEX}: has no 'weight_map'; {self.fix}")
        for tensor, shard in weight_map.items():
            if not isinstance(shard, str) or shard in ("", ".", "..") or "/" in shard or "\\" in shard:
                raise InputError(
                    f"{self.path / _INDEX}: the tensor '{tensor}' is said to be in {shard!r}, "
                    f"which is no file of this folder; {self.fix}"
                )
        shards = sorted(set(weight_map.values()))
        missing = [shard for shard in shards if not (self.path / shard).is_file()]
        if missing:
            raise InputError(
                f"{self.path}: half a checkpoint: {len(missing)} of {len(shards)} weight files are missing "
                f"({missing[0]} first); {self.fix}"
            )
        present = {shard: set(self._names(self.path / shard)) for shard in shards}
        for tensor, shard in weight_map.items():
            if tensor not in present[shard]:
                raise InputError(f"{self.path / shard}: the tensor '{tensor}' is missing from it; {self.fix}")
        return {tensor: self.path / shard for tensor, shard in weight_map.items()}

    def _why_no_weights(self) -> str:
        pickles = [*self.path.glob("*.bin"), *self.path.glob("*.pt"), *self.path.glob("*.pth")]
        if pickles:
            return f"only pickled weights ({pickles[0].name}), which are never loaded; convert them to safetensors"
        begun = self.path / ".cache" / "huggingface" / "download"
        partial = [*self.path.glob("*.incomplete"), *self.path.glob("*.part"), *begun.glob("*.incomplete")]
        if partial:
            return f"half a checkpoint: {partial[0].name} has not finished downloading; {self.fix}"
        return f"no weights: neither {_SINGLE} nor {_INDEX}; {self.fix}"

    def _names(self, file: Path) -> list[str]:
        with self._open(file) as opened:
            return list(opened.keys())

    def _open(self, file: Path) -> Any:
        try:
            with interrupts_prevail():
                return safe_open(file, framework="pt")
        except (SafetensorError, OSError) as error:
            raise InputError(f"{file}: not a whole safetensors file ({error}); {self.fix}") from None

    def _by_file(self) -> dict[Path, list[str]]:
        files: dict[Path, list[str]] = {}
        for name, file in self._files.items():
            files.setdefault(file, []).append(name)
        return files

    def _read_json(self, name: str) -> dict[str, Any]:
        file = self.path / name
        try:
            value = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"{file}: no such file, so this is not a whole checkpoint; {self.fix}") from None
        except OSError as error:
            raise InputError(f"{file}: cannot be read: {error.strerror}") from None
        except (ValueError, RecursionError) as error:
            raise InputError(f"{file}: not valid JSON ({error}); {self.fix}") from None
        if not isinstance(value, dict):
            raise InputError(f"{file}: must hold a JSON object; {self.fix}")
        return value


def require_safetensors(checkpoint: Checkpoint, family: str) -> SafetensorsFolder:
    """A checkpoint as the folder of safetensors that a family loads; another format is refused."""
    if not isinstance(checkpoint, SafetensorsFolder):
        raise InputError(
            f"{checkpoint.path}: the family {family} loads a folder of safetensors, no {checkpoint.path.suffix} file; "
            "use `family: causal_lm`"
        )
    return checkpoint
