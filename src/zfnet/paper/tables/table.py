"""Tables as files: ours beside the printed, as CSV for machines, Markdown for reading and LaTeX for papers.

Each module table1 … table7 has TITLE, LABEL (name of the first column), MEASURES and a pure function
`table(results)`. Its frame has, for every measure m, ours_m, ours_m_spread (standard deviation) and ours_m_n (over
so many seeds, folds or pairs) beside paper_m and paper_m_spread. A value that was not measured is empty, and the
column `reason` says why; a printed value is never copied into ours.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd

from zfnet.core.errors import ZfnetError
from zfnet.core.files import write_text
from zfnet.paper import published
from zfnet.paper.results import Results
from zfnet.paper.tables import paired
from zfnet.paper.tables.latex import booktabs

NUMBERS = range(1, 8)
OTHERS = "printed only"  # the reason of other people's rows


@dataclass(frozen=True)
class Measure:
    """A column: its heading, its digits and which way is better."""

    label: str
    digits: int = 1
    better: str = "high"  # or "low", or "" where neither is


@dataclass(frozen=True)
class Measured:
    """A value of ours: mean, standard deviation and number of repetitions (None and 1 where there is only one)."""

    value: float
    spread: float | None = None
    n: int = 1


Cell = Measured | str  # a text is the reason why there is no value


def measured(values: Iterable[float], reason: str) -> Cell:
    """Summarise repetitions by mean and standard deviation, or give the reason where there are none."""
    values = np.asarray(list(values), dtype=float)
    if values.size == 0:
        return reason
    spread = float(values.std(ddof=1)) if values.size > 1 else None
    return Measured(float(values.mean()), spread, values.size)


def module(number: int) -> ModuleType:
    """The module of Table `number`."""
    if number not in NUMBERS:
        raise ZfnetError(f"Table {number}: the paper has Tables 1 to 7; give one of these numbers.")
    return import_module(f"zfnet.paper.tables.table{number}")


def assemble(
    number: int,
    measures: Mapping[str, Measure],
    ours: Mapping[str, Mapping[str, Cell]],
    labels: Mapping[str, str] = {},
    notes: Mapping[str, str] = {},
) -> pd.DataFrame:
    """Set ours beside the printed numbers of Table `number`.

    Parameters
    ----------
    ours : {row: {measure: Cell}}
        Rows that are missing belong to others and are printed only.
    labels : {row: text}
        What was measured, where that is not quite what the printed label says ("2 convnets …").
    notes : {row: text}
        What else is to be known of a row, such as classes that took no part; "; " separates them.

    Returns
    -------
    DataFrame
        Index `row`; columns `label`, `ours_label`, then per measure ours and paper's, then `flag` and `reason`.
    """
    theirs = published.table(number)
    columns: dict[str, object] = {"label": theirs["label"], "ours_label": pd.Series(labels, dtype="string")}
    for name in measures:
        cells = {row: ours[row].get(name) for row in ours}
        columns |= _ours(name, cells)
        columns |= {f"paper_{key}": theirs[key] for key in (name, f"{name}_spread") if key in theirs}
    rest = [key for key in theirs if key not in ("label", "flag") and f"paper_{key}" not in columns]
    columns |= {f"paper_{key}": theirs[key] for key in rest}
    columns |= {
        "flag": theirs["flag"],
        "reason": pd.Series({row: _reason(ours.get(row), notes.get(row, "")) for row in theirs.index}),
    }
    return pd.DataFrame(columns, index=theirs.index)


def _ours(name: str, cells: Mapping[str, Cell | None]) -> dict[str, pd.Series]:
    found = {row: cell for row, cell in cells.items() if isinstance(cell, Measured)}
    return {
        f"ours_{name}": pd.Series({row: cell.value for row, cell in found.items()}, dtype=float),
        f"ours_{name}_spread": pd.Series({row: cell.spread for row, cell in found.items()}, dtype=float),
        f"ours_{name}_n": pd.Series({row: cell.n for row, cell in found.items()}, dtype="Int64"),
    }


def _reason(cells: Mapping[str, Cell] | None, note: str) -> str:
    if cells is None:
        return OTHERS
    return "; ".join(
        dict.fromkeys([*(cell for cell in cells.values() if isinstance(cell, str)), *filter(None, [note])])
    )


# ---- reading form ----------------------------------------------------------------------------------------------------
def number_text(value: float, spread: float | None, digits: int, as_printed: bool = False) -> str:
    """A value as the paper prints it: '83.8 ± 0.5', thousands separated, empty where there is none.

    Deviations `as_printed` keep their own digits: '81.4 ± 0.33'.
    """
    if pd.isna(value):
        return ""
    text = f"{value:,.{digits}f}"
    if spread is None or pd.isna(spread):
        return text
    return f"{text} ± {spread:g}" if as_printed else f"{text} ± {spread:.{digits}f}"


def readable(frame: pd.DataFrame, table: ModuleType) -> pd.DataFrame:
    """The table as people read it: 'ours' and 'paper' per measure as text, and n."""
    shown = pd.DataFrame({table.LABEL: [_label(row) for _, row in frame.iterrows()]}, index=frame.index)
    for name, measure in table.MEASURES.items():
        for side in ("ours", "paper"):
            if f"{side}_{name}" in frame:
                shown[f"{measure.label}, {side}"] = _texts(frame, f"{side}_{name}", table, measure.digits)
    for name, label in getattr(table, "OTHERS", {}).items():
        shown[label] = _texts(frame, f"paper_{name}", table, 1)
    shown["n"] = _repetitions(frame, table)
    return shown


def _label(row: pd.Series) -> str:
    return row["label"] if pd.isna(row["ours_label"]) else f"{row['label']} [ours: {row['ours_label']}]"


def _texts(frame: pd.DataFrame, column: str, table: ModuleType, digits: int) -> list[str]:
    spreads = frame.get(f"{column}_spread", pd.Series(np.nan, index=frame.index))
    cells = zip(frame.index, frame[column], spreads, strict=True)
    as_printed = column.startswith("paper_")
    return [number_text(value, spread, row_digits(table, row, digits), as_printed) for row, value, spread in cells]


def row_digits(table: ModuleType, row: str, digits: int) -> int:
    """Digits of a cell: those of its measure, none in rows of whole numbers."""
    return 0 if row in getattr(table, "WHOLE", ()) else digits


def _repetitions(frame: pd.DataFrame, table: ModuleType) -> list[str]:
    counts = frame[[f"ours_{name}_n" for name in table.MEASURES]]
    return ["/".join(str(n) for n in dict.fromkeys(row.dropna())) for _, row in counts.iterrows()]


def footnotes(frame: pd.DataFrame) -> list[str]:
    """Why cells of ours are empty and what is wrong in print: one sentence a cause, with the rows it concerns."""
    own = frame[frame["reason"] != OTHERS]
    causes = own["reason"].str.split("; ").explode()
    return [
        *_notes(causes[causes != ""], own["label"], "Ours"),
        *_notes(frame["flag"].dropna(), frame["label"], "Printed"),
    ]


def _notes(causes: pd.Series, labels: pd.Series, side: str) -> list[str]:
    """'Ours (rows): cause', without the rows where all are concerned."""
    notes = []
    for cause in causes.unique():
        rows = causes.index[causes == cause]
        concerned = "; ".join(labels[row].lstrip("– ") for row in rows)
        notes.append(f"{side}: {cause}" if len(rows) == len(labels) else f"{side} ({concerned}): {cause}")
    return notes


def markdown(frame: pd.DataFrame, table: ModuleType) -> str:
    """The table in GitHub's Markdown, with its notes below."""
    shown = readable(frame, table)
    lines = [_pipes(shown.columns), _pipes("---" for _ in shown.columns), *(_pipes(row) for row in shown.to_numpy())]
    notes = [f"- {note}" for note in footnotes(frame)]
    return "\n".join([f"**{table.TITLE}**", "", *lines, "", *notes]).rstrip() + "\n"


def _pipes(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


# ---- stages ----------------------------------------------------------------------------------------------------------
def table_stage(number: int, results: str | Path, out: str | Path) -> pd.DataFrame:
    """Write Table `number` of the results folder as `out` with the endings .csv, .md and .tex.

    Paired comparisons stand in tableN-paired.csv, which is only a head line where a table has none, and in the .md.
    """
    spec, out, found = module(number), Path(out), Results(results)
    frame = spec.table(found)
    pairs = spec.paired(found) if hasattr(spec, "paired") else pd.DataFrame(columns=paired.COLUMNS)
    write_text(out.with_suffix(".csv"), frame.to_csv(lineterminator="\n"))
    write_text(out.with_name(f"{out.stem}-paired.csv"), pairs.to_csv(index=False, lineterminator="\n"))
    write_text(out.with_suffix(".md"), "\n".join(filter(None, [markdown(frame, spec), paired.markdown(pairs)])))
    write_text(out.with_suffix(".tex"), booktabs(spec.TITLE, out.stem, readable(frame, spec), footnotes(frame)))
    return frame
