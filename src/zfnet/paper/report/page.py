"""Write report.html: one page for a results folder that needs no network and is readable on a phone and on paper.

It shows only what the files contain: instead of a missing item it names the command that makes it.
"""

import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from zfnet.core.files import write_text
from zfnet.core.provenance import provenance
from zfnet.paper.items import Item, input_paths, items
from zfnet.paper.report import curves, effects, workflow_graph
from zfnet.paper.report.comparison import table_view
from zfnet.paper.report.documents import citation, decisions, edges, set_to
from zfnet.paper.report.embedded import LIGHT, USUAL, Weight, downloads, embedded
from zfnet.paper.report.folder_index import LIST, index_stage
from zfnet.paper.report.origins import cost, origins, stages, totals
from zfnet.paper.results import Results
from zfnet.paper.tables.table import Table
from zfnet.settings import Settings

VERDICTS = ("holds", "fails", "undecided", "not run")
BADGES = {"holds": "✓", "fails": "✗", "undecided": "?", "not run": "–"}
HEADLINE = {"replica": "Krizhevsky replica", "zf": "ZF net", "zf5": "ZF ensemble", "zf5-wide": "with the wide net"}


@cache
def chapters() -> dict[str, dict[str, Any]]:
    """Return the page's chapters, by name."""
    return yaml.safe_load(Path(__file__).with_name("chapters.yaml").read_text(encoding="utf-8"))


def chapter_of(claim: str) -> str:
    """Return the chapter of a claim, given the items that it is about ('ZF-T2, K-T2')."""
    return next(name for name, chapter in chapters().items() if re.search(chapter["claims"], claim))


def environment() -> Environment:
    """Return the template environment: every text is escaped, an unknown name is an error."""
    templates = Environment(
        loader=PackageLoader("zfnet.paper.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    templates.filters |= {"item_links": item_links, "backticks": backticks, "breakable": breakable}
    return templates


def page(results: Results, settings: Settings, weight: Weight = USUAL) -> str:
    """Render the whole page."""
    claims, trained, values = _records(results, "claims.csv"), cost(results), _flat(_shown(settings))
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            settings=settings,
            values=values,
            run=overview(results),
            verdicts=VERDICTS,
            badges=BADGES,
            claims=claims,
            effects=effects.effects(results),
            counts=_counts(claims),
            chapters=[_chapter(results, name, chapter, claims, weight) for name, chapter in chapters().items()],
            curves=curves.groups(results),
            cost=trained,
            totals=totals(trained),
            stages=stages(results),
            graph=workflow_graph.layout([edge for edge in edges() if edge[1] != "all"]),
            decisions=[(decision, set_to(decision, dict(values))) for decision in decisions()],
            citation=citation(),
            made=provenance(),
        )
    )


# ---- the run as a whole ----------------------------------------------------------------------------------------------
def overview(results: Results) -> dict[str, Any]:
    """Summarise the metrics of all trainings: classes, images, devices, hours, commits."""
    metrics = [record for run in results.runs.values() if (record := results.of_run(run, "metrics"))]
    evaluated = [record for run in results.runs.values() if (record := results.of_run(run, "evaluation"))]
    commits = {_commit(record.get("provenance", {})) for record in metrics}
    return {
        "trainings": len(metrics),
        "classes": max((record["classes"] for record in metrics if "classes" in record), default=None),
        "val_images": max((record["val"]["images"] for record in evaluated), default=None),
        "devices": sorted({record["device"] for record in metrics if record.get("device")}),
        "hours": sum(record.get("seconds") or 0 for record in metrics) / 3600,
        "commits": sorted(commits - {""}),
        "headline": _headline(results),
    }


def _commit(origin: dict[str, Any]) -> str:
    commit = (origin.get("commit") or "")[:10]
    return f"{commit} with uncommitted changes" if commit and origin.get("dirty") else commit


def _headline(results: Results) -> list[dict[str, Any]]:
    """Return the most wanted numbers: top-5 errors of Table 2 beside the published ones."""
    frame = _read(results, "tables/table2.csv")
    if frame is None:
        return []
    return [
        {"name": name, "ours": frame.loc[row, "ours_val_top5"], "paper": frame.loc[row, "paper_val_top5"]}
        for row, name in HEADLINE.items()
        if bool(pd.notna(frame["ours_val_top5"].loc[row]))
    ]


def _shown(settings: Settings) -> dict[str, Any]:
    """Return the settings that decide results: without paths and resources."""
    return settings.model_dump(mode="json", exclude={"archives", "results", "jobs"})


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return settings as (path, value)."""
    rows: list[tuple[str, str]] = []
    for key, value in values.items():
        rows += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", _value(value))]
    return rows


def _value(value: Any) -> str:
    """Format a setting for reading."""
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    if isinstance(value, bool):  # before numbers, which bools are too
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None else str(value)


# ---- chapters --------------------------------------------------------------------------------------------------------
def _records(results: Results, name: str) -> list[dict[str, Any]]:
    """Return the rows of a CSV file with empty cells as empty texts; none if there is no file."""
    frame = results.frame(name)
    rows = [] if frame is None else frame.astype(object).fillna("").to_dict("records")
    return [{str(column): value for column, value in row.items()} for row in rows]


def _counts(claims: list[dict[str, Any]]) -> dict[str, int]:
    counts = Counter(claim["verdict"] for claim in claims)
    return {verdict: counts[verdict] for verdict in VERDICTS}


def _chapter(
    results: Results, name: str, chapter: dict[str, Any], claims: list[dict[str, Any]], weight: Weight
) -> dict[str, Any]:
    """Return a chapter with its items and claims."""
    return {
        "id": name,
        **chapter,
        "items": [_item(results, item, weight) for item in items().values() if item.chapter == name],
        "claims": [claim for claim in claims if chapter_of(claim["item"]) == name],
    }


def _item(results: Results, item: Item, weight: Weight) -> dict[str, Any]:
    """Return a table or figure with its caption and the origin of its files."""
    looked_at = [run.name for run in results.looked_at("features.csv")]
    sources = input_paths({"files": item.sources}, list(results.runs), looked_at)
    shared = {"id": item.name, "name": item.number, "title": item.caption, "origins": origins(results, sources)}
    shared |= {"look": item.look, "alt": item.alt, "decisions": item.decisions, "lacks": results.not_run(item.name)}
    if shared["lacks"]:
        return shared | {"kind": item.folder.removesuffix("s"), "view": None, "image": None}
    return shared | (_table if item.folder == "tables" else _figure)(results, item, weight)


def _table(results: Results, item: Item, weight: Weight) -> dict[str, Any]:
    frame, table = _read(results, f"tables/{item.name}.csv"), item.load()
    return {
        "kind": "table",
        "view": None if frame is None else table_view(frame, table),
        "rows_of": _runs_of_rows(results, table, frame),
        "paired": _records(results, f"tables/{item.name}-paired.csv"),
        "files": downloads(results.root / "tables", item.name, weight.heaviest),
    }


def _runs_of_rows(results: Results, table: Table, frame: pd.DataFrame | None) -> dict[str, list[str]]:
    """Return the runs behind each row of a table about trainings."""
    if frame is None or table.runs is None:
        return {}
    runs = {row: [run.name for run in table.runs(results, row)] for row in frame.index}
    return {row: names for row, names in runs.items() if names}


def _figure(results: Results, item: Item, weight: Weight) -> dict[str, Any]:
    path = results.root / "figures" / f"{item.name}.png"
    return {
        "kind": "figure",
        "image": embedded(path, weight) if path.exists() else None,
        "files": downloads(results.root / "figures", item.name, weight.heaviest),
    }


def _read(results: Results, name: str) -> pd.DataFrame | None:
    """Read a table as it was written; empty reasons become empty texts."""
    frame = results.frame(name)
    if frame is None:
        return None
    return frame.set_index("row").assign(reason=frame["reason"].astype(object).fillna("").to_numpy())


# ---- filters of the templates ----------------------------------------------------------------------------------------
def item_links(claim: str) -> list[tuple[str, str]]:
    """Return the tables and figures of Zeiler & Fergus that a claim is about, as (id, name)."""
    kinds = {"T": "table", "F": "figure"}
    names = [f"{kinds[kind]}{number}" for kind, number in re.findall(r"ZF-([TF])(\d)", claim)]
    return [(name, items()[name].number) for name in dict.fromkeys(names) if name in items()]


def backticks(text: str) -> Markup:
    """Turn the `code` of a Markdown text into HTML."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def breakable(path: str) -> Markup:
    """Allow a line break after each dot of a path."""
    return escape(path).replace(".", Markup(".<wbr>"))


# ---- stage -----------------------------------------------------------------------------------------------------------
def curves_svg(results: Results) -> str:
    """Return the training curves as one SVG drawing."""
    return environment().get_template("curves.svg.j2").render(curves=curves.groups(results))


def report_stage(results: str | Path, settings: Settings, out: str | Path, light: bool = False) -> None:
    """Write the report of a results folder, the training curves as a drawing, and the list of files.

    A `light` page has smaller images and only names the large files that the usual one embeds.
    """
    read_results, out = Results(results), Path(out)
    write_text(out.parent / "figures" / "curves.svg", curves_svg(read_results))
    write_text(out, page(read_results, settings, LIGHT if light else USUAL))
    index_stage(results, out.with_name(LIST))
