"""Both Caltech sets: stray files are ignored, the background is optional, the nested archive is read in place."""

import builders
import pytest

from zfnet.core.errors import ZfnetError
from zfnet.data.readers import caltech


@pytest.fixture(params=["tar.gz", "zip", "folder"])
def caltech101(request, tmp_path):
    packed = builders.packed(builders.caltech101_files())
    if request.param == "tar.gz":
        return builders.put(tmp_path / "101_ObjectCategories.tar.gz", packed)
    if request.param == "zip":
        files = {"caltech-101/101_ObjectCategories.tar.gz": packed, "caltech-101/Annotations.tar": b"other"}
        files |= {"__MACOSX/caltech-101/._101_ObjectCategories.tar.gz": b"fork"}
        return builders.put(tmp_path / "caltech-101.zip", builders.zipped(files))
    return builders.extract(builders.caltech101_files(), tmp_path)


@pytest.fixture
def caltech256(tmp_path):
    return builders.put(tmp_path / "256_ObjectCategories.tar", builders.tar(builders.caltech256_files()))


def test_caltech101_in_all_its_forms(caltech101):
    source = caltech.caltech101(caltech101, background=True)
    assert source.classes == ["BACKGROUND_Google", "Faces_easy", "accordion"]
    assert {p.key: p.label for p in source.images()} == {
        "BACKGROUND_Google/image_0001": 0,
        "Faces_easy/image_0002": 1,
        "accordion/image_0001": 2,
    }
    assert source.expected == 3 and source.words["Faces_easy"] == "Faces easy"


def test_images_are_the_members_bytes(caltech101):
    files = builders.caltech101_files()
    for image in caltech.caltech101(caltech101).images():
        assert image.data == files[f"101_ObjectCategories/{image.key}.jpg"]


def test_caltech256_without_strays(caltech256):
    source = caltech.caltech256(caltech256)
    assert source.classes == ["056.dog", "198.spider", "257.clutter"] and source.expected == 3
    assert {p.key: p.label for p in source.images()} == {
        "056_dog/056_0001": 0,
        "198_spider/198_0001": 1,
        "257_clutter/257_0001": 2,
    }
    assert source.words["198.spider"] == "spider"


def test_background_and_clutter_are_a_choice(caltech101, caltech256):
    ours, theirs = caltech.caltech101(caltech101, background=False), caltech.caltech256(caltech256, background=False)
    assert ours.classes == ["Faces_easy", "accordion"] and theirs.classes == ["056.dog", "198.spider"]
    for source in (ours, theirs):
        assert sorted(p.label for p in source.images()) == [0, 1] and source.expected == 2


def test_one_caltech_in_place_of_the_other(caltech256):
    with pytest.raises(ZfnetError, match="no image below a folder 101_ObjectCategories"):
        caltech.caltech101(caltech256)


def test_a_truncated_archive_is_detected_when_opened(tmp_path):
    whole = builders.packed(builders.caltech101_files())
    path = builders.put(tmp_path / "101_ObjectCategories.tar.gz", whole[: len(whole) - 20])
    with pytest.raises(ZfnetError, match=r"101_ObjectCategories\.tar\.gz: truncated or damaged"):
        caltech.caltech101(path)


@pytest.mark.real
def test_the_real_archives(real_data):
    with_background = caltech.caltech101(real_data / "caltech" / "101_ObjectCategories.tar.gz")
    without = caltech.caltech101(real_data / "caltech" / "101_ObjectCategories.tar.gz", background=False)
    other = caltech.caltech256(real_data / "caltech" / "256_ObjectCategories.tar")
    counts = [(len(s.classes), len({p.key for p in s.images()})) for s in (with_background, without, other)]
    assert counts == [(51, 2_883), (50, 2_833), (10, 550)]
