"""report.html: everything of one results folder on one page that needs no network, readable on a phone and on paper.

It shows what the files say and nothing else: an item that was not made is a sentence with the command that makes it.
"""

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from zfnet.files import write_text
from zfnet.paper import figures, tables
from zfnet.paper.report_parts import cost, curve_panels, embedded, origins, table_view
from zfnet.paper.results import Results
from zfnet.provenance import provenance
from zfnet.settings import Settings

VERDICTS = ("holds", "fails", "undecided", "not run")


@cache
def captions() -> dict[str, dict[str, Any]]:
    """Titles, hints, alternative texts, decisions and sources of all items."""
    return yaml.safe_load(Path(__file__).with_name("captions.yaml").read_text(encoding="utf-8"))


def page(results: Results, settings: Settings) -> str:
    """Render the whole page."""
    environment = Environment(
        loader=PackageLoader("zfnet.paper"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    return environment.get_template("report.html.j2").render(
        settings=settings,
        run=overview(results),
        claims=_claims(results),
        verdicts=VERDICTS,
        tables=[_table(results, number) for number in tables.NUMBERS],
        figures=[_figure(results, name) for name in figures.NAMES],
        curves=curve_panels(results),
        cost=cost(results),
        decisions=captions()["decisions"],
        values=_flat(settings.model_dump(mode="json", exclude={"archives", "results", "jobs"})),
        made=provenance(),
    )


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
    rows = {"replica": "Krizhevsky replica", "zf": "ZF net", "zf5": "ZF ensemble", "zf5-wide": "with the wide net"}
    return [
        {"name": name, "ours": frame.loc[row, "ours_val_top5"], "paper": frame.loc[row, "paper_val_top5"]}
        for row, name in rows.items()
        if pd.notna(frame.loc[row, "ours_val_top5"])
    ]


def _claims(results: Results) -> dict[str, Any] | None:
    frame = results.frame("claims.csv")
    if frame is None:
        return None
    rows = frame.astype(object).fillna("").to_dict("records")
    return {"rows": rows, "counts": Counter({verdict: 0 for verdict in VERDICTS} | Counter(frame["verdict"]))}


def _table(results: Results, number: int) -> dict[str, Any]:
    name = f"table{number}"
    frame, spec = _read(results, f"tables/{name}.csv"), tables.module(number)
    view = None if frame is None else table_view(frame, spec)
    return {"id": name, "number": number, "view": view, **_item(results, name)}


def _figure(results: Results, name: str) -> dict[str, Any]:
    path = results.root / "figures" / f"{name}.png"
    heading = name.replace("figure", "Figure ").capitalize()
    return {"id": name, "heading": heading, "image": embedded(path) if path.exists() else None, **_item(results, name)}


def _item(results: Results, name: str) -> dict[str, Any]:
    """Caption of an item and where it comes from."""
    item = captions()[name]
    return {**item, "origins": origins(results, item["sources"])}


def _read(results: Results, name: str) -> pd.DataFrame | None:
    """A table as it was written; texts that are empty read as missing."""
    frame = results.frame(name)
    if frame is None:
        return None
    return frame.set_index("row").assign(reason=frame["reason"].astype(object).fillna("").to_numpy())


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Settings as (path, value)."""
    rows: list[tuple[str, str]] = []
    for key, value in values.items():
        rows += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", str(value))]
    return rows


def report_stage(results: str | Path, settings: Settings, out: str | Path) -> None:
    """Write the report of a results folder."""
    write_text(out, page(Results(results), settings))
