"""Key points of frontal animals: both formats, visibility, and skipped animals."""

import json

import builders
import numpy as np
import pytest
from PIL import Image

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


def variant(**changes):
    """COCO of two animals, the first of which is written in another way. changes : of its annotation."""
    coco = builders.keypoints({"a.jpg": FACE, "b.jpg": FACE})
    coco["annotations"][0] |= changes
    return coco


@pytest.mark.parametrize("keypoints", [None, []])
def test_annotations_without_points_are_skipped_and_counted(keypoints, write, capsys):
    assert [animal.key for animal in read_parts(*write(json.dumps(variant(keypoints=keypoints))))] == ["b"]
    assert "1 animals skipped: both eyes and the nose" in capsys.readouterr().out


def test_categories_without_points_are_skipped_and_counted(write, capsys):
    coco = variant(category_id=9)
    coco["categories"].append({"id": 9, "name": "box"})
    assert [animal.key for animal in read_parts(*write(json.dumps(coco)))] == ["b"]
    assert "1 animals skipped" in capsys.readouterr().out


def test_points_without_visibility_and_ids_of_text_are_read(write):
    coco = variant(keypoints=[8.0, 2.0, 3.5, 2.0, 5.0, 6.0, 0.0, 0.0], image_id="0")
    animals = read_parts(*write(json.dumps(coco)))
    assert [animal.key for animal in animals] == ["a", "b"]
    assert {part: animals[0].parts[part] for part in PARTS} == POINTS


def test_a_point_without_numbers_is_not_visible(write, capsys):
    coco = variant(keypoints=[None, None, 2, *[value for point in FACE[1:] for value in point[1:]]])
    assert [animal.key for animal in read_parts(*write(json.dumps(coco)))] == ["b"]


@pytest.mark.parametrize(
    "names", [["L_Eye", "R_Eye", "Nose"], ["leftEye", "rightEye", "nose"], ["eye left", "Eye-Right", "NOSE"]]
)
def test_names_of_parts_are_read_in_many_spellings(names, write):
    coco = builders.keypoints({"a.jpg": FACE[:3]})
    coco["categories"][0]["keypoints"] = names
    assert read_parts(*write(json.dumps(coco)))[0].parts == POINTS


def test_unknown_names_of_parts_are_listed(write):
    coco = builders.keypoints({"a.jpg": FACE[:3]})
    coco["categories"][0]["keypoints"] = ["ocular sinister", "ocular dexter", "nose"]
    with pytest.raises(ZfnetError, match="The parts it names: nose, ocular dexter, ocular sinister"):
        read_parts(*write(json.dumps(coco)))


def test_images_of_one_name_are_told_apart_by_their_folders(write):
    red, green = builders.image(), builders.image((0, 255, 0))
    images, keypoints = write({"dogs/1.jpg": FACE, "cats/1.jpg": FACE})
    builders.put(images, builders.tar({"set/cats/1.jpg": green, "set/dogs/1.jpg": red}))
    found = {animal.image: image for animal, image in read_images(images, read_parts(images, keypoints))}
    assert np.array_equal(found["set/dogs/1.jpg"], decode(red))
    assert np.array_equal(found["set/cats/1.jpg"], decode(green))
    assert len({animal.key for animal in read_parts(images, keypoints)}) == 2


@pytest.mark.parametrize("files", [["dogs/1.jpg", "cats/1.jpg"], ["1.png", "1.jpeg"]])
def test_a_name_that_could_mean_two_images_is_refused(files, write):
    images, keypoints = write({"1.jpg": FACE})
    builders.put(images, builders.tar({file: builders.image() for file in files}))
    with pytest.raises(ZfnetError, match=r"1\.jpg could be .* or .*; give file names with their folders"):
        read_parts(images, keypoints)


def test_an_image_stored_turned_is_left_out_and_named(write, capsys):
    images, keypoints = write({"a.jpg": FACE, "b.jpg": FACE})
    exif = Image.Exif()
    exif[0x0112] = 6
    builders.put(images, builders.tar({"a.jpg": builders.image(exif=exif), "b.jpg": builders.image()}))
    assert [animal.key for animal in read_parts(images, keypoints)] == ["b"]
    assert "dogs.tar: a.jpg is stored turned" in capsys.readouterr().out


def test_names_are_compared_in_one_unicode_form(write):
    images, keypoints = write({"e\u0301.jpg": FACE})
    builders.put(images, builders.tar({"\u00e9.jpg": builders.image()}))
    assert len(read_parts(images, keypoints)) == 1


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
