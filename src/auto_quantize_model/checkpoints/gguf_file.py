"""A checkpoint in one GGUF file. transformers loads the model from it, in floating point."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import math
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auto_quantize_model.checkpoints.checkpoint import AGAIN, Checkpoint
from auto_quantize_model.errors import InputError, one_line
from auto_quantize_model.flags import both_flags

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator
    from types import ModuleType

SUFFIX = ".gguf"
_MAGIC = b"GGUF"


class GgufFile(Checkpoint):
    """A GGUF file; reading it needs the package `gguf`."""

    def __init__(self, path: Path, fix: str = AGAIN) -> None:
        super().__init__(path, fix)
        try:
            with path.open("rb") as file:
                magic = file.read(len(_MAGIC))
        except FileNotFoundError:
            flags = both_flags("model-path", "NAME=FILE")
            raise InputError(f"{path}: no such GGUF file; put it there, or say where it is with {flags}") from None
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from None
        if magic != _MAGIC:
            raise InputError(f"{path}: not a GGUF file: it does not begin with {_MAGIC.decode()}; {fix}")

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.path,)

    @property
    def source(self) -> tuple[str, dict[str, str]]:
        return str(self.path.parent), {"gguf_file": self.path.name}

    @contextlib.contextmanager
    def being_loaded(self) -> Iterator[None]:
        """Have the file read once, and without a progress bar.

        transformers reads it again for the configuration, the weights and, twice, the tokenizer, at seconds each,
        works out the names of all tensors again for every module of the model, and shows a bar that no setting of it
        reaches. It offers no way to hand it a reader, so the names that it looks up are replaced; where another version
        looks elsewhere, loading only takes longer.
        """
        import gguf
        from transformers import modeling_gguf_pytorch_utils as loading

        reader, read_other = self._reader, gguf.GGUFReader
        names_of, parse = (
            getattr(module, name, None)
            for module, name in ((gguf, "get_tensor_name_map"), (loading, "_gguf_parse_value"))
        )
        with (
            _replaced(gguf, "get_tensor_name_map", _each_once(names_of)),
            _replaced(loading, "_gguf_parse_value", _each_once(parse)),
            _replaced(gguf, "GGUFReader", lambda path: reader if Path(path) == self.path else read_other(path)),
            _replaced(loading, "tqdm", lambda items, **_: items),
        ):
            yield

    def require_loadable(self, model_types: Container[str], kind: str) -> None:  # noqa: ARG002
        """Refuse half a file. Architectures have other names in GGUF, and transformers says which it reads."""
        split = self._reader.fields.get("split.count")
        if split is not None and split.contents() > 1:
            raise InputError(
                f"{self.path}: one of {split.contents()} parts of a model; join them with llama-gguf-split"
            )

    def require_tokenizer(self) -> None:
        """Refuse a file of weights alone."""
        if "tokenizer.ggml.model" not in self._reader.fields:
            raise InputError(f"{self.path}: has no tokenizer in it; use a GGUF file that has one")

    def special_tokens(self) -> dict[str, int]:
        """The end and padding tokens: transformers takes a text's first token for the end token."""
        names = {"eos_token": "tokenizer.ggml.eos_token_id", "pad_token": "tokenizer.ggml.padding_token_id"}
        fields = self._reader.fields
        return {token: int(fields[name].contents()) for token, name in names.items() if name in fields}

    @property
    def parameters(self) -> int:
        return sum(math.prod(map(int, tensor.shape)) for tensor in self._reader.tensors)

    def digest(self) -> str:
        digest = hashlib.sha256()
        for tensor in sorted(self._reader.tensors, key=lambda tensor: tensor.name):
            digest.update(f"{tensor.name} {tensor.tensor_type.name} {tuple(map(int, tensor.shape))}\n".encode())
            digest.update(tensor.data.tobytes())
        return digest.hexdigest()

    @functools.cached_property
    def _reader(self) -> Any:
        try:
            from gguf import GGUFReader
        except ImportError:
            raise InputError(f"{self.path}: needs a package to be read: pip install gguf") from None
        try:
            return GGUFReader(self.path)
        except Exception as error:  # noqa: BLE001  the reader may raise anything at a broken file
            raise InputError(f"{self.path}: not a whole GGUF file ({one_line(error, 200)}); {self.fix}") from None


def _each_once(function: Any) -> Callable[..., Any]:
    """The same function, each of whose results is worked out once; of arrays, which have no hash, it knows each one."""
    results: dict[Any, tuple[Any, Any]] = {}

    def once(*arguments: Any) -> Any:
        key = tuple(each if isinstance(each, Hashable) else id(each) for each in arguments)
        if key not in results:
            # The arguments are kept too: what has no hash goes by its number, which another could get.
            results[key] = arguments, function(*arguments)
        return results[key][1]

    return once


@contextlib.contextmanager
def _replaced(module: ModuleType, name: str, replacement: object) -> Iterator[None]:
    """Replace a name in a module that has it."""
    missing = object()
    original = getattr(module, name, missing)
    if original is missing:
        yield
        return
    setattr(module, name, replacement)
    try:
        yield
    finally:
        setattr(module, name, original)
