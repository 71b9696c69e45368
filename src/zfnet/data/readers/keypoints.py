"""Frontal animals with marked eyes and nose, for the correspondence analysis (Table 1, Figure 8; D21).

The authors marked five dogs by hand. Here the points come from key points in COCO's format, or from a table with the
columns key, part, x, y. Left and right are the animal's own.
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
from zfnet.data.readers.images import PIXEL_LIMIT, DamagedImage, decode, is_image, make_key, read_size
from zfnet.data.readers.members import Member, members

PARTS = ("right eye", "left eye", "nose")
TABLE_LIMIT = 1 << 26  # bytes of a file of key points

Point = tuple[float, float]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Animal:
    """One animal whose face is marked.

    key : of its picture, "key-2" and so on for further animals in the same
    stem : of its picture's file name
    size : height and width of the picture, pixels
    parts : "right eye", "left eye", "nose" (and what else is marked) -> (x, y), pixels
    box : (x, y, width, height), pixels; the whole picture where none is told
    """

    key: str
    stem: str
    size: tuple[int, int]
    parts: dict[str, Point]
    box: Box


@dataclass(frozen=True)
class Marks:
    """What is marked of one animal, before its picture is read. stem : of the picture's file name."""

    stem: str
    parts: dict[str, Point]
    box: Box | None


T = TypeVar("T", Marks, Animal)


def read_parts(images: Path, keypoints: Path, pixel_limit: int = PIXEL_LIMIT) -> list[Animal]:
    """Read all animals of which both eyes and the nose are visible; tell how many are left out, and why.

    No picture is decoded, since few may be wanted (see `read_images`).

    Parameters
    ----------
    images : archive or folder of pictures
    keypoints : COCO key points (.json), or a table (.csv) with columns key, part, x, y
    pixel_limit : larger pictures are left out

    Returns
    -------
    In the order of the keys.

    Raises
    ------
    ZfnetError
        A file is missing or not what it should be, or no animal is left.
    """
    marks = read_marks(keypoints)
    marked = [one for one in marks if all(part in one.parts for part in PARTS)]
    animals = list(_with_sizes(Path(images), marked, pixel_limit))
    _tell("both eyes and the nose are not all visible", len(marks) - len(marked))
    _tell("the picture is missing or damaged, or a point lies outside it", len(marked) - len(animals))
    if not animals:
        raise ZfnetError(
            f"{keypoints}: no animal with {', '.join(PARTS)} has its picture in {images}; expected key points whose"
            " file names are those of the pictures."
        )
    return sorted(animals, key=lambda animal: animal.key)


def read_images(
    images: Path, animals: Iterable[Animal], pixel_limit: int = PIXEL_LIMIT
) -> Iterator[tuple[Animal, np.ndarray]]:
    """Decode the pictures of some animals, one at a time, in the order of the archive; tell how many are damaged.

    Parameters
    ----------
    images, pixel_limit : as in `read_parts`, which gave the animals

    Yields
    ------
    An animal and its picture, uint8 (H, W, 3), RGB.
    """
    wanted, damaged = _by_stem(animals), 0
    for member in _pictures(Path(images), wanted):
        try:
            image = decode(member.read(), member.name, pixel_limit)
        except DamagedImage:
            damaged += len(wanted[member.stem])
            continue
        yield from ((animal, image) for animal in wanted[member.stem])
    _tell("the picture is damaged", damaged)


def read_marks(path: Path) -> list[Marks]:
    """Read a file of key points; what is marked as invisible (v = 0) does not count.

    Raises
    ------
    ZfnetError
        It is missing, too large, or in neither format.
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
        f"{path}: not a file of key points ({reason}); expected COCO's images, annotations and categories in .json,"
        " or columns key, part, x, y in .csv."
    )


# Pictures -------------------------------------------------------------------------------------------------------------


def _with_sizes(images: Path, marked: list[Marks], pixel_limit: int) -> Iterator[Animal]:
    """Go through the pictures once and give out the animals of each."""
    wanted = _by_stem(marked)
    for member in _pictures(images, wanted):
        try:
            height, width = read_size(member.read(), member.name, pixel_limit)
        except DamagedImage:
            continue
        for number, one in enumerate(wanted[member.stem], 1):
            if _inside(one, height, width):
                key = make_key(one.stem if number == 1 else f"{one.stem}-{number}")
                box = one.box or (0.0, 0.0, float(width), float(height))
                yield Animal(key, one.stem, (height, width), one.parts, box)


def _by_stem(some: Iterable[T]) -> dict[str, list[T]]:
    """Marks or animals by the file name of their picture."""
    found: dict[str, list[T]] = {}
    for one in some:
        found.setdefault(one.stem, []).append(one)
    return found


def _pictures(images: Path, stems: Iterable[str]) -> Iterator[Member]:
    """The first picture of each of these names."""
    missing = set(stems)
    for member in members(images):
        if is_image(member.name) and member.stem in missing:
            missing.remove(member.stem)
            yield member


def _inside(marks: Marks, height: int, width: int) -> bool:
    return all(0 <= x < width and 0 <= y < height for x, y in (marks.parts[part] for part in PARTS))


def _tell(reason: str, count: int) -> None:
    if count:
        print(f"correspondence: {count} animals left out: {reason}", flush=True)


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
    """COCO: key points x1, y1, v1, x2, … in the order of names that the category tells."""
    coco = _Coco.model_validate_json(text)
    stems = {image.id: Path(image.file_name).stem for image in coco.images}
    names = {category.id: category.keypoints for category in coco.categories}
    for animal in coco.annotations:
        points = zip(*(animal.keypoints[start::3] for start in range(3)), strict=True)
        named = zip(names[animal.category_id], points, strict=True)
        parts = {_name(name): (x, y) for name, (x, y, visible) in named if visible > 0}
        yield Marks(stems[animal.image_id], parts, tuple(animal.bbox) if animal.bbox else None)


def _from_table(text: str) -> Iterator[Marks]:
    """One line a point; one animal a picture."""
    animals: dict[str, dict[str, Point]] = {}
    for row in csv.DictReader(io.StringIO(text)):
        animals.setdefault(Path(row["key"]).stem, {})[_name(row["part"])] = (float(row["x"]), float(row["y"]))
    if not animals:
        raise ValueError("no line")
    yield from (Marks(stem, parts, None) for stem, parts in animals.items())


def _name(name: str) -> str:
    return name.strip().lower().replace("_", " ")


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > TABLE_LIMIT:
            raise ZfnetError(f"{path}: larger than {TABLE_LIMIT} bytes, expected a file of key points.")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ZfnetError(f"{path}: {error.strerror}; set archives: parts_keypoints in config.yaml.") from None
    except UnicodeDecodeError:
        raise ZfnetError(
            f"{path}: not a text; expected key points in COCO's format (.json) or a table (.csv)."
        ) from None
