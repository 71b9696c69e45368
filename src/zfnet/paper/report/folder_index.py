"""Write README.md of a results folder: one line per file that says what it is."""

from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from itertools import groupby
from pathlib import Path

import yaml

from zfnet.core.files import write_text
from zfnet.paper.items import items

LIST = "README.md"
HEADINGS = {
    "tables": "Tables",
    "figures": "Figures",
    "runs": "Trainings",
    "visualize": "Visualisations",
    "transfer": "Transfer to other data sets",
    "data": "Data",
    "settings": "Settings",
    "world": "Generated archives",
}


@dataclass(frozen=True)
class Entry:
    """A file, or a folder that stands for its files: its path, its size in bytes and its description."""

    path: str
    size: int
    text: str


@cache
def _kinds() -> dict[str, str]:
    return yaml.safe_load(Path(__file__).with_name("folder_index.yaml").read_text(encoding="utf-8"))


def kind(path: str) -> tuple[str, str]:
    """Return the path that a file's line names (its own or its folder's), and the description.

    The description is empty if no pattern matches.
    """
    for pattern, text in _kinds().items():
        depth = pattern.count("/")
        folder = "".join(f"{part}/" for part in path.split("/")[:depth])
        if pattern.endswith("/") and path != folder and fnmatch(folder, pattern):
            return folder, text
        if path.count("/") == depth and fnmatch(path, pattern):
            return path, text.format(item=_item(Path(path).stem))
    return path, ""


def _item(stem: str) -> str:
    """Return 'Table 2. ImageNet 2012 …' of table2."""
    return items()[stem].heading if stem in items() else stem


def entries(root: Path) -> list[Entry]:
    """Return all files of a results folder except its list, by path; hidden files are unfinished and left out."""
    sizes: dict[tuple[str, str], int] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        if path.is_file() and path != root / LIST and not any(part.startswith(".") for part in name.parts):
            line = kind(name.as_posix())
            sizes[line] = sizes.get(line, 0) + path.stat().st_size
    return [Entry(path, size, text) for (path, text), size in sizes.items()]


def index(root: Path) -> str:
    """Return the page in Markdown: top-level files first, then a table per folder."""
    groups = groupby(
        sorted(entries(root), key=_place), key=lambda entry: entry.path.split("/")[0] if "/" in entry.path else ""
    )
    parts = [f"# Results of the preset {root.name}\n\nStart with [report.html](report.html).\n"]
    for folder, group in groups:
        heading = f"\n## {HEADINGS.get(folder, folder)}\n" if folder else ""
        rows = [f"| [{entry.path}]({entry.path}) | {_bytes(entry.size)} | {entry.text} |" for entry in group]
        parts.append("\n".join([heading, "| path | size | what |", "|---|---|---|", *rows]) + "\n")
    return "".join(parts)


def _place(entry: Entry) -> tuple[int, str]:
    """Sort top-level files first, then folders in the order of their headings."""
    folder = entry.path.split("/")[0] if "/" in entry.path else ""
    order = ["", *HEADINGS]
    return (order.index(folder) if folder in order else len(order), entry.path)


def _bytes(size: float) -> str:
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def index_stage(results: str | Path, out: str | Path) -> None:
    """Write the list of a results folder."""
    write_text(out, index(Path(results)))
