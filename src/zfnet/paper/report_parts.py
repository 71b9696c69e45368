"""Pieces of the report as plain data: table cells with their deviation, embedded pictures, curves, cost, origins."""

import base64
import io
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pandas as pd
from PIL import Image

from zfnet.files import read_json
from zfnet.paper.results import Results, Run
from zfnet.paper.tables import OTHERS, Measure, footnotes, number_text, row_digits

STRONG = 0.3  # deviation, as a share of the printed value, that gets the full colour
WIDEST = 1600  # pixels of an embedded figure
LOSSLESS = 300_000  # bytes of a drawing, which is embedded without loss


# ---- tables ----------------------------------------------------------------------------------------------------------
class Pair(NamedTuple):
    """Ours and the paper's value of one measure, as text, with what they differ by."""

    ours: str
    paper: str
    difference: str
    side: str  # better, worse or empty
    strength: float  # 0..1


def table_view(frame: pd.DataFrame, spec: ModuleType) -> dict[str, Any]:
    """Headings, rows of pairs, printed-only columns and notes of a table."""
    others = getattr(spec, "OTHERS", {})
    rows = [
        {
            "label": row["label"],
            "ours_label": "" if pd.isna(row["ours_label"]) else row["ours_label"],
            "foreign": row["reason"] == OTHERS,
            "flag": "" if pd.isna(row["flag"]) else row["flag"],
            "pairs": [
                _pair(row, name, measure, row_digits(spec, key, measure.digits))
                for name, measure in spec.MEASURES.items()
            ],
            "others": [number_text(row[f"paper_{name}"], None, row_digits(spec, key, 1)) for name in others],
            "n": "/".join(dict.fromkeys(_count(row[f"ours_{name}_n"]) for name in spec.MEASURES)).strip("/"),
        }
        for key, row in frame.iterrows()
    ]
    measures = [measure.label for measure in spec.MEASURES.values()]
    head = {"label": spec.LABEL, "measures": measures, "others": list(others.values())}
    return {"title": spec.TITLE, "head": head, "rows": rows, "notes": footnotes(frame)}


def _pair(row: pd.Series, name: str, measure: Measure, digits: int) -> Pair:
    ours, paper = row[f"ours_{name}"], row.get(f"paper_{name}")
    texts = [
        number_text(row.get(f"{side}_{name}"), row.get(f"{side}_{name}_spread"), digits, side == "paper")
        for side in ("ours", "paper")
    ]
    if pd.isna(ours) or pd.isna(paper) or not measure.better:
        return Pair(*texts, "", "", 0.0)
    difference = ours - paper
    better = (difference > 0) == (measure.better == "high")
    strength = min(1.0, abs(difference) / max(STRONG * abs(paper), 1e-9))
    return Pair(*texts, f"{difference:+.{digits}f}", "better" if better else "worse", round(strength, 2))


def _count(n: float) -> str:
    return "" if pd.isna(n) else str(int(n))


# ---- pictures --------------------------------------------------------------------------------------------------------
def embedded(path: Path) -> dict[str, Any]:
    """A picture as data: URL in WebP, at most 1600 pixels wide, drawings without loss."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    if image.width > WIDEST:
        image = image.resize((WIDEST, round(image.height * WIDEST / image.width)), Image.Resampling.LANCZOS)
    data = _webp(image, lossless=True) if path.stat().st_size <= LOSSLESS else _webp(image, quality=86)
    url = "data:image/webp;base64," + base64.b64encode(data).decode()
    return {"url": url, "width": image.width, "height": image.height}


def _webp(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", method=2, **options)
    return buffer.getvalue()


# ---- training curves -------------------------------------------------------------------------------------------------
PANELS = {
    "Fig. 3 model": ("zf-s1", "zf-s2", "zf-s3", "zf-s4", "zf-s5", "zf-clean", "zf-unclipped"),
    "Its widths": ("zf-s1", "zf-wide", "zf-fc2048", "zf-fc8192", "zf-wide-fc8192"),
    "Krizhevsky's net, cut": ("krizhevsky-s1", *(f"krizhevsky-{cut}" for cut in ("no34", "no7", "no67", "no3467"))),
    "Krizhevsky's net, other widths": ("krizhevsky-s1", "krizhevsky-fc2048", "krizhevsky-fc8192"),
}
COLOURS = ("#1f4e8c", "#d9822b", "#3a8f5c", "#b33a3a", "#7a5ba6", "#6b5344", "#c06ba8")
SIZE, EDGES = (420, 240), (40, 8, 8, 28)  # width, height; left, right, top, bottom, in SVG units


def curve_panels(results: Results) -> list[dict[str, Any]]:
    """Validation top-5 error against epochs, one panel per group of trainings that has any history."""
    panels = []
    for title, names in PANELS.items():
        histories = {name: _history(results, results.runs[name]) for name in names if name in results.runs}
        histories = {name: points for name, points in histories.items() if points}
        if histories:
            panels.append({"title": title, **_drawn(histories)})
    return panels


def _history(results: Results, run: Run) -> list[tuple[float, float]]:
    return [(row["epoch"], row["val_top5"]) for row in results.history(run) if row.get("val_top5") is not None]


def _drawn(histories: dict[str, list[tuple[float, float]]]) -> dict[str, Any]:
    """Curves and ticks in SVG units."""
    (width, height), (left, right, top, bottom) = SIZE, EDGES
    last = max(epoch for points in histories.values() for epoch, _ in points)
    highest = max(5.0, *(value for points in histories.values() for _, value in points))

    def x(epoch: float) -> float:
        return round(left + (width - left - right) * (epoch - 1) / max(last - 1, 1), 1)

    def y(value: float) -> float:
        return round(top + (height - top - bottom) * (1 - value / highest), 1)

    lines = [
        {"name": name, "colour": colour, "points": " ".join(f"{x(e)},{y(v)}" for e, v in points), "end": points[-1][1]}
        for (name, points), colour in zip(histories.items(), COLOURS, strict=False)
    ]
    epochs = [(x(epoch), epoch) for epoch in _ticks(1, last)]
    values = [(y(value), value) for value in _ticks(0, highest)]
    box = {
        "width": width,
        "height": height,
        "left": left,
        "right": width - right,
        "bottom": height - bottom,
        "top": top,
    }
    return {"lines": lines, "epochs": epochs, "values": values, "box": box}


def _ticks(low: float, high: float) -> list[int]:
    """Round numbers from low to high, about five."""
    step = next(step for step in (1, 2, 5, 10, 20, 25, 50, 100, 1000) if (high - low) / step <= 6)
    return [value for value in range(0, int(high) + 1, step) if value >= low]


# ---- cost and origins ------------------------------------------------------------------------------------------------
def cost(results: Results) -> list[dict[str, Any]]:
    """What every training took, as its metrics say."""
    keys = (
        "epochs",
        "parameters",
        "images_per_second",
        "seconds",
        "peak_memory_mb",
        "device",
        "precision",
        "val_top5",
        "stuck",
    )
    rows = []
    for name, run in results.runs.items():
        metrics = results.of_run(run, "metrics")
        if metrics:
            rows.append({"run": name, "seed": run.seed, **{key: metrics.get(key) for key in keys}})
    return rows


def origins(results: Results, sources: list[str]) -> list[dict[str, Any]]:
    """Per source pattern: the files found, and from JSON the commit, time and command that made them."""
    rows = []
    for pattern in sources:
        paths = sorted(results.root.glob(pattern))
        rows += [_origin(results, path) for path in paths] or [{"file": pattern, "found": False}]
    return rows


def _origin(results: Results, path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"file": str(path.relative_to(results.root)), "found": True, "made": {}}
    if path.suffix == ".json":
        content = read_json(path)
        found["made"] = content.get("provenance", {}) if isinstance(content, dict) else {}
    return found
