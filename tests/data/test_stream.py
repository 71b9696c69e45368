"""Remote shards: the same batches over every kind of address, and helpful errors for failures."""

import os
import shutil
import stat
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from drawn import prepare
from hypothesis import given, settings
from hypothesis import strategies as st

from zfnet.core.errors import ZfnetError
from zfnet.data.loader import Shards
from zfnet.data.stream import RemoteShards

COUNT = 23


@pytest.fixture(scope="module", params=[True, False], ids=["square", "uncut"])
def shards(request, tmp_path_factory):
    """Five shards of at most five images."""
    return Shards(prepare(tmp_path_factory.mktemp("shards"), COUNT, 32, 5, request.param, threads=2))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server(shards):
    """Address of the shards' folder on a local web server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(shards.path.parent)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def same(ours, theirs) -> bool:
    return all(torch.equal(left, right) for left, right in zip(ours, theirs, strict=True))


def check_equal(remote, shards, batch=8):
    for ours, theirs in zip(remote.batches(batch), shards.batches(range(COUNT), batch), strict=True):
        assert same(ours, theirs)


@pytest.mark.parametrize("form", ["manifest", "pattern", "list"])
def test_files_give_the_batches_of_the_random_reader(shards, form):
    folder = shards.path.parent
    source = {
        "manifest": shards.path,
        "pattern": f"{folder}/drawn-{{000000..000004}}.tar",
        "list": [str(folder / shard.file) for shard in shards.manifest.shards],
    }[form]
    remote = RemoteShards(source)
    check_equal(remote, shards)
    assert remote.size == 32
    assert remote.classes == (["a", "b", "c"] if form == "manifest" else None)


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="webdataset reads the web with curl")


@needs_curl
@pytest.mark.parametrize("name", ["manifest.json", "drawn-{000000..000004}.tar"])
def test_a_web_server_gives_the_same_batches(shards, server, name):
    check_equal(RemoteShards(f"{server}/{name}"), shards)


def test_a_command_gives_the_same_batches(shards):
    check_equal(RemoteShards(f"pipe:cat {shards.path.parent}/drawn-{{000000..000004}}.tar"), shards)


def test_a_bucket_is_read_by_its_own_program(shards, tmp_path, monkeypatch):
    fake = tmp_path / "aws"
    fake.write_text(f'#!/bin/sh\n[ "$1 $2 $4" = "s3 cp -" ] && cat "{shards.path.parent}/${{3#s3://bucket/a b/}}"\n')
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    check_equal(RemoteShards("s3://bucket/a b/manifest.json"), shards)


@settings(max_examples=15, deadline=None)
@given(
    batch=st.integers(1, 30),
    threads=st.integers(1, 3),
    shuffle=st.integers(1, 40),
    seed=st.integers(0, 3),
    epoch=st.integers(0, 3),
)
def test_a_shuffled_epoch_has_each_image_once_in_an_order_set_by_seed_and_epoch(
    shards, batch, threads, shuffle, seed, epoch
):
    remote = RemoteShards(shards.path)
    found = list(remote.batches(batch, threads, shuffle, seed, epoch))
    again = list(remote.batches(batch, 1, shuffle, seed, epoch))
    assert all(map(same, found, again))
    places = torch.cat([one.indices for one in found])
    assert sorted(places.tolist()) == list(range(COUNT))
    wanted = next(shards.batches(places.numpy(), COUNT))
    assert same([torch.cat(parts) for parts in zip(*found, strict=True)], wanted)


def test_epochs_and_seeds_differ(shards):
    remote = RemoteShards(shards.path)
    orders = [next(remote.batches(COUNT, 1, 20, *key)).indices.tolist() for key in [(0, 0), (0, 1), (1, 0)]]
    assert orders[0] != orders[1] and orders[0] != orders[2] and orders[1] != orders[2]


def test_batches_may_be_left_before_their_end(shards):
    batches = RemoteShards(f"pipe:cat {shards.path.parent}/drawn-{{000000..000004}}.tar").batches(2)
    assert next(batches).indices.tolist() == [0, 1]
    batches.close()


# Errors


def read(*given):
    return list(RemoteShards(*given).batches(4))


@needs_curl
def test_an_unreachable_address_is_reported(shards, server):
    with pytest.raises(ZfnetError, match=r"nowhere.tar: the shard breaks off after 0 images \(.* code 22\)"):
        read(f"{server}/nowhere.tar")
    with pytest.raises(ZfnetError, match=r"nowhere.json: the manifest cannot be read \(.* code 22\)"):
        RemoteShards(f"{server}/nowhere.json")


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(ZfnetError, match=r"nowhere.tar: the shard breaks off after 0 images \(No such file"):
        read(str(tmp_path / "nowhere.tar"))


def test_a_command_that_fails_after_its_images_is_reported(shards):
    shard = shards.path.parent / "drawn-000000.tar"
    with pytest.raises(ZfnetError, match=r"after \d images \(the command that reads it exited with code 3\)"):
        read(f"pipe:cat {shard}; exit 3")


def test_a_shard_truncated_anywhere_is_reported(shards, tmp_path):
    for path in shards.path.parent.glob("*.*"):
        shutil.copy(path, tmp_path)
    content = (tmp_path / "drawn-000001.tar").read_bytes()
    for cut in range(0, len(content) - 3 * 512, len(content) // 25):  # the last member and the two blocks of the end
        (tmp_path / "drawn-000001.tar").write_bytes(content[:cut])
        with pytest.raises(ZfnetError, match=r"drawn-000001.tar: (the shard|class-)"):
            read(tmp_path / "manifest.json")


def test_a_shard_that_lacks_images_of_the_manifest_is_reported(shards, tmp_path):
    for path in shards.path.parent.glob("*.*"):
        shutil.copy(path, tmp_path)
    shutil.copy(tmp_path / "drawn-000004.tar", tmp_path / "drawn-000001.tar")
    with pytest.raises(ZfnetError, match=r"drawn-000001.tar: the shard ends after 3 images, the manifest says 5"):
        read(tmp_path / "manifest.json")


def test_a_tar_of_other_files_is_reported(tmp_path):
    import tarfile

    (tmp_path / "a.txt").write_text("text")
    with tarfile.open(tmp_path / "other.tar", "w") as tar:
        tar.add(tmp_path / "a.txt", "a.txt")
    with pytest.raises(ZfnetError, match=r"other.tar: a: expected a .jpg and a .cls, found \['txt'\]"):
        read(str(tmp_path / "other.tar"))


def test_images_of_another_size_are_reported(shards):
    with pytest.raises(ZfnetError, match=r"class-0/0000.jpg cannot be decoded \(\d+ × \d+ pixels instead of 40\)"):
        read(str(shards.path.parent / "drawn-000000.tar"), 40)


def test_squares_are_uint8_on_the_cpu(shards):
    first = next(RemoteShards(shards.path).batches(3))
    assert first.images.dtype == torch.uint8 and first.images.shape == (3, 32, 32, 3)
    assert first.labels.dtype == first.indices.dtype == torch.int64
    assert np.array_equal(first.labels, shards.labels[:3])
