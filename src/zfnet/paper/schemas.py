"""The form of every results file, and the rule that makes it: files are checked once, on reading.

`SCHEMAS` has one entry for each kind of file; forms.py has the forms. What is wrong becomes one sentence that names the
file, the place in it and how to make it again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from zfnet.core.errors import ZfnetError
from zfnet.paper import forms

MAX_BYTES = 200_000_000  # of a JSON or CSV file
Strings = list[str]


@dataclass(frozen=True)
class Schema:
    """The form of a kind of file, what makes it, and whether a table of it may have no rows."""

    form: Any
    maker: str
    may_be_empty: bool = False


SETTINGS = "any call of snakemake"
SCHEMAS: Mapping[str, Schema] = {  # pattern of the path below results/PRESET; the first that fits counts
    "settings/not-run.json": Schema(dict[str, Strings], SETTINGS),
    "settings/*.json": Schema(Strings, SETTINGS),  # runs, looked-at
    "runs/*/spec.json": Schema(forms.Spec, SETTINGS),
    "runs/*/metrics.json": Schema(forms.Metrics, "rule train"),
    "runs/*/history.jsonl": Schema(forms.Epoch, "rule train"),
    "runs/*/evaluation.json": Schema(forms.Evaluation, "rule evaluate"),
    "runs/*/predictions.safetensors": Schema(None, "rule evaluate"),
    "runs/*/weights.safetensors": Schema(None, "rule train"),
    "visualize/*/correspondence-pairs.csv": Schema(forms.Pair, "rule correspondence", may_be_empty=True),
    "visualize/*/evolution.csv": Schema(forms.Followed, "rule evolution"),
    "visualize/*/features.csv": Schema(forms.Strongest, "rule features"),
    "visualize/filters.csv": Schema(forms.Filters, "rule filters"),
    "visualize/*/invariance.csv": Schema(forms.Moved, "rule invariance"),
    "visualize/*/occlusion.csv": Schema(forms.Measured, "rule occlusion"),
    "visualize/*/occlusion.json": Schema(forms.Occlusion, "rule occlusion"),
    "visualize/*/methods.csv": Schema(forms.Method, "rule compare_methods"),
    "visualize/*/methods.*": Schema(forms.Origin, "rule compare_methods"),
    "visualize/*/*.safetensors": Schema(None, "the rule named like it"),
    "transfer/duplicates-curve.csv": Schema(forms.CurvePoint, "rule duplicates"),
    "transfer/duplicates.json": Schema(forms.Duplicates, "rule duplicates"),
    "transfer/heads/*.csv": Schema(forms.HeadFold, "rule heads"),
    "transfer/heads/*.json": Schema(forms.Folds, "rule heads"),
    "transfer/scratch/*.csv": Schema(forms.ScratchFold, "rule scratch"),
    "transfer/scratch/*.json": Schema(forms.Folds, "rule scratch"),
    "transfer/voc/ap.csv": Schema(forms.AveragePrecision, "rule voc"),
    "transfer/voc/*": Schema(forms.Origin, "rule voc"),
    "claims.csv": Schema(forms.Claim, "rule claims"),
    "claims-effects.csv": Schema(forms.Effect, "rule claims", may_be_empty=True),
    "tables/*-paired.csv": Schema(forms.Difference, "rule table", may_be_empty=True),
    "tables/*.csv": Schema(forms.TableRow, "rule table"),
    "*.json": Schema(forms.Origin, "the rule named like it"),
}


def schema_of(name: str) -> Schema:
    """Return the schema of a file below results/PRESET."""
    return next((schema for pattern, schema in SCHEMAS.items() if fnmatchcase(name, pattern)), Schema(None, "its rule"))


def damaged(path: Path, name: str, problem: str) -> ZfnetError:
    """Return the sentence about a file below results/PRESET that is not what its rule writes."""
    return ZfnetError(
        f"{path}: damaged ({problem}). Delete it and run the workflow again; {schema_of(name).maker} makes it."
    )


def check_size(path: Path, name: str) -> None:
    """Refuse a file that is larger than any of its kind."""
    if path.stat().st_size > MAX_BYTES:
        raise damaged(path, name, f"larger than {MAX_BYTES // 10**6} MB")


def check(path: Path, name: str, content: Any) -> None:
    """Check the content of a JSON file, or a line of a JSON-lines file."""
    if (form := schema_of(name).form) is not None:
        _validate(path, name, form, content)


def check_rows(path: Path, name: str, frame: pd.DataFrame) -> None:
    """Check the rows of a table."""
    schema = schema_of(name)
    if schema.form is None:
        return
    columns = [field.alias or key for key, field in schema.form.model_fields.items() if field.is_required()]
    if missing := [column for column in columns if column not in frame]:
        raise damaged(path, name, f"column {', '.join(missing)} is missing")
    if frame.empty and not schema.may_be_empty:
        raise damaged(path, name, "it has no rows")
    for column in frame:
        if str(column).startswith(("ours_", "paper_")) and column != "ours_label" and frame[column].dtype == object:
            raise damaged(path, name, f"column {column} holds more than numbers")
    cells = pd.DataFrame({column: _cells(frame[column]) for column in frame}, dtype=object)
    rows = cells.to_dict("records")
    _validate(path, name, list[schema.form], rows)  # type: ignore[name-defined]


def _cells(column: pd.Series) -> list[Any]:
    """Return the cells of a column as they were written: None if missing, which makes floats of whole numbers."""
    cells: list[Any] = column.astype(object).where(column.notna(), None).tolist()
    if column.dtype != float or column.notna().all():
        return cells
    return [int(cell) if cell is not None and cell.is_integer() else cell for cell in cells]


def _validate(path: Path, name: str, form: Any, content: Any) -> None:
    try:
        TypeAdapter(form).validate_python(content, strict=True)  # what is checked is used as it is: "5" is no number
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise damaged(path, name, f"{place + ': ' if place else ''}{first['msg'].lower()}") from None
