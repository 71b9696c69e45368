"""Class names and labels of ILSVRC-2012: the development kit of image-net.org, or the tables of Kaggle's copy.

The kit numbers its 1,000 leaves and 860 internal nodes in its own order. Only the leaves are classes, and everything
else here uses WordNet ids; only the challenge's server needs the kit's numbers.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from zfnet.core.errors import ZfnetError
from zfnet.data.readers.members import Member, archive_format, members

META = "meta.mat"
TRUTH = "ILSVRC2012_validation_ground_truth.txt"
MAPPING = "LOC_synset_mapping.txt"
SOLUTION = "LOC_val_solution.csv"
MATLAB = b"MATLAB 5.0"  # first bytes of such a file
OFFICIAL = "the official kit is ILSVRC2012_devkit_t12.tar.gz of image-net.org"


@dataclass(frozen=True)
class Devkit:
    """What is known about the classes; Kaggle's tables lack counts and numbers."""

    words: dict[str, str]  # WordNet id -> names
    counts: dict[str, int]  # WordNet id -> number of training images
    truth: dict[str, str]  # stem of a validation image's file name -> WordNet id
    numbers: dict[str, int] = field(default_factory=dict)  # WordNet id -> ILSVRC2012_ID


def read_devkit(path: Path) -> Devkit:
    """Read the development kit, packed or extracted, or the folder with Kaggle's two tables.

    Raises
    ------
    ZfnetError
        A file is missing or cannot be read.
    """
    path = Path(path)
    files = _read_files(path)
    if META in files:
        return _official(files[META], files[TRUTH].decode("ascii", "replace"), path)
    return _kaggle(files[MAPPING].decode("utf-8", "replace"), files[SOLUTION].decode("utf-8", "replace"), path)


def check_devkit(path: Path) -> None:
    """Check that `path` holds class names and labels, without parsing the class table, which is slow.

    Raises
    ------
    ZfnetError
        A file is missing or does not have the format its name promises.
    """
    files = _read_files(Path(path))
    if not files.get(META, MATLAB).startswith(MATLAB):
        raise ZfnetError(f"{path}: {META} is not a MATLAB 5 file; {OFFICIAL}.")
    if not files.get(TRUTH, b"1").split():
        raise ZfnetError(f"{path}: {TRUTH} is empty; {OFFICIAL}.")


def _read_files(path: Path) -> dict[str, bytes]:
    """Return the content of either pair of files, by name."""
    files = {member.parts[-1]: member.read() for member in _files(path)}
    if {META, TRUTH} <= files.keys() or {MAPPING, SOLUTION} <= files.keys():
        return files
    missing = TRUTH if META in files else META
    raise ZfnetError(f"{path}: {missing} is missing; {OFFICIAL} (Kaggle's copy has {MAPPING} and {SOLUTION} instead).")


def _files(path: Path) -> Iterator[Member]:
    """Yield the files that matter. A folder is not searched: Kaggle's holds a million others."""
    if archive_format(path) != "folder":
        yield from (member for member in members(path) if member.parts[-1] in (META, TRUTH))
        return
    for folder in (path, path / "data", path / "ILSVRC2012_devkit_t12" / "data"):
        for name in (META, TRUTH, MAPPING, SOLUTION):
            file = folder / name
            if file.is_file():
                yield Member(name, file.stat().st_size, str(file), partial(file.open, "rb"))


def _official(meta: bytes, truth: str, path: Path) -> Devkit:
    leaves = [node for node in _synsets(meta, path) if node.children == 0]
    ids = {node.number: node.wnid for node in leaves}
    try:
        labels = [ids[int(line)] for line in truth.split()]
    except (ValueError, KeyError) as error:
        raise ZfnetError(f"{path}: {TRUTH} has a line that is not a class of {META} ({error}); {OFFICIAL}.") from None
    return Devkit(
        words={node.wnid: node.words for node in leaves},
        counts={node.wnid: node.images for node in leaves},
        truth={f"ILSVRC2012_val_{number:08d}": wnid for number, wnid in enumerate(labels, 1)},
        numbers={wnid: number for number, wnid in ids.items()},
    )


class _Synset(NamedTuple):
    number: int
    wnid: str
    words: str
    children: int
    images: int


def _synsets(meta: bytes, path: Path) -> list[_Synset]:
    from scipy.io import loadmat  # here, because it takes half a second and only this reader needs it

    try:
        synsets = loadmat(io.BytesIO(meta), squeeze_me=True, variable_names=["synsets"])["synsets"]
        return [_synset(node) for node in synsets]
    except Exception as error:  # loadmat may raise anything on a damaged file
        raise ZfnetError(f"{path}: {META} cannot be read ({error}); {OFFICIAL}.") from None


def _synset(node: Any) -> _Synset:
    return _Synset(
        number=int(node["ILSVRC2012_ID"]),
        wnid=str(node["WNID"]),
        words=str(node["words"]),
        children=int(node["num_children"]),
        images=int(node["num_train_images"]),
    )


def _kaggle(mapping: str, solution: str, path: Path) -> Devkit:
    words = dict(line.split(" ", 1) for line in mapping.splitlines() if " " in line)
    rows = csv.DictReader(io.StringIO(solution))
    try:
        truth = {row["ImageId"]: row["PredictionString"].split()[0] for row in rows}
    except (KeyError, IndexError, AttributeError, csv.Error):
        raise ZfnetError(
            f"{path}: {SOLUTION} lacks ImageId or PredictionString; get it from Kaggle's ImageNet challenge."
        ) from None
    return Devkit(words, {}, truth)
