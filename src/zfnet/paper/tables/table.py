"""Write tables as CSV for machines, Markdown for reading and LaTeX for papers: ours beside the published values.

A frame has, for every measure m, ours_m, ours_m_spread (standard deviation) and ours_m_n (number of seeds, folds or
pairs) beside paper_m and paper_m_spread. A value that was not measured is empty, and the column `reason` says why; a
published value is never copied into ours.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from zfnet.core.files import write_text
from zfnet.paper import published
from zfnet.paper.items import find, items
from zfnet.paper.results import Results, Run
from zfnet.paper.tables import paired
from zfnet.paper.tables.latex import booktabs

PUBLISHED_ONLY = "published only"  # the reason of other people's rows


@dataclass(frozen=True)
class Measure:
    """A column: its heading, its digits and which direction is better."""

    label: str
    digits: int = 1
    better: str = "high"  # or "low", or "" if neither is


@dataclass(frozen=True)
class Measured:
    """A value of ours: mean, standard deviation and number of repetitions (None and 1 if there is only one)."""

    value: float
    spread: float | None = None
    n: int = 1


Cell = Measured | str  # a text is the reason why there is no value


@dataclass(frozen=True)
class Table:
    """A table of the paper: how it is computed and how it is read. items.yaml holds its title, inputs and caption."""

    number: int
    label: str  # heading of the first column
    measures: Mapping[str, Measure]
    build: Callable[[Results], pd.DataFrame]  # as `assemble` returns it
    others: Mapping[str, str] = field(default_factory=dict)  # published columns of other methods, {name: heading}
    whole_rows: tuple[str, ...] = ()  # rows of whole numbers
    paired: Callable[[Results], pd.DataFrame] = paired.no_comparisons  # differences within folds
    runs: Callable[[Results, str], list[Run]] | None = None  # the trainings that a row is measured on

    @property
    def name(self) -> str:
        """Its name in items.yaml."""
        return f"table{self.number}"

    def digits(self, row: str, digits: int) -> int:
        """Return the digits of a cell: those of its measure, none in rows of whole numbers."""
        return 0 if row in self.whole_rows else digits


def measured(values: Iterable[float], reason: str) -> Cell:
    """Summarise repetitions by mean and standard deviation, or return the reason if there are none."""
    values = np.asarray(list(values), dtype=float)
    if values.size == 0:
        return reason
    spread = float(values.std(ddof=1)) if values.size > 1 else None
    return Measured(float(values.mean()), spread, values.size)


def assemble(
    number: int,
    measures: Mapping[str, Measure],
    ours: Mapping[str, Mapping[str, Cell]],
    labels: Mapping[str, str] = {},
    notes: Mapping[str, str] = {},
) -> pd.DataFrame:
    """Set ours beside the published numbers of Table `number`.

    Parameters
    ----------
    ours : {row: {measure: Cell}}
        Rows that are missing belong to others and are published only.
    labels : {row: text}
        What was measured, if it differs from the published label ("2 convnets …").
    notes : {row: text}
        Remarks on a row, such as classes that were left out; "; " separates them.

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
    values = {row: cell for row, cell in cells.items() if isinstance(cell, Measured)}
    return {
        f"ours_{name}": pd.Series({row: cell.value for row, cell in values.items()}, dtype=float),
        f"ours_{name}_spread": pd.Series({row: cell.spread for row, cell in values.items()}, dtype=float),
        f"ours_{name}_n": pd.Series({row: cell.n for row, cell in values.items()}, dtype="Int64"),
    }


def _reason(cells: Mapping[str, Cell] | None, note: str) -> str:
    if cells is None:
        return PUBLISHED_ONLY
    return "; ".join(
        dict.fromkeys([*(cell for cell in cells.values() if isinstance(cell, str)), *filter(None, [note])])
    )


# ---- reading form ----------------------------------------------------------------------------------------------------
def number_text(value: float, spread: float | None, digits: int, as_published: bool = False) -> str:
    """Format a value as the paper does: '83.8 ± 0.5', thousands separated, empty if there is none.

    Deviations `as_published` keep their own digits: '81.4 ± 0.33'.
    """
    if pd.isna(value):
        return ""
    text = f"{value:,.{digits}f}"
    if spread is None or pd.isna(spread):
        return text
    return f"{text} ± {spread:g}" if as_published else f"{text} ± {spread:.{digits}f}"


def readable(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Return the table as text: 'ours' and 'paper' per measure, and n."""
    shown = pd.DataFrame({table.label: [_label(row) for _, row in frame.iterrows()]}, index=frame.index)
    for name, measure in table.measures.items():
        for side in ("ours", "paper"):
            if f"{side}_{name}" in frame:
                shown[f"{measure.label}, {side}"] = _texts(frame, f"{side}_{name}", table, measure.digits)
    for name, label in table.others.items():
        shown[label] = _texts(frame, f"paper_{name}", table, 1)
    shown["n"] = _repetitions(frame, table)
    return shown


def _label(row: pd.Series) -> str:
    return row["label"] if pd.isna(row["ours_label"]) else f"{row['label']} [ours: {row['ours_label']}]"


def _texts(frame: pd.DataFrame, column: str, table: Table, digits: int) -> list[str]:
    spreads = frame.get(f"{column}_spread", pd.Series(np.nan, index=frame.index))
    cells = zip(frame.index, frame[column], spreads, strict=True)
    as_published = column.startswith("paper_")
    return [number_text(value, spread, table.digits(row, digits), as_published) for row, value, spread in cells]


def _repetitions(frame: pd.DataFrame, table: Table) -> list[str]:
    counts = frame[[f"ours_{name}_n" for name in table.measures]]
    return ["/".join(str(n) for n in dict.fromkeys(row.dropna())) for _, row in counts.iterrows()]


def footnotes(frame: pd.DataFrame) -> list[str]:
    """Return why cells of ours are empty and which published values are wrong, one sentence per cause."""
    own = frame[frame["reason"] != PUBLISHED_ONLY]
    causes = own["reason"].str.split("; ").explode()
    return [
        *_notes(causes[causes != ""], own["label"], "Ours"),
        *_notes(frame["flag"].dropna(), frame["label"], "Published"),
    ]


def _notes(causes: pd.Series, labels: pd.Series, side: str) -> list[str]:
    """Return 'Ours (rows): cause', without the rows if the cause concerns all of them."""
    notes = []
    for cause in causes.unique():
        rows = causes.index[causes == cause]
        concerned = "; ".join(labels[row].lstrip("– ") for row in rows)
        notes.append(f"{side}: {cause}" if len(rows) == len(labels) else f"{side} ({concerned}): {cause}")
    return notes


def markdown(frame: pd.DataFrame, table: Table) -> str:
    """Return the table in GitHub's Markdown, with its notes below."""
    shown = readable(frame, table)
    lines = [_pipes(shown.columns), _pipes("---" for _ in shown.columns), *(_pipes(row) for row in shown.to_numpy())]
    notes = [f"- {note}" for note in footnotes(frame)]
    heading = items()[table.name].heading
    return "\n".join([f"**{heading}**", "", *lines, "", *notes]).rstrip() + "\n"


def _pipes(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


# ---- stage -----------------------------------------------------------------------------------------------------------
def table_stage(name: str, results: str | Path, out: str | Path) -> pd.DataFrame:
    """Write the table `name` of the results folder as `out` with the endings .csv, .md and .tex.

    Paired comparisons are written to tableN-paired.csv, which has only a header if a table has none, and to the .md.
    """
    table, out, measured_results = find(name, "tables"), Path(out), Results(results)
    frame, pairs = table.build(measured_results), table.paired(measured_results)
    item = items()[name]
    latex = booktabs(item.heading, item.label, readable(frame, table), footnotes(frame))
    write_text(out.with_suffix(".csv"), frame.to_csv(lineterminator="\n"))
    write_text(out.with_name(f"{out.stem}-paired.csv"), pairs.to_csv(index=False, lineterminator="\n"))
    write_text(out.with_suffix(".md"), "\n".join(filter(None, [markdown(frame, table), paired.markdown(pairs)])))
    write_text(out.with_suffix(".tex"), latex)
    return frame
