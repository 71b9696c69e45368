"""Class names and labels of ILSVRC-2012: the development kit of image-net.org, or the tables of Kaggle's copy.

The kit numbers its 1,000 leaves and 860 internal nodes in its own order. Only the leaves are classes, and everything
else here uses WordNet ids; only the challenge's server needs the kit's numbers.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from zfnet.core.errors import ZfnetError
from zfnet.core.parsing import reading
from zfnet.data.readers import limits
from zfnet.data.readers.mat_file import MAGIC, read_structs
from zfnet.data.readers.members import Member, archive_format, members
from zfnet.data.readers.names import readable

META = "meta.mat"
TRUTH = "ILSVRC2012_validation_ground_truth.txt"
MAPPING = "LOC_synset_mapping.txt"
SOLUTION = "LOC_val_solution.csv"
TRAIN_LIST = "train_cls.txt"  # all training images
TRAIN_SOLUTION = "LOC_train_solution.csv"  # the training images that have boxes
LIMITS = {META: limits.META_MAT, TRUTH: limits.TRUTH}  # bytes; other files: KAGGLE_TABLE
FIELDS = ("ILSVRC2012_ID", "WNID", "words", "num_children", "num_train_images")  # of meta.mat
WNID = re.compile(r"n\d{8}")
FOLDERS = (".", "data", "ILSVRC2012_devkit_t12/data", "ILSVRC/ImageSets/CLS-LOC", "ImageSets/CLS-LOC")
OFFICIAL = "the official kit is ILSVRC2012_devkit_t12.tar.gz of image-net.org"


@dataclass(frozen=True)
class Devkit:
    """What is known about the classes; Kaggle's tables lack numbers."""

    words: dict[str, str]  # WordNet id -> names
    counts: dict[str, int]  # WordNet id -> number of training images
    truth: dict[str, str]  # stem of a validation image's file name -> WordNet id
    numbers: dict[str, int] = field(default_factory=dict)  # WordNet id -> ILSVRC2012_ID
    at_least: dict[str, int] = field(default_factory=dict)  # WordNet id -> training images that a table names


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
    return _kaggle({name: content.decode("utf-8", "replace") for name, content in files.items()}, path)


def check_devkit(path: Path) -> None:
    """Check that `path` holds class names and labels, without parsing the class table, which is slow.

    Raises
    ------
    ZfnetError
        A file is missing or does not have the format its name promises.
    """
    files = _read_files(Path(path))
    if not files.get(META, MAGIC).startswith(MAGIC):
        raise ZfnetError(f"{path}: {META} is not a MATLAB 5 file; {OFFICIAL}.")
    if not files.get(TRUTH, b"1").split():
        raise ZfnetError(f"{path}: {TRUTH} is empty; {OFFICIAL}.")


def _read_files(path: Path) -> dict[str, bytes]:
    """Return the content of either pair of files, by name."""
    files: dict[str, bytes] = {}
    for member in _files(path):
        name = member.parts[-1]
        if name in files:
            raise ZfnetError(f"{member.where}: a second file of this name; {OFFICIAL}.")
        files[name] = member.read(LIMITS.get(name, limits.KAGGLE_TABLE))
    if {META, TRUTH} <= files.keys() or {MAPPING, SOLUTION} <= files.keys():
        return files
    missing = TRUTH if META in files else META
    raise ZfnetError(f"{path}: {missing} is missing; {OFFICIAL} (Kaggle's copy has {MAPPING} and {SOLUTION} instead).")


def _files(path: Path) -> Iterator[Member]:
    """Yield the files that matter. A folder is not searched: Kaggle's holds a million others."""
    if archive_format(path) != "folder":
        yield from (member for member in members(path) if member.parts[-1] in (META, TRUTH))
        return
    for folder in (path / place for place in FOLDERS):
        for name in (META, TRUTH, MAPPING, SOLUTION, TRAIN_LIST, TRAIN_SOLUTION):
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
    with reading(f"{path}: {META}", "a class table", OFFICIAL):
        return [_synset(row) for row in read_structs(meta, "synsets", FIELDS, limits.META_MAT)]


def _synset(row: dict[str, Any]) -> _Synset:
    number, wnid, words, children, images = (row[field] for field in FIELDS)
    if not WNID.fullmatch(wnid):
        raise ValueError(f"{wnid!r:.40} is not a WordNet id")
    counts = [int(count.item()) for count in (number, children, images)]
    if min(counts) < 0:
        raise ValueError(f"{wnid}: a negative number")
    return _Synset(counts[0], wnid, readable(words), *counts[1:])


def _kaggle(files: dict[str, str], path: Path) -> Devkit:
    """Read Kaggle's tables. The counts are those of its list of all training images, if that is there."""
    words = dict(line.split(" ", 1) for line in files[MAPPING].splitlines() if WNID.match(line) and " " in line)
    if not 0 < len(words) <= limits.CLASSES:
        raise ZfnetError(f"{path}: {MAPPING} names {len(words)} classes; get it from Kaggle's ImageNet challenge.")
    truth = {image: label.split()[0] for image, label in _rows(files[SOLUTION], SOLUTION, path)}
    at_least = Counter(image.split("_")[0] for image, _ in _rows(files.get(TRAIN_SOLUTION, ""), TRAIN_SOLUTION, path))
    counts = Counter(line.split("/")[0] for line in files.get(TRAIN_LIST, "").split("\n") if WNID.match(line))
    return Devkit({wnid: readable(names) for wnid, names in words.items()}, counts, truth, at_least=at_least)


def _rows(table: str, name: str, path: Path) -> Iterator[tuple[str, str]]:
    """Yield image and prediction of each row of a LOC_ table; nothing of an empty one."""
    try:
        for row in csv.DictReader(io.StringIO(table)):
            if not row["PredictionString"].split():
                raise ValueError("an image without a class")
            yield row["ImageId"], row["PredictionString"]
    except (KeyError, ValueError, AttributeError, csv.Error):
        raise ZfnetError(
            f"{path}: {name} lacks ImageId or PredictionString; get it from Kaggle's ImageNet challenge."
        ) from None
