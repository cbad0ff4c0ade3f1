"""Reading Parquet: one column, row after row, as far as somebody asks for more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auto_quantize_model.captions.reading import opened
from auto_quantize_model.errors import InputError, nearest, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from auto_quantize_model.captions.samples import Field, Sample

_ROWS = 1024
"""How many are in memory at a time."""


def read_parquet(path: Path, field: Field) -> Iterator[Sample]:
    """Yield each row's sample."""
    for number, value in enumerate(_column(path, field), start=1):
        yield field.checked(value, f"{path}: row {number}")


def _column(path: Path, field: Field) -> Iterator[Any]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise InputError(f"{path}: needs a package to be read: pip install pyarrow") from None
    with opened(path) as file:
        try:
            table = ParquetFile(file)
            names = table.schema_arrow.names
            if field.name not in names:
                raise InputError(
                    f"{path}: no column '{field.name}'; {nearest(field.name, names)}; "
                    f"dataset.{field.form}_key names the one that holds the {field.form}"
                )
            for rows in table.iter_batches(_ROWS, columns=[field.name]):
                yield from rows.column(0).to_pylist()
        except (ArrowException, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot be read as Parquet: {one_line(error, 200)}; write it again") from None
