"""Archive checks: every wrong, missing or partly copied archive is reported with a remedy."""

import json

import builders
import pytest

from zfnet.data.verify import OFFICIAL, check_archives, useful
from zfnet.settings import Archives

FACE = [("left_eye", 8.0, 2.0, 2), ("right_eye", 3.5, 2.0, 1), ("nose", 5.0, 6.0, 2)]
CONTENT = {
    "imagenet_train": ("ILSVRC2012_img_train.tar", builders.train_tar()),
    "imagenet_val": ("ILSVRC2012_img_val.tar", builders.tar(builders.val_files())),
    "imagenet_devkit": ("ILSVRC2012_devkit_t12.tar.gz", builders.packed(builders.devkit_files())),
    "imagenet_test": ("ILSVRC2012_img_test_v10102019.tar", builders.tar(builders.test_files())),
    "caltech101": ("101_ObjectCategories.tar.gz", builders.packed(builders.caltech101_files())),
    "caltech256": ("256_ObjectCategories.tar", builders.tar(builders.caltech256_files())),
    "voc2012": ("VOCtrainval_11-May-2012.tar", builders.tar(builders.voc_files())),
    "voc2012_test": ("VOC2012test.tar", builders.tar(builders.voc_test_files())),
    "cifar10": ("cifar-10-python.tar.gz", builders.packed(builders.cifar_files())),
    "parts_images": ("dogs.tar", builders.tar({"a.jpg": builders.image()})),
    "parts_keypoints": ("keypoints.json", json.dumps(builders.keypoints({"a.jpg": FACE})).encode()),
}
TARS = ["imagenet_train", "imagenet_val", "caltech256", "voc2012", "parts_images"]


@pytest.fixture
def paths(tmp_path):
    return {key: builders.put(tmp_path / name, data) for key, (name, data) in CONTENT.items()}


def problem(paths) -> str:
    (sentence,) = check_archives(Archives(**paths))
    return sentence


def test_whole_archives_pass(paths):
    assert check_archives(Archives(**paths)) == []


def test_no_configured_archive_is_no_problem():
    assert check_archives(Archives()) == []


def test_every_archive_is_checked():
    assert OFFICIAL.keys() == CONTENT.keys() == Archives.model_fields.keys() - {"download"}


def test_the_zip_around_caltech101_passes(paths, tmp_path):
    files = {"caltech-101/101_ObjectCategories.tar.gz": CONTENT["caltech101"][1]}
    paths["caltech101"] = builders.put(tmp_path / "caltech-101.zip", builders.zipped(files))
    assert check_archives(Archives(**paths)) == []


def test_extracted_trees_pass(paths, tmp_path):
    kaggle = builders.extract(builders.kaggle_files(), tmp_path / "kaggle")
    paths |= {key: kaggle for key in ("imagenet_train", "imagenet_val", "imagenet_devkit")}
    assert check_archives(Archives(**paths)) == []


@pytest.mark.parametrize("key", CONTENT)
def test_a_missing_file_is_reported_with_its_origin_and_key(key, paths):
    paths[key].unlink()
    sentence = problem(paths)
    assert sentence.startswith(f"{paths[key]}: No such file")
    assert OFFICIAL[key].files in sentence and OFFICIAL[key].origin in sentence and f"archives: {key}" in sentence


@pytest.mark.parametrize("key", CONTENT)
@pytest.mark.parametrize("data", [b"", b"<html>Sign in</html>", bytes(4096)], ids=["empty", "web page", "zeros"])
def test_a_file_that_is_not_an_archive_is_reported(key, data, paths):
    builders.put(paths[key], data)
    assert str(paths[key]) in problem(paths)


@pytest.mark.parametrize("key", TARS)
def test_a_partly_copied_tar_is_detected(key, paths):
    end = len(CONTENT[key][1].rstrip(b"\0"))  # of the last member
    for cut in (end - 10, end // 512 * 512):
        builders.put(paths[key], CONTENT[key][1][:cut])
        assert "truncated" in problem(paths)


@pytest.mark.parametrize("key", ["imagenet_train", "imagenet_val", "caltech101", "caltech256", "voc2012", "cifar10"])
@pytest.mark.parametrize("other", ["imagenet_val", "caltech101", "caltech256", "voc2012", "cifar10"])
def test_one_archive_in_place_of_another_is_detected(key, other, paths):
    builders.put(paths[key], CONTENT[other][1])
    assert len(check_archives(Archives(**paths))) == (key != other)


def test_an_archive_of_images_without_the_files_of_the_devkit(paths):
    builders.put(paths["imagenet_devkit"], CONTENT["caltech101"][1])
    assert "meta.mat is missing" in problem(paths) and "image-net.org" in problem(paths)


@pytest.mark.parametrize(
    "missing, by",
    [
        ("imagenet_val", "imagenet_train"),
        ("imagenet_train", "imagenet_val"),
        ("imagenet_devkit", "imagenet_train"),
        ("voc2012", "voc2012_test"),
        ("parts_images", "parts_keypoints"),
        ("parts_keypoints", "parts_images"),
    ],
)
def test_archives_that_need_each_other(missing, by, paths):
    del paths[missing]
    assert problem(paths).startswith(f"archives: {by} is set in config.yaml, so set {missing} too: ")


@pytest.mark.parametrize(
    "missing, left",
    [
        ("imagenet_val", {"imagenet_devkit", "voc2012", "voc2012_test"}),  # no val, so no train, so no test images
        ("imagenet_devkit", {"voc2012", "voc2012_test"}),
        ("voc2012", {"imagenet_train", "imagenet_val", "imagenet_test", "imagenet_devkit"}),
    ],
)
def test_what_is_useless_makes_useless(missing, left):
    given = {"imagenet_train", "imagenet_val", "imagenet_test", "imagenet_devkit", "voc2012", "voc2012_test"}
    assert useful(given - {missing}) == left


def test_class_folders_need_the_devkit_as_the_workflow_does(paths, tmp_path):
    folder = tmp_path / "val" / "n00000001"
    builders.put(folder / "ILSVRC2012_val_00000001.JPEG", builders.image())
    paths["imagenet_val"] = folder.parent
    del paths["imagenet_devkit"]
    assert "so set imagenet_devkit too" in problem(paths)


def test_several_problems_are_reported_at_once(paths):
    paths["voc2012"].unlink()
    builders.put(paths["cifar10"], b"")
    assert len(check_archives(Archives(**paths))) == 2


@pytest.mark.real
def test_the_real_archives_pass(real_data):
    names = {key: name for key, (name, _) in CONTENT.items() if not key.endswith("_test")}  # not among them
    paths = {key: next(real_data.rglob(name)) for key, name in names.items()}
    assert check_archives(Archives(**paths)) == []
