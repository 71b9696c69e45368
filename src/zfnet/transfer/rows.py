"""Tables of transfer results on disk."""

import csv
import io
from pathlib import Path
from typing import Any

from zfnet.files import write_text


def write_rows(path: str | Path, columns: list[str], rows: list[dict[str, Any]]) -> None:
    """Write a CSV table in one step."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
