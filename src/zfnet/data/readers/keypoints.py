"""Frontal animals with marked eyes and nose, for the correspondence analysis (Table 1, Figure 8; D21).

The authors marked five dogs by hand. Here the points come from COCO key points, or from a table with the columns key,
part, x, y. Left and right are the animal's own.
"""

import csv
import io
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from posixpath import basename, splitext
from typing import TypeVar

import numpy as np
from pydantic import ValidationError

from zfnet.core.errors import ZfnetError
from zfnet.core.parsing import read_limited, reading
from zfnet.data.readers.coco import Point, coco_marks, part_name
from zfnet.data.readers.image_match import match
from zfnet.data.readers.images import MAX_PIXELS, DamagedImage, decode, is_image, is_turned, make_key, read_size
from zfnet.data.readers.limits import KEYPOINTS
from zfnet.data.readers.members import Member, members
from zfnet.data.readers.names import readable

PARTS = ("right eye", "left eye", "nose")
FORMATS = "expected COCO's images, annotations and categories in .json, or columns key, part, x, y in .csv"

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Animal:
    """One animal with a marked face.

    key : that of its image; "key-2" and so on for further animals in the same image
    image : name of its image in the archive
    size : height and width of the image, pixels
    parts : "right eye", "left eye", "nose" (and any other marked part) -> (x, y), pixels
    box : (x, y, width, height), pixels; the whole image if none is given
    """

    key: str
    image: str
    size: tuple[int, int]
    parts: dict[str, Point]
    box: Box


@dataclass(frozen=True)
class Marks:
    """Marks of one animal, before its image is read. file : name of the image as the key point file gives it."""

    file: str
    parts: dict[str, Point]
    box: Box | None


T = TypeVar("T", Marks, Animal)


def read_parts(images: Path, keypoints: Path, max_pixels: int = MAX_PIXELS) -> list[Animal]:
    """Read all animals whose eyes and nose are visible; print how many are skipped, and why.

    No image is decoded, since few may be needed (see `read_images`).

    Parameters
    ----------
    images : archive or folder of images
    keypoints : COCO key points (.json), or a table (.csv) with columns key, part, x, y
    max_pixels : larger images are skipped

    Returns
    -------
    list of Animal, sorted by key

    Raises
    ------
    ZfnetError
        A file is missing or not in the expected format, or no animal is left.
    """
    images = Path(images)
    marks = read_marks(keypoints)
    marked = [mark for mark in marks if all(part in mark.parts for part in PARTS)]
    animals = list(
        _with_sizes(images, _by_image(images, [(mark.file, mark) for mark in marked], keypoints), max_pixels)
    )
    _report_skipped("both eyes and the nose are not all visible", len(marks) - len(marked))
    _report_skipped("the image is missing or damaged, or a point lies outside it", len(marked) - len(animals))
    if not animals:
        raise ZfnetError(
            f"{keypoints}: no animal with {', '.join(PARTS)} has its image in {images}; expected key points whose"
            f" file names are those of the images. The parts it names: {_named_parts(marks)}."
        )
    return sorted(animals, key=lambda animal: animal.key)


def _named_parts(marks: list[Marks]) -> str:
    names = sorted({name for mark in marks for name in mark.parts})
    return ", ".join(map(readable, names[:20])) or "none that is visible"


def read_images(
    images: Path, animals: Iterable[Animal], max_pixels: int = MAX_PIXELS
) -> Iterator[tuple[Animal, np.ndarray]]:
    """Decode the images of some animals one at a time, in the archive's order; print how many are damaged.

    Parameters
    ----------
    images, max_pixels : as for `read_parts`, which returned the animals

    Yields
    ------
    An animal and its image, uint8 (H, W, 3), RGB.
    """
    wanted, damaged = _by_image(Path(images), [(animal.image, animal) for animal in animals], images), 0
    for member in _members_named(Path(images), wanted):
        try:
            image = decode(member.read(), member.name, max_pixels)
        except DamagedImage:
            damaged += len(wanted[member.name])
            continue
        yield from ((animal, image) for animal in wanted[member.name])
    _report_skipped("the image is damaged", damaged)


def read_marks(path: Path) -> list[Marks]:
    """Read a key point file; points marked as invisible (v = 0) are ignored.

    Raises
    ------
    ZfnetError
        The file is missing, too large, or in neither format.
    """
    path = Path(path)
    with reading(path, "a key point file", FORMATS):
        content = _content(path)
        try:
            is_table = path.suffix.lower() == ".csv"
            return list(_from_table(content.decode("utf-8-sig")) if is_table else _from_coco(content))
        except ValidationError as error:
            first = next(iter(error.errors(include_input=False, include_context=False)))
            place = ".".join(map(str, first["loc"])) or "the file"
            raise ValueError(f"{place}: {first['msg']}") from None


# Images ---------------------------------------------------------------------------------------------------------------


def _by_image(images: Path, named: list[tuple[str, T]], where: object) -> dict[str, list[T]]:
    """Group marks or animals, given with a file name each, by the image in the archive that the name means."""
    names = (member.name for member in members(images) if is_image(member.name))
    found = match((file for file, _ in named), names, where)
    groups: dict[str, list[T]] = {}
    for file, item in named:
        if file in found:
            groups.setdefault(found[file], []).append(item)
    return groups


def _with_sizes(images: Path, wanted: dict[str, list[Marks]], max_pixels: int) -> Iterator[Animal]:
    """Read the images once and yield the animals of each."""
    stems = Counter(map(_stem, wanted))
    for member in _members_named(images, wanted):
        data = member.read()
        try:
            height, width = read_size(data, member.name, max_pixels)
        except DamagedImage:
            continue
        if is_turned(data):  # in the stored frame, or the upright one? the marks do not say
            _report_skipped(f"{member.where} is stored turned (EXIF orientation)", len(wanted[member.name]))
            continue
        base = member.stem if stems[member.stem] == 1 else member.name
        for number, marks in enumerate(wanted[member.name], 1):
            if _inside(marks, height, width):
                key = make_key(base if number == 1 else f"{base}-{number}")
                box = marks.box or (0.0, 0.0, float(width), float(height))
                yield Animal(key, member.name, (height, width), marks.parts, box)


def _stem(name: str) -> str:
    return splitext(basename(name))[0]


def _members_named(images: Path, names: Collection[str]) -> Iterator[Member]:
    return (member for member in members(images) if member.name in names)


def _inside(marks: Marks, height: int, width: int) -> bool:
    return all(0 <= x < width and 0 <= y < height for x, y in (marks.parts[part] for part in PARTS))


def _report_skipped(reason: str, count: int) -> None:
    if count:
        print(f"correspondence: {count} animals skipped: {reason}", flush=True)


# Formats --------------------------------------------------------------------------------------------------------------


def _from_coco(content: bytes) -> Iterator[Marks]:
    for file, parts, box in coco_marks(content):
        yield Marks(file, parts, (box[0], box[1], box[2], box[3]) if box else None)


def _from_table(text: str) -> Iterator[Marks]:
    """Parse a table with one row per point and one animal per image."""
    animals: dict[str, dict[str, Point]] = {}
    for row in csv.DictReader(io.StringIO(text)):
        animals.setdefault(row["key"], {})[part_name(row["part"])] = (float(row["x"]), float(row["y"]))
    if not animals:
        raise ValueError("no rows")
    yield from (Marks(file, parts, None) for file, parts in animals.items())


def _content(path: Path) -> bytes:
    try:
        return read_limited(path, KEYPOINTS)
    except OSError as error:
        raise ZfnetError(f"{path}: {error.strerror}; set archives: parts_keypoints in config.yaml.") from None
