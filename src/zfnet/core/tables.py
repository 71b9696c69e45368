"""CSV tables, written atomically."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zfnet.core.files import atomic


def write_table(path: str | Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file with a header line and floats of seven significant digits.

    Parameters
    ----------
    columns : names of the columns.
    rows : one sequence of cells per row, in the order of `columns`.
    """
    _write(path, columns, ([f"{cell:.7g}" if isinstance(cell, float) else cell for cell in row] for row in rows))


def write_records(path: str | Path, columns: Sequence[str], records: Iterable[Mapping[str, Any]]) -> None:
    """Write a CSV file with a header line from one mapping per row, floats with all their digits."""
    _write(path, columns, ([record[column] for column in columns] for record in records))


def _write(path: str | Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
