"""COCO key points as programs and people write them: marks of animals, by part, before their images are read.

Ids are numbers or text. An annotation without key points, or of a category that names none, is left out. Points are
x, y, v (v = 0: not marked) or x, y; a point without numbers is not marked.
"""

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel, Field, FiniteFloat

from zfnet.core.parsing import check_depth

Point = tuple[float, float]
SIDES = {"l": "left", "r": "right"}


class _Image(BaseModel):
    id: int | str
    file_name: str


class _Annotation(BaseModel):
    image_id: int | str
    category_id: int | str
    keypoints: list[float | None] | None = None
    bbox: Annotated[list[FiniteFloat], Field(min_length=4, max_length=4)] | None = None


class _Category(BaseModel):
    id: int | str
    keypoints: list[str] | None = None


class _Coco(BaseModel):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


def coco_marks(content: bytes) -> Iterator[tuple[str, dict[str, Point], list[float] | None]]:
    """Yield file name, points by part and box of each annotation; no points where there are none.

    Raises
    ------
    ValidationError, KeyError, ValueError
        It is not COCO, refers to an image or a category that is not there, or the numbers do not fit the names.
    """
    text = content.decode("utf-8-sig")
    check_depth(text)
    coco = _Coco.model_validate_json(text)
    files = {str(image.id): image.file_name for image in coco.images}
    names = {str(category.id): category.keypoints or [] for category in coco.categories}
    for animal in coco.annotations:
        if str(animal.category_id) not in names or str(animal.image_id) not in files:
            raise KeyError(animal.category_id if str(animal.image_id) in files else animal.image_id)
        yield files[str(animal.image_id)], _parts(names[str(animal.category_id)], animal.keypoints or []), animal.bbox


def part_name(name: str) -> str:
    """Return a part in one spelling: Left_Eye, L_Eye, leftEye, eye_left and left eye are all "left eye"."""
    words = re.findall(r"[a-z]+|\d+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name.strip()).lower())
    words = [SIDES.get(word, word) for word in words]
    return " ".join(sorted(words, key=lambda word: word not in SIDES.values()))  # the side comes first


def _parts(names: list[str], numbers: list[float | None]) -> dict[str, Point]:
    if not names or not numbers:
        return {}
    step = 3 if len(numbers) == 3 * len(names) else 2
    if len(numbers) != step * len(names):
        raise ValueError(f"{len(numbers)} numbers for {len(names)} key points, expected x, y, v or x, y of each")
    parts = {}
    for name, start in zip(names, range(0, len(numbers), step), strict=True):
        x, y, visible = (*numbers[start : start + step], 2)[:3]
        if x is not None and y is not None and visible:
            parts[part_name(name)] = x, y
    return parts
