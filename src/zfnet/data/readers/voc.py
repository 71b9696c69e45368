"""PASCAL VOC 2012: training, validation and test set of the classification task (ZF sect. 5.2).

An image has several objects, so it has no label; its annotation holds the objects and the set it belongs to. Boxes are
in pixels, counted from 1 as in the files; a few coordinates are fractional. Only the server has the objects of the test
set.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from zfnet.core.errors import ZfnetError
from zfnet.core.parsing import reading
from zfnet.data.readers.images import EncodedImage, Source, is_image, make_key
from zfnet.data.readers.limits import VOC_ANNOTATION, VOC_LIST, XML_DEPTH
from zfnet.data.readers.members import Member, members
from zfnet.data.readers.names import readable
from zfnet.data.readers.skipped import IN_NO_SET, SECOND, Skipped

# fmt: off
CLASSES = [
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
]
# fmt: on
WORDS = {"diningtable": "dining table", "pottedplant": "potted plant", "tvmonitor": "TV monitor"}
SETS = ("train", "val")
YEAR = "VOC2012"


def voc2012(path: Path) -> Source:
    """Open the trainval archive of VOC 2012.

    Parameters
    ----------
    path : VOCtrainval_11-May-2012.tar or the extracted folder

    Returns
    -------
    Images with label -1 and annotation {"objects": [{"name", "difficult", "box": [x1, y1, x2, y2]}], "set"}, where
    set is "train" or "val"; images outside ImageSets/Main (only for segmentation or layout) are left out.

    Raises
    ------
    ZfnetError
        The archive is missing, damaged or a different one; an image of the sets or its annotation is missing or bad.
    """
    path = Path(path)
    labels = _read_labels(path)
    return _source("voc2012", path, {stem: labels.annotation(stem) for stem in labels.sets})


def voc2012_test(path: Path) -> Source:
    """Open the test archive of VOC 2012.

    Parameters
    ----------
    path : VOC2012test.tar or the extracted folder

    Returns
    -------
    The images of ImageSets/Main/test.txt with label -1 and annotation {"set": "test"}.

    Raises
    ------
    ZfnetError
        The archive is missing, damaged or a different one; an image of the set is missing.
    """
    path = Path(path)
    lists = (member for member in members(path) if _is_in(member, "Main") and member.parts[-1] == "test.txt")
    stems = next((_read_list(member) for member in lists), None)
    if not stems:
        raise ZfnetError(f"{path}: no {YEAR}/ImageSets/Main/test.txt that lists images; expected VOC2012test.tar.")
    return _source("voc2012-test", path, {stem: {"set": "test"} for stem in stems})


def _source(name: str, path: Path, annotations: dict[str, dict[str, Any]]) -> Source:
    """Return the source of the images that have an annotation."""

    skipped = Skipped()

    def images() -> Iterator[EncodedImage]:
        skipped.clear()
        missing = set(annotations)
        for member in members(path, skipped=skipped):
            if not (_is_in(member, "JPEGImages") and is_image(member.name)):
                continue  # annotations, lists and segmentations
            if member.stem not in missing:
                skipped.add(SECOND if member.stem in annotations else IN_NO_SET, member.where)
                continue
            missing.remove(member.stem)
            yield EncodedImage(make_key(member.stem), -1, member.read(), member.where, annotations[member.stem])
        if missing:
            raise ZfnetError(
                f"{path}: {len(missing)} images of ImageSets/Main are missing, such as {readable(min(missing))}.jpg."
            )

    words = {label: WORDS.get(label, label) for label in CLASSES}
    return Source(name, CLASSES, words, [path], images, len(annotations), skipped)


@dataclass
class _Labels:
    sets: dict[str, str] = field(default_factory=dict)  # stem -> "train" or "val"
    objects: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # stem -> its objects

    def annotation(self, stem: str) -> dict[str, Any]:
        return {"objects": self.objects[stem], "set": self.sets[stem]}


def _read_labels(path: Path) -> _Labels:
    """Read the image sets and annotations in one pass over the archive."""
    labels = _Labels()
    for member in members(path):
        if _is_in(member, "Main") and member.stem in SETS and member.name.endswith(".txt"):
            labels.sets |= dict.fromkeys(_read_list(member), member.stem)
        elif _is_in(member, "Annotations") and member.name.endswith(".xml"):
            if member.stem in labels.objects:
                raise ZfnetError(f"{member.where}: a second annotation of this name; get the archive again.")
            labels.objects[member.stem] = read_objects(member.read(VOC_ANNOTATION), member.where)
    if set(labels.sets.values()) != set(SETS):
        raise ZfnetError(f"{path}: no {YEAR}/ImageSets/Main/{{train,val}}.txt; expected VOCtrainval_11-May-2012.tar.")
    if bare := sorted(labels.sets.keys() - labels.objects.keys()):
        raise ZfnetError(
            f"{path}: {len(bare)} images have no annotation, such as {readable(bare[0])}.xml; get the archive again."
        )
    return labels


def read_objects(xml: bytes, where: str) -> list[dict[str, Any]]:
    """Return the objects of one annotation: [{"name", "difficult", "box": [x1, y1, x2, y2]}].

    Raises
    ------
    ZfnetError
        It is not XML, has a document type (which could declare entities), or is not in VOC's format.
    """
    with reading(where, "an annotation of PASCAL VOC", "get the archive again"):
        return [_object(element) for element in _parse(xml).findall("object")]


def _object(element: Element) -> dict[str, Any]:
    name = element.findtext("name", "").strip()
    if name not in CLASSES:
        raise ValueError(f"object {name!r}, which is not one of the 20 classes")
    box = [float(element.findtext(f"bndbox/{side}", "no number")) for side in ("xmin", "ymin", "xmax", "ymax")]
    if not all(map(math.isfinite, box)):
        raise ValueError(f"a box that is not finite: {box}")
    return {"name": name, "difficult": _difficult(element.findtext("difficult", "")), "box": box}


def _difficult(text: str) -> int:
    """Return 1 for a difficult object. Other programs leave the mark out, or write Unspecified: not difficult."""
    mark = text.strip().lower()
    if mark in ("", "unspecified", "false"):
        return 0
    return 1 if mark == "true" else int(float(mark) != 0)


def _parse(xml: bytes) -> Element:
    """Parse XML, refusing a document type: without entities nothing can be fetched or multiplied."""
    parser, builder = expat.ParserCreate(), TreeBuilder()
    open_elements: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        open_elements.append(tag)
        if len(open_elements) > XML_DEPTH:
            raise ValueError(f"elements nested more than {XML_DEPTH} deep")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        open_elements.pop()
        builder.end(tag)

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = builder.data, _refuse
    parser.Parse(xml, True)
    return builder.close()


def _refuse(*_: Any) -> None:
    raise ValueError("it declares a document type")


def _read_list(member: Member) -> list[str]:
    return member.read(VOC_LIST).decode("utf-8", "surrogateescape").split()


def _is_in(member: Member, folder: str) -> bool:
    return YEAR in member.parts and member.parts[-2:-1] == (folder,)
