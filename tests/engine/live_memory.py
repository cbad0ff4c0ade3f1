"""What live tensors take at most: what an allocator of a GPU would count, on any device."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

if TYPE_CHECKING:
    from collections.abc import Iterable


class LiveTensors(TorchDispatchMode):
    """Counts the bytes of every storage that is made inside its `with` block for as long as it lives."""

    def __init__(self, there: Iterable[torch.Tensor]) -> None:
        """What is `there` already is not counted, nor are views of it."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._there = {tensor.untyped_storage()._cdata for tensor in there}
        self._live: dict[int, int] = {}

    def restart(self) -> None:
        """Forget the peak so far."""
        self.peak = sum(self._live.values())

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(found):
            if isinstance(leaf, torch.Tensor):
                self._count(leaf.untyped_storage())
        return found

    def _count(self, storage: Any) -> None:
        key = storage._cdata
        if key not in self._live and key not in self._there:
            self._live[key] = storage.nbytes()
            weakref.finalize(storage, self._live.pop, key, None)
            self.peak = max(self.peak, sum(self._live.values()))
