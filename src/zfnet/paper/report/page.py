"""report.html: everything of one results folder on one page that needs no network, readable on a phone and on paper.

It shows what the files say and nothing else: an item that was not made is a sentence with the command that makes it.
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
from zfnet.paper.report import curves, effects, workflow_graph
from zfnet.paper.report.comparison import table_view
from zfnet.paper.report.documents import citation, decisions, edges, set_to
from zfnet.paper.report.embedded import LIGHT, USUAL, Weight, downloads, embedded
from zfnet.paper.report.folder_index import LIST, index_stage
from zfnet.paper.report.origins import cost, origins, stages, totals
from zfnet.paper.results import Results
from zfnet.paper.tables import table
from zfnet.settings import Settings

PAPER = Path(__file__).parents[1]
VERDICTS = ("holds", "fails", "undecided", "not run")
BADGES = {"holds": "✓", "fails": "✗", "undecided": "?", "not run": "–"}
HEADLINE = {"replica": "Krizhevsky replica", "zf": "ZF net", "zf5": "ZF ensemble", "zf5-wide": "with the wide net"}


@cache
def _yaml(name: str) -> dict[str, dict[str, Any]]:
    return yaml.safe_load((PAPER / name).read_text(encoding="utf-8"))


def captions() -> dict[str, dict[str, Any]]:
    """Titles, hints, alternative texts, decisions and sources of all tables and figures, by name."""
    return _yaml("captions.yaml")


def chapters() -> dict[str, dict[str, Any]]:
    """The page's chapters; items that none of them names stand in the last one."""
    found = {name: dict(chapter) for name, chapter in _yaml("report/chapters.yaml").items()}
    named = {item for chapter in found.values() for item in chapter["items"]}
    last = found[list(found)[-1]]
    last["items"] = [*last["items"], *(item for item in captions() if item not in named)]
    return found


def chapter_of(claim: str) -> str:
    """The chapter of a claim, by the items that it is about ('ZF-T2, K-T2')."""
    return next(name for name, chapter in chapters().items() if re.search(chapter["claims"], claim))


def environment() -> Environment:
    """The templates: every text is escaped, an unknown name is an error."""
    made = Environment(
        loader=PackageLoader("zfnet.paper.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    made.filters |= {"item_links": item_links, "backticks": backticks, "breakable": breakable}
    return made


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
            graph=workflow_graph.layout(steps) if (steps := [edge for edge in edges() if edge[1] != "all"]) else None,
            decisions=[(one, set_to(one, dict(values))) for one in decisions()],
            citation=citation(),
            made=provenance(),
        )
    )


# ---- the run as a whole ----------------------------------------------------------------------------------------------
def overview(results: Results) -> dict[str, Any]:
    """What was run, from the metrics of its trainings: classes, pictures, devices, hours, commits."""
    metrics = [found for run in results.runs.values() if (found := results.of_run(run, "metrics"))]
    evaluated = [found for run in results.runs.values() if (found := results.of_run(run, "evaluation"))]
    commits = {_commit(found.get("provenance", {})) for found in metrics}
    return {
        "trainings": len(metrics),
        "classes": max((found["classes"] for found in metrics if "classes" in found), default=None),
        "val_images": max((found["val"]["images"] for found in evaluated), default=None),
        "devices": sorted({found["device"] for found in metrics if found.get("device")}),
        "hours": sum(found.get("seconds") or 0 for found in metrics) / 3600,
        "commits": sorted(commits - {""}),
        "headline": _headline(results),
    }


def _commit(origin: dict[str, Any]) -> str:
    commit = (origin.get("commit") or "")[:10]
    return f"{commit} with uncommitted changes" if commit and origin.get("dirty") else commit


def _headline(results: Results) -> list[dict[str, Any]]:
    """The few numbers everybody asks for first: top-5 errors of Table 2 beside the printed ones."""
    frame = _read(results, "tables/table2.csv")
    if frame is None:
        return []
    return [
        {"name": name, "ours": frame.loc[row, "ours_val_top5"], "paper": frame.loc[row, "paper_val_top5"]}
        for row, name in HEADLINE.items()
        if pd.notna(frame.loc[row, "ours_val_top5"])
    ]


def _shown(settings: Settings) -> dict[str, Any]:
    """The settings that decide results: neither places nor what a job may take."""
    return settings.model_dump(mode="json", exclude={"archives", "results", "jobs"})


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Settings as (path, value)."""
    rows: list[tuple[str, str]] = []
    for key, value in values.items():
        rows += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", _value(value))]
    return rows


def _value(value: Any) -> str:
    """A setting as people write it."""
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    if isinstance(value, bool):  # which are numbers, too
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None else str(value)


# ---- chapters --------------------------------------------------------------------------------------------------------
def _records(results: Results, name: str) -> list[dict[str, Any]]:
    """The rows of a CSV file, empty cells as empty texts; none where there is no file."""
    frame = results.frame(name)
    return [] if frame is None else frame.astype(object).fillna("").to_dict("records")


def _counts(claims: list[dict[str, Any]]) -> dict[str, int]:
    found = Counter(claim["verdict"] for claim in claims)
    return {verdict: found[verdict] for verdict in VERDICTS}


def _chapter(
    results: Results, name: str, chapter: dict[str, Any], claims: list[dict[str, Any]], weight: Weight
) -> dict[str, Any]:
    """A chapter with its items and claims."""
    return {
        "id": name,
        **chapter,
        "items": [_item(results, item, weight) for item in chapter["items"]],
        "claims": [claim for claim in claims if chapter_of(claim["item"]) == name],
    }


def _item(results: Results, name: str, weight: Weight) -> dict[str, Any]:
    """A table or figure with its caption and where it comes from."""
    item = captions()[name]
    shared = {"id": name, "name": item_name(name), **item, "origins": origins(results, item["sources"])}
    return shared | (_table if name.startswith("table") else _figure)(results, name, weight)


def item_name(name: str) -> str:
    """'Table 2' of table2, '' of an item without a number."""
    found = re.fullmatch(r"(table|figure)(\d+)", name)
    return f"{found[1].capitalize()} {found[2]}" if found else ""


def _table(results: Results, name: str, weight: Weight) -> dict[str, Any]:
    frame, spec = _read(results, f"tables/{name}.csv"), table.module(int(name.removeprefix("table")))
    return {
        "kind": "table",
        "view": None if frame is None else table_view(frame, spec),
        "rows_of": _runs_of_rows(results, spec, frame),
        "paired": _records(results, f"tables/{name}-paired.csv"),
        "files": downloads(results.root / "tables", name, weight.heaviest),
    }


def _runs_of_rows(results: Results, spec: Any, frame: pd.DataFrame | None) -> dict[str, list[str]]:
    """Per row of a table about trainings, the runs it was measured on."""
    if frame is None or not hasattr(spec, "runs"):
        return {}
    found = {row: [run.name for run in spec.runs(results, row)] for row in frame.index}
    return {row: runs for row, runs in found.items() if runs}


def _figure(results: Results, name: str, weight: Weight) -> dict[str, Any]:
    path = results.root / "figures" / f"{name}.png"
    return {
        "kind": "figure",
        "image": embedded(path, weight) if path.exists() else None,
        "files": downloads(results.root / "figures", name, weight.heaviest),
    }


def _read(results: Results, name: str) -> pd.DataFrame | None:
    """A table as it was written; texts that are empty read as missing."""
    frame = results.frame(name)
    if frame is None:
        return None
    return frame.set_index("row").assign(reason=frame["reason"].astype(object).fillna("").to_numpy())


# ---- filters of the templates ----------------------------------------------------------------------------------------
def item_links(claim: str) -> list[tuple[str, str]]:
    """The tables and figures of Zeiler & Fergus that a claim is about, as (id, name)."""
    kinds = {"T": "table", "F": "figure"}
    names = [f"{kinds[kind]}{number}" for kind, number in re.findall(r"ZF-([TF])(\d)", claim)]
    return [(name, item_name(name)) for name in dict.fromkeys(names) if name in captions()]


def backticks(text: str) -> Markup:
    """A text of Markdown whose `words` are code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def breakable(path: str) -> Markup:
    """A dotted path that may go on in the next line after each dot."""
    return escape(path).replace(".", Markup(".<wbr>"))


# ---- stage -----------------------------------------------------------------------------------------------------------
def curves_svg(results: Results) -> str:
    """The training curves as one drawing (SVG)."""
    return environment().get_template("curves.svg.j2").render(curves=curves.groups(results))


def report_stage(results: str | Path, settings: Settings, out: str | Path, light: bool = False) -> None:
    """Write the report of a results folder, the training curves as a drawing, and the list of files beside the page.

    A `light` page has smaller pictures and names the files that the usual one carries.
    """
    found, out = Results(results), Path(out)
    write_text(out.parent / "figures" / "curves.svg", curves_svg(found))
    write_text(out, page(found, settings, LIGHT if light else USUAL))
    index_stage(results, out.with_name(LIST))
