"""Sizes in bytes, as people write and read them."""

from __future__ import annotations

_MEGABYTE, _GIGABYTE = 1e6, 1e9
_FEW_GIGABYTES = 0.1 * _GIGABYTE


def parse_bytes(text: str) -> int:
    """Bytes of a size such as `20GB`, `512MiB` or `0`."""
    from pydantic import ByteSize, TypeAdapter, ValidationError

    try:
        size = int(TypeAdapter(ByteSize).validate_python(text))
    except ValidationError:
        size = -1
    if size < 0:
        raise ValueError(f"'{text}' is no size; write it as 20GB, 512MiB or 0")
    return size


def show_bytes(size: float) -> str:
    """Bytes as gigabytes, or as megabytes where they are few."""
    if size >= _FEW_GIGABYTES:
        return f"{size / _GIGABYTE:.2f} GB"
    return f"{size / _MEGABYTE:.1f} MB"
