"""Key points of frontal animals: both formats, visibility, and skipped animals."""

import json

import builders
import numpy as np
import pytest

from zfnet.core.errors import ZfnetError
from zfnet.data.readers import keypoints as module
from zfnet.data.readers.images import decode
from zfnet.data.readers.keypoints import PARTS, read_images, read_parts

FACE = [("left_eye", 8.0, 2.0, 2), ("right_eye", 3.5, 2.0, 1), ("nose", 5.0, 6.0, 2), ("left_ear", 0.0, 0.0, 0)]
POINTS = {"left eye": (8.0, 2.0), "right eye": (3.5, 2.0), "nose": (5.0, 6.0)}


def changed(number, **point):
    face = list(FACE)
    values = dict(zip(("name", "x", "y", "v"), face[number], strict=True)) | point
    face[number] = tuple(values.values())
    return face


@pytest.fixture
def write(tmp_path):
    """Write images and key points; return the two paths."""

    def write(points, images=("b.jpg", "a.jpg"), suffix=".json", damaged=()):
        files = {name: b"broken" if name in damaged else builders.image() for name in images}
        text = points if isinstance(points, str) else json.dumps(builders.keypoints(points))
        images = builders.put(tmp_path / "dogs.tar", builders.tar(files))
        return images, builders.put(tmp_path / f"keypoints{suffix}", text.encode())

    return write


def test_coco_key_points(write):
    animals = read_parts(*write({"b.jpg": FACE, "a.jpg": FACE}))
    assert [animal.key for animal in animals] == ["a", "b"]
    for animal in animals:
        assert animal.parts == POINTS and animal.box == (1, 1, 5, 5) and animal.size == (8, 12)


def test_images_are_decoded_only_on_demand_and_damaged_ones_counted(write, monkeypatch, capsys):
    images, keypoints = write({"b.jpg": FACE, "a.jpg": FACE, "c.jpg": FACE}, ("b.jpg", "a.jpg", "c.jpg"))
    cut = {"a.jpg": builders.noise()[:-400], "c.jpg": builders.noise()}  # damaged after its header
    builders.put(images, builders.tar({"b.jpg": builders.image(), **cut}))
    monkeypatch.setattr(module, "decode", lambda *given: decoded.append(given[1]) or decode(*given))
    decoded = []
    animals = read_parts(images, keypoints)
    assert [animal.key for animal in animals] == ["a", "b", "c"] and decoded == []
    found = list(read_images(images, animals[:2]))
    assert decoded == ["b.jpg", "a.jpg"] and [animal.key for animal, _ in found] == ["b"]
    assert np.array_equal(found[0][1], decode(builders.image()))
    assert "1 animals skipped: the image is damaged" in capsys.readouterr().out


def test_a_table_of_points(write):
    rows = [f"a.jpg,{name.replace(' ', '_')},{x},{y}" for name, (x, y) in POINTS.items()]
    (animal,) = read_parts(*write("\n".join(["key,part,x,y", *rows]), suffix=".csv"))
    assert (animal.key, animal.parts, animal.box) == ("a", POINTS, (0, 0, 12, 8))


@pytest.mark.parametrize("part", range(3))
def test_animals_without_one_of_the_points_are_skipped_and_counted(part, write, capsys):
    animals = read_parts(*write({"a.jpg": changed(part, v=0), "b.jpg": FACE}))
    assert [animal.key for animal in animals] == ["b"]
    assert "1 animals skipped: both eyes and the nose are not all visible" in capsys.readouterr().out


@pytest.mark.parametrize("points", [{"b.jpg": FACE, "a.jpg": changed(0, x=12.0)}, {"b.jpg": FACE, "gone.jpg": FACE}])
def test_points_without_or_outside_their_image_are_skipped_and_counted(points, write, capsys):
    assert [animal.key for animal in read_parts(*write(points))] == ["b"]
    assert "1 animals skipped: the image is missing or damaged, or a point lies outside" in capsys.readouterr().out


def test_damaged_images_are_skipped_and_counted(write, capsys):
    assert [animal.key for animal in read_parts(*write({"a.jpg": FACE, "b.jpg": FACE}, damaged=("a.jpg",)))] == ["b"]
    assert "1 animals skipped: the image is missing or damaged" in capsys.readouterr().out


def test_several_animals_in_an_image_have_different_keys(write):
    coco = builders.keypoints({"a.jpg": FACE})
    coco["annotations"] *= 2
    assert [animal.key for animal in read_parts(*write(json.dumps(coco)))] == ["a", "a-2"]


def test_nothing_left_is_an_error(write):
    with pytest.raises(ZfnetError, match="no animal with right eye, left eye, nose"):
        read_parts(*write({"other.jpg": FACE}))


@pytest.mark.parametrize(
    "text, suffix, reason",
    [
        ("", ".json", "Invalid JSON"),
        ("<html>", ".json", "Invalid JSON"),
        ("[]", ".json", "the file: Input should be an object"),
        (json.dumps(builders.keypoints({"a.jpg": FACE}) | {"categories": []}), ".json", "KeyError: 7"),
        (
            json.dumps(builders.keypoints({"a.jpg": FACE}) | {"images": [{"id": 0}]}),
            ".json",
            "images.0.file_name: Field",
        ),
        (
            json.dumps(builders.keypoints({"a.jpg": FACE})).replace("8.0, 2.0, 2", "8.0, 2.0"),
            ".json",
            "not a key point file",
        ),
        (
            json.dumps(builders.keypoints({"a.jpg": FACE})).replace("[1, 1, 5, 5]", "[1, 1, NaN, 5]"),
            ".json",
            "annotations.0.bbox.2: Input should be a finite number",
        ),
        ("key,part,x,y\na.jpg,nose,left,3", ".csv", "could not convert"),
        ("picture,part,x,y\na.jpg,nose,1,3", ".csv", "KeyError: 'key'"),
        ("key,part,x,y\n", ".csv", "no rows"),
    ],
)
def test_invalid_files_are_reported(text, suffix, reason, write):
    images, keypoints = write(text, suffix=suffix)
    with pytest.raises(ZfnetError, match=reason) as caught:
        read_parts(images, keypoints)
    assert str(caught.value).startswith(f"{keypoints}: not a key point file")


def test_a_missing_file_is_reported(write, tmp_path):
    images, _ = write({"a.jpg": FACE})
    with pytest.raises(ZfnetError, match="No such file or directory; set archives: parts_keypoints"):
        read_parts(images, tmp_path / "none.json")


@pytest.mark.real
def test_the_real_dogs(real_data):
    animals = read_parts(real_data / "parts" / "dogs.tar", real_data / "parts" / "keypoints.json")
    assert len(animals) == 130 and len({animal.key for animal in animals}) == 130
    assert all(max(animal.size) <= 400 and set(PARTS) <= animal.parts.keys() for animal in animals)
    upright = [a for a in animals if a.parts["nose"][1] > (a.parts["left eye"][1] + a.parts["right eye"][1]) / 2]
    assert len(upright) > 120  # noses are below eyes: x and y are not swapped
