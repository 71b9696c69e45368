"""Archives of the generated world: reproducible bytes, official formats, and consistent contents."""

import csv
import io
import pickle
import pickletools
import tarfile
import xml.etree.ElementTree as ET
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat

from zfnet.core.errors import ZfnetError
from zfnet.core.files import read_json, sha256
from zfnet.settings import Archives, World
from zfnet.synthetic import categories, generate, render, world

WORLD = World(
    imagenet_classes=5, train_images=15, val_images=3, test_images=9, caltech101_classes=2, caltech101_images=4,
    caltech256_classes=2, caltech256_images=4, voc_images=24, voc_test_images=7, cifar_images=20, parts_images=5,
    planted_duplicates=4, image_size=48,
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    generate(WORLD, folder, workers=2)
    return folder


def members(folder, field):
    """Content of each file in an archive, by name."""
    with tarfile.open(folder / world.FILES[field]) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}


def train_files(folder):
    """Content of each training image, by class and name."""
    found = {}
    for name, data in members(folder, "imagenet_train").items():
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in tar:
                found[f"{name.removesuffix('.tar')}/{member.name}"] = tar.extractfile(member).read()
    return found


def devkit(folder):
    """Rows of meta.mat by id, and the ground truth."""
    files = members(folder, "imagenet_devkit")
    root = "ILSVRC2012_devkit_t12/data"
    synsets = loadmat(io.BytesIO(files[f"{root}/meta.mat"]), squeeze_me=True)["synsets"]
    truth = [int(line) for line in files[f"{root}/ILSVRC2012_validation_ground_truth.txt"].split()]
    return {int(row["ILSVRC2012_ID"]): row for row in synsets}, truth


def test_the_same_settings_give_the_same_bytes_for_any_number_of_workers(folder, tmp_path):
    generate(WORLD, tmp_path, workers=1)
    assert {p.name: sha256(p) for p in folder.iterdir()} == {p.name: sha256(p) for p in tmp_path.iterdir()}


def test_another_seed_gives_other_images(folder):
    address = render.Address(1, "s", (categories.CIFAR10["cat"][0],), "cat", 0, 32)
    assert render.jpeg(address) != render.jpeg(address._replace(seed=2))


def test_the_world_is_complete_only_with_world_json(folder, tmp_path, monkeypatch):
    assert set(world.FILES) <= set(Archives.model_fields)
    table = read_json(folder / "world.json")
    assert table["settings"] == WORLD.model_dump()
    assert all(sha256(folder / name) == digest for name, digest in table["sha256"].items())
    (tmp_path / "world.json").write_text("{}")

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("zfnet.synthetic.transfer_sets.caltech", fail)
    with pytest.raises(KeyboardInterrupt):
        generate(WORLD, tmp_path, workers=1)
    assert not (tmp_path / "world.json").exists()


def test_too_many_classes_are_refused_with_the_maximum():
    with pytest.raises(ZfnetError, match=r"imagenet_classes cannot have 100000 classes; at most \d+ are available"):
        categories.imagenet(100_000, 0)


def test_training_names_are_those_of_the_class_tars(folder):
    files = train_files(folder)
    assert len(files) == 5 * 15 + 4
    for name in files:
        wnid, file = name.split("/")
        assert file.startswith(f"{wnid}_") and file.endswith(".JPEG") and wnid[0] == "n" and len(wnid) == 9


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_training_images_have_the_official_quirks(folder):
    images = [Image.open(io.BytesIO(data)) for data in train_files(folder).values()]
    assert Counter(image.format for image in images) == {"JPEG": 78, "PNG": 1}
    assert Counter(image.mode for image in images) == {"RGB": 74, "CMYK": 2, "L": 3}
    assert sum(b"Exif" in data for data in train_files(folder).values()) == 1


def test_devkit_is_a_tree_over_shuffled_ids(folder):
    rows, truth = devkit(folder)
    leaves = {i: row for i, row in rows.items() if row["num_children"] == 0}
    groups = [row for row in rows.values() if row["wordnet_height"] == 1]
    assert sorted(leaves) == [1, 2, 3, 4, 5] and Counter(truth) == dict.fromkeys(leaves, 3)
    assert sorted(np.concatenate([np.atleast_1d(row["children"]) for row in groups])) == sorted(leaves)
    assert [row["WNID"] for _, row in sorted(leaves.items())] != sorted(row["WNID"] for row in leaves.values())
    files = Counter(name.split("/")[0] for name in train_files(folder))
    assert {row["WNID"]: row["num_train_images"] for row in leaves.values()} == files


def test_ground_truth_names_the_class_that_was_drawn(folder):
    rows, truth = devkit(folder)
    images = members(folder, "imagenet_val")
    assert list(images) == [f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(1, 16)]
    by_name = {category.name: category for category in categories.imagenet(5, WORLD.seed)}
    for i, data in zip(truth, images.values(), strict=True):
        category = by_name[rows[i]["words"]]
        of_class = [render.Address(WORLD.seed, "imagenet-val", (category,), category.name, n, 48) for n in range(3)]
        assert data in map(render.jpeg, of_class)


def test_planted_duplicates_exist_and_look_like_their_originals(folder):
    originals = members(folder, "caltech101") | members(folder, "caltech256")
    planted = train_files(folder)
    with (folder / "planted_duplicates.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["transform"] for row in rows] == ["none", "brightness+10%", "none", "crop4%"]
    for row in rows:
        copy, original = planted[row["train_file"]], originals[row["caltech_file"]]
        assert copy != original
        least = 0.5 if row["transform"] == "crop4%" else 0.97
        assert correlation(copy, original) > least


def correlation(first, second):
    """Normalised correlation of two images as grey 32 x 32 thumbnails."""
    greys = [np.asarray(Image.open(io.BytesIO(data)).convert("L").resize((32, 32))).ravel() for data in (first, second)]
    return np.corrcoef(greys)[0, 1]


def test_caltech_folders_and_numbers(folder):
    small, large = list(members(folder, "caltech101")), list(members(folder, "caltech256"))
    assert len(small) == len(large) == 3 * 4
    assert "101_ObjectCategories/BACKGROUND_Google/image_0004.jpg" in small
    assert "256_ObjectCategories/257.clutter/257_0001.jpg" in large
    assert all(name.split("/")[1][:4] == f"{name.split('/')[2][:3]}." for name in large)


def test_voc_lists_agree_with_its_annotations(folder):
    files = members(folder, "voc2012")
    sets = "VOCdevkit/VOC2012/ImageSets/Main"
    names = files[f"{sets}/trainval.txt"].decode().split()
    train, val = (files[f"{sets}/{part}.txt"].decode().split() for part in ("train", "val"))
    assert len(names) == 24 and sorted(train + val) == names and not set(train) & set(val)
    for label in categories.VOC:
        listed = dict(line.split() for line in files[f"{sets}/{label}_trainval.txt"].decode().splitlines())
        assert listed == {name: presence(files, name, label) for name in names}


def test_imagenet_test_images_are_numbered_and_not_training_images(folder):
    files, val = members(folder, "imagenet_test"), members(folder, "imagenet_val")
    assert list(files) == [f"test/ILSVRC2012_test_{number:08d}.JPEG" for number in range(1, 10)]
    assert not set(files.values()) & {*val.values(), *train_files(folder).values()}


def test_voc_test_images_are_listed_and_not_training_images(folder):
    files, known = members(folder, "voc2012_test"), members(folder, "voc2012")
    root = "VOCdevkit/VOC2012"
    names = files.pop(f"{root}/ImageSets/Main/test.txt").decode().split()
    assert len(names) == 7 and files.keys() == {f"{root}/JPEGImages/{name}.jpg" for name in names}
    assert not files.keys() & known.keys() and not set(files.values()) & set(known.values())


def presence(files, name, label):
    """Entry of a class file for an image: 1, -1, or 0 if all its objects of the class are difficult."""
    tree = ET.fromstring(files[f"VOCdevkit/VOC2012/Annotations/{name}.xml"])
    hard = [item.findtext("difficult") for item in tree.iter("object") if item.findtext("name") == label]
    return "-1" if not hard else "1" if "0" in hard else "0"


def test_voc_boxes_lie_in_their_images(folder):
    files, boxes = members(folder, "voc2012"), 0
    for name, text in files.items():
        if name.endswith(".xml"):
            tree = ET.fromstring(text)
            width, height = (int(tree.findtext(f"size/{side}")) for side in ("width", "height"))
            jpeg = name.replace("Annotations", "JPEGImages").replace(".xml", ".jpg")
            assert Image.open(io.BytesIO(files[jpeg])).size == (width, height)
            for box in tree.iter("bndbox"):
                left, top, right, bottom = (int(box.findtext(side)) for side in ("xmin", "ymin", "xmax", "ymax"))
                assert 1 <= left <= right <= width and 1 <= top <= bottom <= height
                boxes += 1
    assert boxes > 24


class OnlyArrays(pickle.Unpickler):
    """Unpickler that allows only what the official CIFAR files need."""

    def find_class(self, module, name):
        allowed = {
            ("numpy.core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
        }
        return allowed[module, name]


def test_cifar_batches_are_the_pickles_of_python_2(folder):
    files = members(folder, "cifar10")
    meta = OnlyArrays(io.BytesIO(files["cifar-10-batches-py/batches.meta"]), encoding="bytes").load()
    assert meta[b"label_names"][6] == b"frog" and meta[b"num_cases_per_batch"] == 20 and meta[b"num_vis"] == 3072
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        raw = files[f"cifar-10-batches-py/{name}"]
        batch = OnlyArrays(io.BytesIO(raw), encoding="bytes").load()
        assert list(batch) == [b"batch_label", b"labels", b"data", b"filenames"]
        assert batch[b"data"].shape == (20, 3072) and batch[b"data"].dtype == np.uint8
        assert Counter(batch[b"labels"]) == dict.fromkeys(range(10), 2)
        codes = {code.name for code, _, _ in pickletools.genops(raw)}
        assert "SHORT_BINSTRING" in codes and not codes & {"BINBYTES", "BINUNICODE", "SHORT_BINBYTES"}


def test_cifar_pixels_are_planes_of_red_green_and_blue(folder):
    raw = members(folder, "cifar10")["cifar-10-batches-py/test_batch"]
    batch = OnlyArrays(io.BytesIO(raw), encoding="bytes").load()
    label = list(categories.CIFAR10)[batch[b"labels"][0]]
    address = render.Address(WORLD.seed, "cifar10", (categories.CIFAR10[label][0],), "testing batch 1 of 1", 0, 32)
    assert batch[b"data"][0].tobytes() == render.tiny(address)


def test_key_points_are_in_coco_format_and_in_their_boxes(folder):
    table, images = read_json(folder / "keypoints.json"), members(folder, "parts_images")
    assert table["categories"][0]["keypoints"] == ["left_eye", "right_eye", "nose", "left_ear", "right_ear"]
    for image, notes in zip(table["images"], table["annotations"], strict=True):
        assert Image.open(io.BytesIO(images[image["file_name"]])).size == (image["width"], image["height"])
        points = np.reshape(notes["keypoints"], (5, 3))
        left, top, width, height = notes["bbox"]
        assert notes["image_id"] == image["id"] and (points[:, 2] == 2).all()
        assert ((points[:, :2] >= (left, top)) & (points[:, :2] <= (left + width, top + height))).all()
        assert points[0, 0] > points[1, 0]  # the animal's own left eye is on our right
