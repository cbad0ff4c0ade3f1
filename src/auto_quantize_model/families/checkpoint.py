"""A checkpoint folder: what is in it, whether it is whole, and its fingerprint. Safetensors only, never pickles."""

from __future__ import annotations

import functools
import hashlib
import json
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from auto_quantize_model.errors import InputError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor

_INDEX = "model.safetensors.index.json"
_SINGLE = "model.safetensors"
_MEND = "download the checkpoint again"


class Checkpoint:
    """A Hugging Face checkpoint in a local folder, checked before anything is loaded from it."""

    def __init__(self, folder: Path) -> None:
        """Read the folder's listing; a folder that cannot work is an `InputError`."""
        self.folder = folder
        if not folder.is_dir():
            raise InputError(
                f"{folder}: no checkpoint folder; put the model's files there, or name their place "
                "with the option for the model's path, NAME=DIR"
            )
        self.config: dict[str, Any] = self._read_json("config.json")
        self._files = self._tensor_files()

    @property
    def model_type(self) -> str:
        """The architecture's name in `config.json`."""
        return str(self.config.get("model_type", ""))

    def require_model_type(self, *expected: str) -> None:
        """Refuse a checkpoint of another architecture."""
        if self.model_type not in expected:
            raise InputError(
                f"{self.folder / 'config.json'}: model_type is '{self.model_type}', this family loads "
                f"{', '.join(expected)}; set `family` in model.yaml to match the checkpoint"
            )

    def require_known_to_transformers(self) -> None:
        """Refuse an architecture that the installed transformers does not have."""
        import transformers
        from transformers.models.auto.configuration_auto import CONFIG_MAPPING

        if self.model_type not in CONFIG_MAPPING:
            wrote = self.config.get("transformers_version")
            needs = f"; the checkpoint was written by transformers {wrote}" if wrote else ""
            raise InputError(
                f"{self.folder / 'config.json'}: model_type '{self.model_type}' is unknown to the installed "
                f"transformers {transformers.__version__}{needs}: install a version that has it "
                f"({nearest(self.model_type, CONFIG_MAPPING)})"
            )

    def tensors(self, prefixes: tuple[str, ...]) -> Iterator[tuple[str, Tensor]]:
        """The tensors whose names start with one of the prefixes; others are never read."""
        for file, names in self._by_file().items():
            wanted = [name for name in names if name.startswith(prefixes)]
            if wanted:
                with self._open(file) as opened:
                    for name in wanted:
                        yield name, opened.get_tensor(name)

    def __contains__(self, tensor: str) -> bool:
        """Whether the checkpoint holds a tensor of that name."""
        return tensor in self._files

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 over every tensor's name, type, shape and bytes; sharding does not matter."""
        import torch

        digest = hashlib.sha256()
        for name in sorted(self._files):
            with self._open(self._files[name]) as opened:
                tensor = opened.get_tensor(name).contiguous()
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(memoryview(tensor.reshape(-1).view(torch.uint8).numpy()))
        return digest.hexdigest()

    def _tensor_files(self) -> dict[str, Path]:
        # Where both are there, transformers loads the single file.
        if (self.folder / _SINGLE).is_file():
            files = dict.fromkeys(self._names(self.folder / _SINGLE), self.folder / _SINGLE)
        elif (self.folder / _INDEX).is_file():
            files = self._sharded()
        else:
            raise InputError(f"{self.folder}: {self._why_no_weights()}")
        return files

    def _sharded(self) -> dict[str, Path]:
        weight_map = self._read_json(_INDEX).get("weight_map")
        if not isinstance(weight_map, dict) or not weight_map:
            raise InputError(f"{self.folder / _INDEX}: has no 'weight_map'; {_MEND}")
        for tensor, shard in weight_map.items():
            if not isinstance(shard, str) or shard in ("", ".", "..") or "/" in shard or "\\" in shard:
                raise InputError(
                    f"{self.folder / _INDEX}: the tensor '{tensor}' is said to be in {shard!r}, "
                    f"which is no file of this folder; {_MEND}"
                )
        shards = sorted(set(weight_map.values()))
        missing = [shard for shard in shards if not (self.folder / shard).is_file()]
        if missing:
            raise InputError(
                f"{self.folder}: half a checkpoint: {len(missing)} of {len(shards)} weight files are missing "
                f"({missing[0]} first); {_MEND}"
            )
        present = {shard: set(self._names(self.folder / shard)) for shard in shards}
        for tensor, shard in weight_map.items():
            if tensor not in present[shard]:
                raise InputError(f"{self.folder / shard}: the tensor '{tensor}' is missing from it; {_MEND}")
        return {tensor: self.folder / shard for tensor, shard in weight_map.items()}

    def _why_no_weights(self) -> str:
        pickles = [*self.folder.glob("*.bin"), *self.folder.glob("*.pt"), *self.folder.glob("*.pth")]
        if pickles:
            return f"only pickled weights ({pickles[0].name}), which are never loaded; convert them to safetensors"
        partial = [*self.folder.glob("*.incomplete"), *self.folder.glob("*.part")]
        if partial:
            return f"half a checkpoint: {partial[0].name} has not finished downloading; {_MEND}"
        return f"no weights: neither {_SINGLE} nor {_INDEX}; {_MEND}"

    def _names(self, file: Path) -> list[str]:
        with self._open(file) as opened:
            return list(opened.keys())

    def _open(self, file: Path) -> Any:
        try:
            return safe_open(file, framework="pt")
        except (SafetensorError, OSError) as error:
            raise InputError(f"{file}: not a whole safetensors file ({error}); {_MEND}") from None

    def _by_file(self) -> dict[Path, list[str]]:
        files: dict[Path, list[str]] = {}
        for name, file in self._files.items():
            files.setdefault(file, []).append(name)
        return files

    def _read_json(self, name: str) -> dict[str, Any]:
        file = self.folder / name
        try:
            value = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"{file}: no such file, so this is not a whole checkpoint; {_MEND}") from None
        except OSError as error:
            raise InputError(f"{file}: cannot be read: {error.strerror}") from None
        except (ValueError, RecursionError) as error:
            raise InputError(f"{file}: not valid JSON ({error}); {_MEND}") from None
        if not isinstance(value, dict):
            raise InputError(f"{file}: must hold a JSON object; {_MEND}")
        return value
