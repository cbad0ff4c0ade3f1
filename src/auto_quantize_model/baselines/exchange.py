"""Swapping two paths in one step, so that neither is missing at any moment."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_RENAME_SWAP = 2
_REFUSED = {errno.EINVAL, errno.ENOSYS, errno.EXDEV, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM}
"""What systems and file systems answer that cannot do it."""


def exchange(one: Path, other: Path) -> bool:
    """Swap two existing paths in one step; False, with nothing changed, where the system or file system cannot."""
    try:
        done = _call(os.fsencode(one), os.fsencode(other))
    except (AttributeError, NotImplementedError):
        return False
    if done == 0:
        return True
    number = ctypes.get_errno()
    if number in _REFUSED:
        return False
    raise OSError(number, os.strerror(number), str(other))


def _call(one: bytes, other: bytes) -> int:
    """The system's own function; an `AttributeError` where its C library lacks it."""
    if sys.platform == "linux":
        done = ctypes.CDLL(None, use_errno=True).renameat2(_AT_FDCWD, one, _AT_FDCWD, other, _RENAME_EXCHANGE)
    elif sys.platform == "darwin":
        done = ctypes.CDLL(None, use_errno=True).renamex_np(one, other, _RENAME_SWAP)
    else:
        raise NotImplementedError
    return int(done)
