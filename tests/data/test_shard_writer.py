"""Resizing, statistics, and writing shards: reproducible, resumable, strict about damage."""

import hashlib
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
import torch
from drawn import draw, encode, images, make_source
from PIL import Image

from zfnet.core.errors import ZfnetError
from zfnet.data.readers.images import EncodedImage, Source
from zfnet.data.resize import centre_square, scaled, short_side
from zfnet.data.shards import writer
from zfnet.data.shards.channel_stats import channel_products, read_statistics
from zfnet.data.shards.manifest import Manifest
from zfnet.data.shards.writer import write_shards
from zfnet.settings import Data

SETTINGS = Data(image_size=32, images_per_shard=5)


def contents(folder: Path) -> dict[str, str]:
    """Checksums of all files but the record of checks, which holds times."""
    files = sorted(path for path in folder.glob("*") if path.name != "checked.json")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def prepare(folder: Path, source: Source, square: bool = True, threads: int = 2, **changes) -> Manifest:
    return write_shards(source, SETTINGS.model_copy(update=changes), folder / "out/manifest.json", square, threads)


# Resizing


@pytest.mark.parametrize("side", [(375, 500), (500, 375), (100, 130), (257, 256), (20, 31)])
def test_short_side_is_within_one_grey_level_of_pillow(side):
    image = np.random.default_rng(1).integers(0, 256, (*side, 3), np.uint8)
    ours = short_side(image, 64)
    theirs = Image.fromarray(image).resize(ours.shape[1::-1], Image.BILINEAR)
    assert min(ours.shape[:2]) == 64
    assert np.abs(ours.astype(int) - np.asarray(theirs)).max() <= 1


def test_short_side_leaves_an_image_of_that_size_as_it_is():
    image = draw(2)
    assert np.array_equal(short_side(image, 32), image)


def test_scaled_keeps_the_proportions():
    assert scaled(375, 500, 256) == (256, 341)
    assert scaled(3, 2, 256) == (384, 256)


def test_centre_square_drops_the_same_on_both_sides():
    image = np.arange(7 * 4 * 3).reshape(7, 4, 3)
    assert np.array_equal(centre_square(image, 4), image[1:5])


# Statistics


def test_products_are_exact_also_where_float32_would_round():
    for size in (258, 259):
        square = np.full((size, size, 3), 255, np.uint8)
        square[::2, ::3] = (254, 1, 253)
        flat = square.reshape(-1, 3).astype(np.int64)
        assert np.array_equal(channel_products(square), flat.T @ flat)


def test_mean_and_covariance_are_those_of_all_squares(tmp_path):
    prepare(tmp_path, make_source(tmp_path, 23))
    squares = np.stack([centre_square(short_side(draw(number), 32), 32) for number in range(23)]).astype(np.float64)
    mean, covariance = read_statistics(tmp_path / "out/statistics.safetensors")
    np.testing.assert_allclose(mean, squares.mean(0).transpose(2, 0, 1), rtol=1e-6)
    np.testing.assert_allclose(covariance, np.cov(squares.reshape(-1, 3).T, bias=True), rtol=1e-5)


# Shards


@pytest.mark.parametrize("square", [True, False])
def test_plain_webdataset_reads_the_shards(tmp_path, square):
    import webdataset

    manifest = prepare(tmp_path, make_source(tmp_path, 12), square)
    urls = [str(tmp_path / "out" / shard.file) for shard in manifest.shards]
    samples = list(webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8"))
    assert [sample["__key__"] for sample in samples] == [image.key for image in images(12)]
    assert [sample["cls"] for sample in samples] == [number % 3 for number in range(12)]
    assert [sample.get("json") for sample in samples] == [image.annotation for image in images(12)]
    for number, sample in enumerate(samples):
        kept = short_side(draw(number), 32)
        kept = centre_square(kept, 32) if square else kept
        assert sample["jpg"].shape == kept.shape
        assert np.abs(sample["jpg"].astype(int) - kept).mean() < 8  # JPEG and its subsampled chroma


def test_images_are_encoded_at_the_requested_quality(tmp_path):
    prepare(tmp_path, make_source(tmp_path, 1), jpeg_quality=95)
    with tarfile.open(tmp_path / "out/drawn-000000.tar") as tar:
        jpeg = tar.extractfile("class-0/0000.jpg").read()
    square = np.ascontiguousarray(centre_square(short_side(draw(0), 32), 32))
    assert jpeg == simplejpeg.encode_jpeg(square, 95, "RGB", "420", fastdct=False)
    assert simplejpeg.decode_jpeg_header(jpeg)[2:] == ("YCbCr", "420")


def test_manifest_describes_the_shards(tmp_path):
    manifest = prepare(tmp_path, make_source(tmp_path, 12))
    assert [shard.images for shard in manifest.shards] == [5, 5, 2]
    for shard in manifest.shards:
        content = (tmp_path / "out" / shard.file).read_bytes()
        assert (shard.bytes, shard.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert manifest.source[0].sha256 == hashlib.sha256(b"archive" * 1000).hexdigest()
    assert manifest.images == 12 and manifest.square and manifest.size == 32 and manifest.classes == ["a", "b", "c"]
    assert Manifest.load(tmp_path / "out/manifest.json") == manifest


@pytest.mark.parametrize("threads", [1, 3])
def test_the_bytes_do_not_depend_on_threads_or_time(tmp_path, threads):
    prepare(tmp_path, make_source(tmp_path, 17, damaged=(3,)), max_bad_fraction=0.1)
    first = contents(tmp_path / "out")
    prepare(tmp_path, make_source(tmp_path, 17, damaged=(3,)), threads=threads, max_bad_fraction=0.1)
    assert contents(tmp_path / "out") == first


class Killed(BaseException):
    pass


@pytest.mark.parametrize("read", [0, 4, 5, 9, 13, 20])
def test_a_killed_run_resumes_to_the_same_bytes_without_redoing_shards(tmp_path, monkeypatch, read):
    changes = {"max_bad_fraction": 0.1}
    source = make_source(tmp_path, 21, damaged=(7,))
    prepare(tmp_path, source, **changes)
    wanted = contents(tmp_path / "out")
    for path in (tmp_path / "out").glob("*"):
        path.unlink()

    def killed() -> Iterator[EncodedImage]:
        yield from images(21, (7,))[:read]
        raise Killed

    with pytest.raises(Killed):
        prepare(tmp_path, Source(source.name, source.classes, source.words, source.archives, killed, 21), **changes)
    assert not (tmp_path / "out/manifest.json").exists()

    decoded = []
    decode = writer.decode
    monkeypatch.setattr(writer, "decode", lambda *given: decoded.append(given) or decode(*given))
    prepare(tmp_path, source, **changes)
    assert contents(tmp_path / "out") == wanted
    assert len(decoded) == 21 - read // 5 * 5


@pytest.mark.slow
def test_a_run_killed_by_the_system_resumes_to_the_same_bytes(tmp_path):
    script = """
import os, signal, sys
from pathlib import Path
from drawn import make_source, images
from zfnet.data.shards.writer import write_shards
from zfnet.settings import Data

def killed():
    yield from images(13)
    os.kill(os.getpid(), signal.SIGKILL)

folder = Path(sys.argv[1])
source = make_source(folder, 21)
source.images = killed
write_shards(source, Data(image_size=32, images_per_shard=5), folder / "out/manifest.json", True, 2)
"""
    done = subprocess.run([sys.executable, "-c", script, tmp_path], cwd=Path(__file__).parent)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "out/manifest.json").exists() and (tmp_path / "out/drawn-000001.tar").exists()
    prepare(tmp_path, make_source(tmp_path, 21))
    continued = contents(tmp_path / "out")
    prepare(tmp_path, make_source(tmp_path, 21))
    assert contents(tmp_path / "out") == continued


@pytest.mark.parametrize("change", ["settings", "archive", "square"])
def test_finished_shards_of_other_settings_or_archives_are_not_reused(tmp_path, change):
    def killed() -> Iterator[EncodedImage]:
        yield from images(7)
        raise Killed

    source = make_source(tmp_path, 7)
    with pytest.raises(Killed):
        prepare(tmp_path, Source(source.name, source.classes, source.words, source.archives, killed, 7))
    if change == "archive":
        source.archives[0].write_bytes(b"another archive")
    changes = {"quality": 60} if change == "settings" else {}
    prepare(tmp_path, source, square=change != "square", **changes)
    found = contents(tmp_path / "out")
    for path in (tmp_path / "out").glob("*"):
        path.unlink()
    prepare(tmp_path, source, square=change != "square", **changes)
    assert contents(tmp_path / "out") == found


def test_leftovers_of_a_longer_set_are_removed(tmp_path):
    prepare(tmp_path, make_source(tmp_path, 12))
    half = tmp_path / "out/.drawn-000001.tar.node.99/drawn-000001.tar"
    half.parent.mkdir()
    half.write_bytes(b"half written")
    prepare(tmp_path, make_source(tmp_path, 4))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "checked.json",
        "drawn-000000.tar",
        "index.safetensors",
        "manifest.json",
        "statistics.safetensors",
    }


def test_damaged_images_are_recorded_and_skipped(tmp_path):
    manifest = prepare(tmp_path, make_source(tmp_path, 20, damaged=(2, 11)), max_bad_fraction=0.1)
    assert [entry.key for entry in manifest.damaged] == ["class-2/0002", "class-2/0011"]
    assert manifest.damaged[0].source == "drawn.tar: 2" and "cannot be decoded" in manifest.damaged[0].reason
    assert manifest.images == 18 and [shard.images for shard in manifest.shards] == [4, 5, 4, 5]


@pytest.mark.parametrize("expected", [20, None])
def test_too_many_damaged_images_stop_the_run_with_their_names(tmp_path, expected):
    source = make_source(tmp_path, 20, damaged=(2, 11, 12))
    source.expected = expected
    with pytest.raises(
        ZfnetError, match=r"3 of 20 images cannot be decoded.*max_bad_fraction = 0.1(.|\n)*drawn.tar: 11"
    ):
        prepare(tmp_path, source, max_bad_fraction=0.1)
    assert not (tmp_path / "out/manifest.json").exists()


@pytest.mark.parametrize("there", [19, 21])
def test_an_unexpected_number_of_images_stops_the_run(tmp_path, there):
    source = make_source(tmp_path, there, damaged=(2,))  # a damaged image still counts
    source.expected = 20
    with pytest.raises(
        ZfnetError, match=rf"drawn: {there} images in .*drawn.tar, where 20 were expected; copy the missing"
    ):
        prepare(tmp_path, source, max_bad_fraction=0.1)
    assert not (tmp_path / "out/manifest.json").exists()


def test_a_ribbon_counts_as_damaged(tmp_path):
    source = make_source(tmp_path, 4)
    ribbon = EncodedImage("ribbon", 0, encode(np.zeros((1, 3000, 3), np.uint8)), "drawn.tar: ribbon")
    source.images, source.expected = lambda: iter([ribbon, *images(4)]), 5
    manifest = prepare(tmp_path, source, max_bad_fraction=0.5)
    assert "too narrow (3000 × 1)" in manifest.damaged[0].reason


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        ([], "no image"),
        ([*images(3), *images(1)], "a second image with the key class-0/0000"),
        ([EncodedImage("../up", 0, images(1)[0].data, "x")], "cannot be the key"),
    ],
)
def test_mistakes_of_a_source_are_reported(tmp_path, broken, sentence):
    source = make_source(tmp_path, 3)
    source.images = lambda: iter(broken)
    with pytest.raises(ZfnetError, match=sentence):
        prepare(tmp_path, source)


def test_a_missing_archive_is_reported(tmp_path):
    source = make_source(tmp_path, 3)
    source.archives = [tmp_path / "nowhere.tar"]
    with pytest.raises(ZfnetError, match=r"nowhere.tar: the archive cannot be read"):
        prepare(tmp_path, source)


def test_torch_has_its_threads_back(tmp_path):
    before = torch.get_num_threads()
    prepare(tmp_path, make_source(tmp_path, 2))
    assert torch.get_num_threads() == before
