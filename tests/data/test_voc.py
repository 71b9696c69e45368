"""PASCAL VOC: objects and sets of the right images, annotations parsed safely."""

import builders
import pytest

from zfnet.core.errors import ZfnetError
from zfnet.data.readers import voc
from zfnet.data.readers.voc import read_objects

ROOT = "VOCdevkit/VOC2012"


def write(tmp_path, files):
    return builders.put(tmp_path / "VOCtrainval_11-May-2012.tar", builders.tar(files))


def test_the_archive(tmp_path):
    source = voc.voc2012(write(tmp_path, builders.voc_files()))
    found = {p.key: p for p in source.images()}
    person = {"name": "person", "difficult": 1, "box": [1.0, 2.0, 10.5, 4.0]}
    cat = {"name": "cat", "difficult": 1, "box": [1.0, 1.0, 2.0, 2.0]}
    assert {key: p.annotation for key, p in found.items()} == {
        "2007_000001": {"objects": [person, cat], "set": "val"},
        "2007_000002": {"objects": [], "set": "train"},
    }
    assert source.expected == 2 and {p.label for p in found.values()} == {-1}
    assert found["2007_000001"].data == builders.voc_files()[f"{ROOT}/JPEGImages/2007_000001.jpg"]


def test_a_stray_file_named_like_the_folder_is_ignored(tmp_path):
    source = voc.voc2012(write(tmp_path, {"VOC2012": b"stray"} | builders.voc_files()))
    assert len(list(source.images())) == 2


def test_classes_are_the_twenty_in_official_order(tmp_path):
    source = voc.voc2012(write(tmp_path, builders.voc_files()))
    assert len(source.classes) == 20 and source.classes == sorted(source.classes)
    assert source.classes[14] == "person" and source.words["tvmonitor"] == "TV monitor"


def test_the_extracted_folder(tmp_path):
    folder = builders.extract(builders.voc_files(), tmp_path) / "VOCdevkit"
    assert [p.key for p in voc.voc2012(folder).images()] == ["2007_000001", "2007_000002"]


@pytest.mark.parametrize(
    "name, message",
    [
        ("ImageSets/Main/val.txt", r"no VOC2012/ImageSets/Main/\{train,val\}\.txt"),
        ("Annotations/2007_000001.xml", r"1 images have no annotation, such as 2007_000001\.xml"),
        ("JPEGImages/2007_000002.jpg", r"1 images of ImageSets/Main are missing, such as 2007_000002\.jpg"),
    ],
)
def test_missing_files_are_reported(name, message, tmp_path):
    files = builders.voc_files()
    del files[f"{ROOT}/{name}"]
    with pytest.raises(ZfnetError, match=message):
        list(voc.voc2012(write(tmp_path, files)).images())


def test_the_test_archive_has_images_without_objects(tmp_path):
    source = voc.voc2012_test(builders.put(tmp_path / "VOC2012test.tar", builders.tar(builders.voc_test_files())))
    found = {p.key: (p.label, p.annotation) for p in source.images()}
    assert found == {"2008_000006": (-1, {"set": "test"}), "2008_000011": (-1, {"set": "test"})}
    assert source.name == "voc2012-test" and source.expected == 2 and source.classes == voc.CLASSES


@pytest.mark.parametrize("name, message", [
    ("ImageSets/Main/test.txt", r"no VOC2012/ImageSets/Main/test\.txt .* expected VOC2012test\.tar"),
    ("JPEGImages/2008_000011.jpg", r"1 images of ImageSets/Main are missing, such as 2008_000011\.jpg"),
])  # fmt: skip
def test_missing_files_of_the_test_archive_are_reported(name, message, tmp_path):
    files = builders.voc_test_files()
    del files[f"{ROOT}/{name}"]
    with pytest.raises(ZfnetError, match=message):
        list(voc.voc2012_test(builders.put(tmp_path / "VOC2012test.tar", builders.tar(files))).images())


# Annotations ----------------------------------------------------------------------------------------------------------

LAUGHS = (
    b'<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;">]><annotation><object><name>&y;</name></object></annotation>'
)
OUTSIDE = (
    b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation><object><name>&x;</name></object></annotation>'
)


@pytest.mark.parametrize(
    "xml", [LAUGHS, OUTSIDE, LAUGHS.decode().encode("utf-16")], ids=["laughs", "outside", "utf-16"]
)
def test_entities_are_not_expanded(xml):
    with pytest.raises(ZfnetError, match=r"here: not an annotation .* declares a document type"):
        read_objects(xml, "here")


def test_a_box_without_a_side_is_bad():
    xml = builders.annotation(builders.OBJECT.format(1, 2, 3, 4, "", "cat").replace("xmin", "left"))
    with pytest.raises(ZfnetError, match="not an annotation"):
        read_objects(xml, "here")


@pytest.mark.parametrize(
    "xml, reason",
    [
        (b"", "no element found"),
        (b"<annotation><object>", "no element found"),
        (b"<annotation></object>", "mismatched tag"),
        (b"\x00\xff", "not well-formed|syntax error"),
        (builders.annotation(builders.OBJECT.format(1, 2, 3, 4, "", "unicorn")), "unicorn"),
        (builders.annotation(builders.OBJECT.format(1, 2, "wide", 4, "", "cat")), "wide"),
    ],
)
def test_invalid_annotations_are_reported(xml, reason):
    with pytest.raises(ZfnetError, match=f"here: not an annotation of PASCAL VOC .*({reason})"):
        read_objects(xml, "here")


def test_a_huge_annotation_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(voc, "VOC_ANNOTATION", 100)
    with pytest.raises(ZfnetError, match=r"2007_000001\.xml: \d+ bytes, where at most 100"):
        voc.voc2012(write(tmp_path, builders.voc_files()))


@pytest.mark.real
def test_the_real_archive(real_data):
    source = voc.voc2012(real_data / "voc" / "VOCtrainval_11-May-2012.tar")
    objects = [thing for p in source.images() for thing in p.annotation["objects"]]
    assert source.expected == 2_171 and len(objects) == 4_885
    assert sum(thing["difficult"] for thing in objects) == 575 and {thing["name"] for thing in objects} == set(
        voc.CLASSES
    )
