"""The preprocessing that a user states, and classes by their names."""

import pytest

from zfnet.core.errors import ZfnetError
from zfnet.core.files import write_json
from zfnet.explore.class_names import classes_of, find_class, read_classes
from zfnet.explore.preprocessing import GivenPixels, Preprocessing

PUBLISHED = Preprocessing(224, 256, [123.675, 116.28, 103.53], [58.395, 57.12, 57.375])


@pytest.mark.parametrize(
    "given, mean, std, bgr",
    [
        ({}, PUBLISHED.mean, PUBLISHED.std, False),
        ({"mean": "0.5,0.4,0.2", "std": "0.2,0.2,0.1"}, [127.5, 102, 51], [51, 51, 25.5], False),  # recognised as 0..1
        ({"mean": "123.68 116.779 103.939", "bgr": True}, [123.68, 116.779, 103.939], [1, 1, 1], True),  # Caffe's
        ({"mean": "0.5", "std": "0.5", "white": 1}, [127.5] * 3, [127.5] * 3, False),
        ({"mean": "0.5", "white": 1}, [127.5] * 3, [255] * 3, False),
        ({"mean": "0,0,0", "std": "255"}, [0, 0, 0], [255] * 3, False),
        ({"white": 255}, PUBLISHED.mean, [1, 1, 1], False),
        ({"bgr": True}, PUBLISHED.mean, PUBLISHED.std, True),
        ({"mean": "0.48235,0.45882,0.40784", "std": "0.00392156862745098"}, [123, 117, 104], [1, 1, 1], False),
    ],
)
def test_what_is_given_replaces_what_is_published(given, mean, std, bgr):
    options = {"range" if name == "white" else name: value for name, value in given.items()}
    found = PUBLISHED.changed(GivenPixels(**options))
    assert found.mean == pytest.approx(mean, rel=1e-4) and found.std == pytest.approx(std, rel=1e-4)
    assert found.bgr == bgr and (found.crop, found.size) == (224, 256)


@pytest.mark.parametrize(
    "given, words",
    [
        ({"mean": "0.4,0.4"}, "--mean 0.4,0.4: expected three numbers for R, G, B"),
        ({"mean": "a,b,c"}, "expected three numbers"),
        ({"mean": "nan,1,1"}, "expected three numbers"),
        ({"std": "0,1,1"}, "expected numbers above 0"),
        ({"range": 2}, "expected 1 .* or 255"),
        ({"mean": "0.4,0.4,0.4", "range": 255}, "belongs to images from 0 to 1"),
        ({"mean": "123,117,104", "range": 1}, "belongs to images from 0 to 255"),
    ],
)
def test_numbers_of_another_range_are_refused(given, words):
    with pytest.raises(ZfnetError, match=words):
        PUBLISHED.changed(GivenPixels(**given))


CLASSES = ["tench, Tinca tinca", "school bus", "trolleybus", "crane", "crane", "German short-haired pointer"]


@pytest.mark.parametrize(
    "text, label",
    [
        ("1", 1),
        ("school bus", 1),
        ("School_Bus", 1),
        ("tinca tinca", 0),
        ("tench", 0),
        ("pointer", 5),
        ("short haired", 5),
    ],
)
def test_classes_are_found_by_their_names(text, label):
    assert find_class(text, CLASSES, 6) == label


@pytest.mark.parametrize(
    "text, words",
    [
        ("crane", "names 2 classes .3: crane; 4: crane"),
        ("shool bus", "did you mean 'school bus'"),
        ("6", "no class 6; the net has 6, 0 to 5"),
    ],
)
def test_other_names_are_refused(text, words):
    with pytest.raises(ZfnetError, match=words):
        find_class(text, CLASSES, 6)
    with pytest.raises(ZfnetError, match="names of this net's classes are unknown"):
        find_class("crane", [], 6)


def test_names_from_a_text_file(tmp_path):
    (tmp_path / "names.txt").write_text("ant\nbee\n\ncat\n", encoding="utf-8-sig")
    assert read_classes(tmp_path / "names.txt", 3) == ["ant", "bee", "cat"]
    with pytest.raises(ZfnetError, match="names 3 classes, but the net has 4"):
        read_classes(tmp_path / "names.txt", 4)
    with pytest.raises(ZfnetError, match="No such file"):
        read_classes(tmp_path / "other.txt", 4)
    (tmp_path / "names.txt").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(ZfnetError, match="not UTF-8"):
        read_classes(tmp_path / "names.txt", 1)


def test_words_of_a_run_come_from_its_manifest(tmp_path):
    net, ids = tmp_path / "runs/zf-s1/weights.safetensors", ["n00000001", "n00000002"]
    assert classes_of(net, ids, 2) == ids and classes_of(net, ids, 3) == []
    write_json(tmp_path / "data/imagenet-train/manifest.json", {"words": {"n00000001": "ant, emmet"}})
    assert classes_of(net, ids, 2) == ["ant, emmet", "n00000002"]
