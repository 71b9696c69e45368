"""PASCAL VOC 2012: training, validation and test set of the classification task (ZF sect. 5.2).

An image has several objects, so it has no label; its annotation holds the objects and the set it belongs to. Boxes are
in pixels, counted from 1 as in the files; a few coordinates are fractional. Only the server has the objects of the test
set.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from zfnet.core.errors import ZfnetError
from zfnet.data.readers.images import EncodedImage, Source, is_image, make_key
from zfnet.data.readers.members import Member, members

# fmt: off
CLASSES = [
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
]
# fmt: on
ANNOTATION_LIMIT = 1 << 20  # bytes; the longest official annotation has 20 thousand
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
    stems = next((member.read().decode("ascii", "replace").split() for member in lists), None)
    if not stems:
        raise ZfnetError(f"{path}: no {YEAR}/ImageSets/Main/test.txt that lists images; expected VOC2012test.tar.")
    return _source("voc2012-test", path, {stem: {"set": "test"} for stem in stems})


def _source(name: str, path: Path, annotations: dict[str, dict[str, Any]]) -> Source:
    """Return the source of the images that have an annotation."""

    def images() -> Iterator[EncodedImage]:
        missing = set(annotations)
        for member in members(path):
            if _is_in(member, "JPEGImages") and is_image(member.name) and member.stem in missing:
                missing.remove(member.stem)
                yield EncodedImage(make_key(member.stem), -1, member.read(), member.where, annotations[member.stem])
        if missing:
            raise ZfnetError(
                f"{path}: {len(missing)} images of ImageSets/Main are missing, such as {min(missing)}.jpg."
            )

    words = {label: WORDS.get(label, label) for label in CLASSES}
    return Source(name, CLASSES, words, [path], images, len(annotations))


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
            labels.sets |= dict.fromkeys(member.read().decode("ascii", "replace").split(), member.stem)
        elif _is_in(member, "Annotations") and member.name.endswith(".xml"):
            labels.objects[member.stem] = read_objects(_read_small(member), member.where)
    if set(labels.sets.values()) != set(SETS):
        raise ZfnetError(f"{path}: no {YEAR}/ImageSets/Main/{{train,val}}.txt; expected VOCtrainval_11-May-2012.tar.")
    if bare := sorted(labels.sets.keys() - labels.objects.keys()):
        raise ZfnetError(
            f"{path}: {len(bare)} images have no annotation, such as {bare[0]}.xml; get the archive again."
        )
    return labels


def read_objects(xml: bytes, where: str) -> list[dict[str, Any]]:
    """Return the objects of one annotation: [{"name", "difficult", "box": [x1, y1, x2, y2]}].

    Raises
    ------
    ZfnetError
        It is not XML, has a document type (which could declare entities), or is not in VOC's format.
    """
    try:
        return [_object(element) for element in _parse(xml).findall("object")]
    except (expat.ExpatError, ValueError, AssertionError) as error:
        raise ZfnetError(f"{where}: not an annotation of PASCAL VOC ({error}); get the archive again.") from None


def _object(element: Element) -> dict[str, Any]:
    name = element.findtext("name", "").strip()
    if name not in CLASSES:
        raise ValueError(f"object {name!r}, which is not one of the 20 classes")
    box = [float(element.findtext(f"bndbox/{side}", "no number")) for side in ("xmin", "ymin", "xmax", "ymax")]
    return {"name": name, "difficult": int(element.findtext("difficult", "0")), "box": box}


def _parse(xml: bytes) -> Element:
    """Parse XML, refusing a document type: without entities nothing can be fetched or multiplied."""
    parser, builder = expat.ParserCreate(), TreeBuilder()
    parser.StartElementHandler, parser.EndElementHandler = builder.start, builder.end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = builder.data, _refuse
    parser.Parse(xml, True)
    return builder.close()


def _refuse(*_: Any) -> None:
    raise ValueError("it declares a document type")


def _read_small(member: Member) -> bytes:
    if member.size > ANNOTATION_LIMIT:
        raise ZfnetError(f"{member.where}: {member.size} bytes, too many for an annotation; get the archive again.")
    return member.read()


def _is_in(member: Member, folder: str) -> bool:
    return YEAR in member.parts and member.parts[-2:-1] == (folder,)
