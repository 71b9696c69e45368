"""README.md of a results folder: one line a file that says what it is."""

from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from itertools import groupby
from pathlib import Path

import yaml

from zfnet.core.files import write_text

LIST = "README.md"
HEADINGS = {
    "tables": "Tables",
    "figures": "Figures",
    "runs": "Trainings",
    "visualize": "What the nets see",
    "transfer": "Transfer to other data sets",
    "data": "Data",
    "settings": "Settings",
    "world": "Generated archives",
}


@dataclass(frozen=True)
class Entry:
    """A file, or a folder that stands for its files: its path, the bytes it holds and what it is."""

    path: str
    size: int
    text: str


@cache
def _kinds() -> dict[str, str]:
    return yaml.safe_load(Path(__file__).with_name("folder_index.yaml").read_text(encoding="utf-8"))


@cache
def _titles() -> dict[str, str]:
    items = yaml.safe_load(Path(__file__).parents[1].joinpath("captions.yaml").read_text(encoding="utf-8"))
    return {name: item["title"] for name, item in items.items() if "title" in item}


def kind(path: str) -> tuple[str, str]:
    """What a path below the results folder is: the path that its line names (its own or a folder's), and a text.

    The text is empty where no pattern fits.
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
    """'Table 2, ImageNet errors …' of table2."""
    number = stem.removeprefix("table").removeprefix("figure")
    name = f"{stem.removesuffix(number).capitalize()} {number}, " if number.isdigit() else ""
    return f"{name}{_titles().get(stem, stem)}"


def entries(root: Path) -> list[Entry]:
    """All files of a results folder but its list, by path; hidden ones are being written and left out."""
    sizes: dict[tuple[str, str], int] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        if path.is_file() and path != root / LIST and not any(part.startswith(".") for part in name.parts):
            shown = kind(name.as_posix())
            sizes[shown] = sizes.get(shown, 0) + path.stat().st_size
    return [Entry(path, size, text) for (path, text), size in sizes.items()]


def index(root: Path) -> str:
    """The page in Markdown: files at the top, then a table for each folder."""
    groups = groupby(
        sorted(entries(root), key=_place), key=lambda entry: entry.path.split("/")[0] if "/" in entry.path else ""
    )
    parts = [f"# Results of the preset {root.name}\n\nStart with [report.html](report.html).\n"]
    for folder, found in groups:
        heading = f"\n## {HEADINGS.get(folder, folder)}\n" if folder else ""
        rows = [f"| [{one.path}]({one.path}) | {_bytes(one.size)} | {one.text} |" for one in found]
        parts.append("\n".join([heading, "| path | size | what |", "|---|---|---|", *rows]) + "\n")
    return "".join(parts)


def _place(entry: Entry) -> tuple[int, str]:
    """Files at the top first, then the folders in the order of their headings."""
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
