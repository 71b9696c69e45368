"""The data benchmarks run at tiny sizes and yield the expected rows; no time is checked."""

import io
from math import isfinite

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from benchmarks import loader, memory, photos, scaling, sharding
from benchmarks.harness import Bench, Row
from zfnet.data.loader import Shards


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("work"), cores=2, quick=True)


def check(results: list[Row | str], cases: int, unit: set[str]) -> list[Row]:
    rows = [row for row in results if isinstance(row, Row)]
    assert len(rows) == cases and {row.unit for row in rows} == unit
    assert all(isfinite(value) and value > 0 for row in rows for value in (row.ours, row.peer, row.ratio, row.peak_mb))
    return rows


@pytest.mark.slow
def test_loader_is_compared_with_every_peer(bench):
    rows = check(list(loader.results(bench)), 4, {"images/s"})
    assert [(row.case, row.peer_name) for row in rows] == [("2 cores", name) for name in loader.PEERS.values()]
    assert len({row.limit for row in rows}) == 1 and rows[0].limit > 0


@pytest.mark.slow
def test_sharding_is_compared_with_pillow(bench):
    rows = check(list(sharding.results(bench)), 2, {"images/s"})
    assert [(row.case, row.peer_name) for row in rows] == [
        ("per core, 2 in use", name) for name in sharding.PEERS.values()
    ]


@pytest.mark.slow
def test_scaling_has_a_row_for_each_number_of_threads_and_images(bench):
    rows = check(list(scaling.results(bench)), 9, {"images/s", "MB"})
    assert [row.case for row in rows[:4]] == [*(f"loader, {n} threads" for n in (1, 2, 4)), "open and read, 250 images"]
    assert rows[0].ratio == rows[3].ratio == rows[6].ratio == 1


def test_both_ways_of_sharding_make_the_same_squares(tmp_path):
    """The comparison is like for like: up to rounding and JPEG losses the squares are equal."""
    archive = photos.photographs(tmp_path, 2, 2)
    sharding.ours(archive, 1)
    for image in photos.source(archive).images():
        square = simplejpeg.decode_jpeg(sharding._jpeg(sharding._square(image)))
        ours = Shards(photos.squares(tmp_path, 250, 2)).squares([image.label])[0].numpy()
        assert np.abs(square.astype(int) - ours).mean() < 2


def test_both_ways_of_sharding_have_the_same_statistics(tmp_path):
    mean, covariance = sharding.pillow_numpy(photos.photographs(tmp_path, 5, 5), 2)
    ours = Shards(photos.squares(tmp_path, 250, 5))
    np.testing.assert_allclose(ours.mean.permute(1, 2, 0), mean, atol=1)
    np.testing.assert_allclose(ours.covariance, covariance, rtol=2e-3)


def test_images_are_generated_reproducibly_and_about_as_large_as_photographs(tmp_path):
    first, again = photos._jpeg(3), photos._jpeg(3)
    assert first == again != photos._jpeg(4)
    assert 60_000 < len(first) < 130_000 and Image.open(io.BytesIO(first)).size == (500, 375)
    manifest = photos.squares(tmp_path, 250, 3)
    assert 25_000 < photos.mean_bytes(manifest) < 35_000
    assert len(set(Shards(manifest).keys)) == 250


@pytest.mark.parametrize("reader", ["ours", "webdataset", "webdataset_tuned"])
def test_readers_yield_each_square_once(tmp_path, reader):
    manifest = photos.squares(tmp_path, 6, 3)
    epoch = loader.READERS[reader](1, str(manifest), str(photos.files(manifest)))
    images = np.concatenate([np.asarray(batch) for batch in epoch()])
    expected = Shards(manifest).squares(range(6)).numpy()
    assert images.dtype == np.uint8 and sorted(map(bytes, images)) == sorted(map(bytes, expected))


def test_decoding_alone_decodes_each_square_once_on_its_cores(tmp_path, monkeypatch):
    manifest, decoded = photos.squares(tmp_path, 6, 3), []
    monkeypatch.setattr(loader.simplejpeg, "decode_jpeg", lambda jpeg, *arguments, buffer: decoded.append(jpeg))
    epoch = loader.bare(2, str(manifest), str(photos.files(manifest)))
    assert [*map(len, epoch())] == [3, 3]
    shards = Shards(manifest)
    assert sorted(decoded) == sorted(bytes(shards.jpeg(number)) for number in range(6))


def test_peak_memory_of_work_is_measured():
    before = memory.peak_mb(lambda: None)
    peak = memory.peak_mb(lambda: np.ones(50 << 20, np.uint8).sum())
    assert 40 < peak - before < 90
