"""Shards to batches: any order, batch size and number of threads; and helpful errors."""

import os

import numpy as np
import pytest
import simplejpeg
import torch
from drawn import images, prepare
from hypothesis import given, settings
from hypothesis import strategies as st

from zfnet.core.errors import ZfnetError
from zfnet.data import loader
from zfnet.data.augment import epoch_order
from zfnet.data.loader import Shards
from zfnet.data.resize import centre_square
from zfnet.data.shards import index
from zfnet.data.shards.channel_stats import read_statistics
from zfnet.data.stream import RemoteShards

COUNT = 43


@pytest.fixture(scope="module", params=[True, False], ids=["square", "uncut"])
def prepared(request, tmp_path_factory):
    """Shards of 43 images, read in order by the simplest possible code."""
    shards = Shards(prepare(tmp_path_factory.mktemp("shards"), COUNT, 32, 10, request.param, threads=2))
    plain = np.stack([centre_square(simplejpeg.decode_jpeg(shards.jpeg(number)), 32) for number in range(COUNT)])
    return shards, torch.from_numpy(plain)


def test_labels_keys_and_annotations_are_those_of_the_source(prepared):
    shards, _ = prepared
    assert shards.keys == [image.key for image in images(COUNT)]
    assert shards.labels.tolist() == [image.label for image in images(COUNT)]
    assert [shards.annotation(number) for number in range(COUNT)] == [p.annotation for p in images(COUNT)]
    assert len(shards) == COUNT and shards.size == 32 and shards.classes == ["a", "b", "c"]


def test_mean_and_covariance_are_those_of_the_file(prepared):
    shards, _ = prepared
    mean, covariance = read_statistics(shards.path.parent / "statistics.safetensors")
    assert np.array_equal(shards.mean, mean) and shards.mean.shape == (3, 32, 32)
    assert np.array_equal(shards.covariance, covariance)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_batches_are_the_same_for_any_order_batch_and_number_of_threads(prepared, data):
    shards, plain = prepared
    indices = data.draw(st.lists(st.integers(0, COUNT - 1), max_size=60))
    batch, threads = data.draw(st.integers(1, 50)), data.draw(st.integers(1, 4))
    batches = list(shards.batches(indices, batch, threads))
    assert [len(found.labels) for found in batches[:-1]] == [batch] * (len(batches) - 1)
    assert sum(len(found.labels) for found in batches) == len(indices)
    for number, found in enumerate(batches):
        wanted = indices[number * batch : (number + 1) * batch]
        assert found.indices.tolist() == wanted
        assert torch.equal(found.images, plain[wanted])
        assert found.labels.tolist() == shards.labels[wanted].tolist()


def test_squares_are_one_batch(prepared):
    shards, plain = prepared
    assert torch.equal(shards.squares([7, 3, 3]), plain[[7, 3, 3]])
    assert shards.squares([]).shape == (0, 32, 32, 3)


def test_batches_may_be_left_before_their_end(prepared):
    shards, plain = prepared
    batches = shards.batches(range(COUNT), 4)
    assert torch.equal(next(batches).images, plain[:4])
    batches.close()


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_an_epoch_resumes_at_any_step_and_splits_over_any_number_of_ranks(prepared, data):
    shards, plain = prepared
    seed, epoch = data.draw(st.integers(0, 5)), data.draw(st.integers(0, 5))
    ranks, share = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 5))
    batch = ranks * share
    order = epoch_order(COUNT, seed, epoch)
    steps = COUNT // batch
    step = data.draw(st.integers(0, steps))
    remaining = order[step * batch : steps * batch]
    parts = remaining.reshape(-1, ranks, share)  # of each minibatch, the rows of each rank
    rank_batches = [list(shards.batches(parts[:, rank].ravel(), share, 1 + rank % 3)) for rank in range(ranks)]
    for number, found in enumerate(shards.batches(remaining, batch)):
        wanted = order[(step + number) * batch : (step + number + 1) * batch]
        assert found.images.dtype == torch.uint8 and torch.equal(found.images, plain[wanted])
        assert torch.equal(torch.cat([mine[number].images for mine in rank_batches]), found.images)
        assert torch.equal(torch.cat([mine[number].labels for mine in rank_batches]), found.labels)


@settings(max_examples=30, deadline=None)
@given(keep=st.lists(st.booleans(), min_size=22, max_size=22), threads=st.integers(1, 3))
def test_kept_parts_of_a_batch_are_never_overwritten(prepared, keep, threads):
    shards, plain = prepared
    kept = [
        (b.indices[1:], b.images[1:]) for b, k in zip(shards.batches(range(COUNT), 2, threads), keep, strict=True) if k
    ]
    assert all(torch.equal(images, plain[indices]) for indices, images in kept)


def test_batches_do_not_share_memory(prepared):
    shards, plain = prepared
    batches = list(shards.batches(range(COUNT), 4))
    batches[0].images.zero_()
    assert torch.equal(batches[1].images, plain[4:8])
    assert torch.equal(shards.squares(range(4)), plain[:4])


# Errors


@pytest.fixture
def folder(tmp_path):
    prepare(tmp_path, 8, 16, 3)
    return tmp_path


def test_the_index_is_cached_and_reused(folder, monkeypatch):
    first = Shards(folder / "manifest.json")
    monkeypatch.setattr(index, "walk_members", None)  # a second walk would fail
    second = Shards(folder / "manifest.json")
    assert second.keys == first.keys and torch.equal(second.squares(range(8)), first.squares(range(8)))


def test_an_index_of_other_shards_is_not_used(folder):
    Shards(folder / "manifest.json")
    prepare(folder, 5, 16, 3)
    assert len(Shards(folder / "manifest.json")) == 5


def test_a_damaged_index_is_rebuilt(folder):
    wanted = Shards(folder / "manifest.json").squares(range(8))
    (folder / "index.safetensors").write_bytes(b"damaged")
    assert torch.equal(Shards(folder / "manifest.json").squares(range(8)), wanted)


def test_shards_on_a_full_disk_are_read(folder, full_disk):
    for name in ("index.safetensors", "checked.json"):
        (folder / name).unlink()
    with full_disk:
        assert len(Shards(folder / "manifest.json")) == 8
    assert not (folder / "index.safetensors").exists()
    assert len(Shards(folder / "manifest.json")) == 8 and (folder / "index.safetensors").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_shards_in_a_folder_that_cannot_be_written_to_are_read(folder):
    folder.chmod(0o500)
    assert len(Shards(folder / "manifest.json")) == 8


def test_a_missing_shard_is_reported(folder):
    (folder / "drawn-000001.tar").unlink()
    with pytest.raises(ZfnetError, match=r"drawn-000001.tar: the shard is missing, the manifest says \d+ bytes"):
        Shards(folder / "manifest.json")


def test_a_shard_of_another_size_is_reported(folder):
    (folder / "drawn-000001.tar").write_bytes(b"short")
    with pytest.raises(ZfnetError, match=r"drawn-000001.tar: the shard has 5 bytes, the manifest says \d+ bytes"):
        Shards(folder / "manifest.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: path.unlink(), "is missing since the manifest was written"),
        (lambda path: path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\1"), "has changed since the manifest was"),
        (lambda path: path.write_bytes(b""), "has changed since the manifest was written"),
    ],
)
def test_statistics_of_other_shards_are_reported(folder, change, message):
    change(folder / "statistics.safetensors")
    with pytest.raises(ZfnetError, match=rf"statistics.safetensors: the file {message}"):
        Shards(folder / "manifest.json")


@pytest.mark.parametrize("read", [Shards, lambda manifest: list(RemoteShards(manifest).batches(4))])
def test_a_label_that_is_not_a_number_is_reported(folder, read, monkeypatch):
    path = folder / "drawn-000000.tar"
    content = bytearray(path.read_bytes())
    content[content.index(b"class-2/0002.cls") + 512] = ord("x")
    path.write_bytes(content)
    monkeypatch.setenv("ZFNET_CHECK_SHARDS", "0")
    (folder / "index.safetensors").unlink()
    with pytest.raises(ZfnetError, match=r"drawn-000000.tar: class-2/0002.cls: b'x' is not a label"):
        read(folder / "manifest.json")


def test_a_shard_that_is_not_a_tar_is_reported(folder, monkeypatch):
    monkeypatch.setenv("ZFNET_CHECK_SHARDS", "0")
    (folder / "index.safetensors").unlink()
    path = folder / "drawn-000000.tar"
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(ZfnetError, match=r"drawn-000000.tar: no tar header at byte 0"):
        Shards(folder / "manifest.json")


def test_an_image_that_changed_is_reported(folder):
    shards = Shards(folder / "manifest.json")
    path = folder / "drawn-000000.tar"
    content = bytearray(path.read_bytes())
    content[512:532] = bytes(20)  # the start of the first JPEG
    path.write_bytes(content)
    with pytest.raises(ZfnetError, match=r"drawn-000000.tar: class-0/0000.jpg cannot be decoded"):
        shards.squares([0])


@pytest.mark.parametrize("square", [True, False])
def test_an_image_of_another_size_is_refused(square):
    row = np.empty((16, 16, 3), np.uint8)
    for shape in [(8, 8, 3), (12, 20, 3)]:
        jpeg = simplejpeg.encode_jpeg(np.zeros(shape, np.uint8))
        with pytest.raises(ValueError, match="instead of 16"):
            loader.decode_square(jpeg, row, square)
