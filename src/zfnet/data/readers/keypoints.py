"""Frontal animals with marked eyes and nose, for the correspondence analysis (Table 1, Figure 8; D21).

The authors marked five dogs by hand. Here the points come from COCO key points, or from a table with the columns key,
part, x, y. Left and right are the animal's own.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from zfnet.core.errors import ZfnetError
from zfnet.data.readers.images import MAX_PIXELS, DamagedImage, decode, is_image, make_key, read_size
from zfnet.data.readers.members import Member, members

PARTS = ("right eye", "left eye", "nose")
TABLE_LIMIT = 1 << 26  # bytes; larger key point files are refused

Point = tuple[float, float]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Animal:
    """One animal with a marked face.

    key : that of its image; "key-2" and so on for further animals in the same image
    stem : that of its image's file name
    size : height and width of the image, pixels
    parts : "right eye", "left eye", "nose" (and any other marked part) -> (x, y), pixels
    box : (x, y, width, height), pixels; the whole image if none is given
    """

    key: str
    stem: str
    size: tuple[int, int]
    parts: dict[str, Point]
    box: Box


@dataclass(frozen=True)
class Marks:
    """Marks of one animal, before its image is read. stem : that of the image's file name."""

    stem: str
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
    marks = read_marks(keypoints)
    marked = [mark for mark in marks if all(part in mark.parts for part in PARTS)]
    animals = list(_with_sizes(Path(images), marked, max_pixels))
    _report_skipped("both eyes and the nose are not all visible", len(marks) - len(marked))
    _report_skipped("the image is missing or damaged, or a point lies outside it", len(marked) - len(animals))
    if not animals:
        raise ZfnetError(
            f"{keypoints}: no animal with {', '.join(PARTS)} has its image in {images}; expected key points whose"
            " file names are those of the images."
        )
    return sorted(animals, key=lambda animal: animal.key)


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
    wanted, damaged = _by_stem(animals), 0
    for member in _marked_members(Path(images), wanted):
        try:
            image = decode(member.read(), member.name, max_pixels)
        except DamagedImage:
            damaged += len(wanted[member.stem])
            continue
        yield from ((animal, image) for animal in wanted[member.stem])
    _report_skipped("the image is damaged", damaged)


def read_marks(path: Path) -> list[Marks]:
    """Read a key point file; points marked as invisible (v = 0) are ignored.

    Raises
    ------
    ZfnetError
        The file is missing, too large, or in neither format.
    """
    path = Path(path)
    text = _text(path)
    try:
        return list(_from_table(text) if path.suffix.lower() == ".csv" else _from_coco(text))
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
    except (KeyError, IndexError, TypeError, ValueError, csv.Error) as error:
        reason = f"{type(error).__name__}: {error}"
    raise ZfnetError(
        f"{path}: not a key point file ({reason}); expected COCO's images, annotations and categories in .json,"
        " or columns key, part, x, y in .csv."
    )


# Images ---------------------------------------------------------------------------------------------------------------


def _with_sizes(images: Path, marked: list[Marks], max_pixels: int) -> Iterator[Animal]:
    """Read the images once and yield the animals of each."""
    wanted = _by_stem(marked)
    for member in _marked_members(images, wanted):
        try:
            height, width = read_size(member.read(), member.name, max_pixels)
        except DamagedImage:
            continue
        for number, marks in enumerate(wanted[member.stem], 1):
            if _inside(marks, height, width):
                key = make_key(marks.stem if number == 1 else f"{marks.stem}-{number}")
                box = marks.box or (0.0, 0.0, float(width), float(height))
                yield Animal(key, marks.stem, (height, width), marks.parts, box)


def _by_stem(items: Iterable[T]) -> dict[str, list[T]]:
    """Group marks or animals by the file name of their image."""
    groups: dict[str, list[T]] = {}
    for item in items:
        groups.setdefault(item.stem, []).append(item)
    return groups


def _marked_members(images: Path, stems: Iterable[str]) -> Iterator[Member]:
    """Yield the first image of each of these names."""
    missing = set(stems)
    for member in members(images):
        if is_image(member.name) and member.stem in missing:
            missing.remove(member.stem)
            yield member


def _inside(marks: Marks, height: int, width: int) -> bool:
    return all(0 <= x < width and 0 <= y < height for x, y in (marks.parts[part] for part in PARTS))


def _report_skipped(reason: str, count: int) -> None:
    if count:
        print(f"correspondence: {count} animals skipped: {reason}", flush=True)


# Formats --------------------------------------------------------------------------------------------------------------


class _Image(BaseModel):
    id: int
    file_name: str


class _Annotation(BaseModel):
    image_id: int
    category_id: int
    keypoints: list[float]
    bbox: Annotated[list[FiniteFloat], Field(min_length=4, max_length=4)] | None = None


class _Category(BaseModel):
    id: int
    keypoints: list[str]


class _Coco(BaseModel):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


def _from_coco(text: str) -> Iterator[Marks]:
    """Parse COCO: key points x1, y1, v1, x2, … in the order of the category's names."""
    coco = _Coco.model_validate_json(text)
    stems = {image.id: Path(image.file_name).stem for image in coco.images}
    names = {category.id: category.keypoints for category in coco.categories}
    for animal in coco.annotations:
        points = zip(*(animal.keypoints[start::3] for start in range(3)), strict=True)
        named = zip(names[animal.category_id], points, strict=True)
        parts = {_name(name): (x, y) for name, (x, y, visible) in named if visible > 0}
        yield Marks(stems[animal.image_id], parts, _box(animal.bbox))


def _box(bbox: list[float] | None) -> Box | None:
    if not bbox:
        return None
    x, y, width, height = bbox
    return x, y, width, height


def _from_table(text: str) -> Iterator[Marks]:
    """Parse a table with one row per point and one animal per image."""
    animals: dict[str, dict[str, Point]] = {}
    for row in csv.DictReader(io.StringIO(text)):
        animals.setdefault(Path(row["key"]).stem, {})[_name(row["part"])] = (float(row["x"]), float(row["y"]))
    if not animals:
        raise ValueError("no rows")
    yield from (Marks(stem, parts, None) for stem, parts in animals.items())


def _name(name: str) -> str:
    return name.strip().lower().replace("_", " ")


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > TABLE_LIMIT:
            raise ZfnetError(f"{path}: larger than {TABLE_LIMIT} bytes, expected a key point file.")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ZfnetError(f"{path}: {error.strerror}; set archives: parts_keypoints in config.yaml.") from None
    except UnicodeDecodeError:
        raise ZfnetError(
            f"{path}: not a text file; expected key points in COCO's format (.json) or a table (.csv)."
        ) from None
