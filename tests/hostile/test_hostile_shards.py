"""Shards and their companions from others, or damaged: read, made anew or refused by a sentence, never a loop."""

import gzip
import hashlib
import json
import os
import time

import builders
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.hostile.kinds import prepared
from zfnet.core.errors import ZfnetError
from zfnet.data.loader import Shards
from zfnet.data.shards import checksums
from zfnet.data.stream import RemoteShards

SHARD = "set-000000.tar"


@pytest.fixture
def folder(tmp_path):
    for name, content in prepared().items():
        if name != "checked.json":
            (tmp_path / name).write_bytes(content)
    return tmp_path


def replaced(folder, content: bytes, keep_index=False) -> Shards:
    """Open the data set with another shard, which the manifest describes truly."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["shards"][0] |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (folder / SHARD).write_bytes(content)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return Shards(folder / "manifest.json")


def with_size(content: bytes, size: bytes) -> bytes:
    return content[:124] + size.ljust(12, b"\0") + content[136:]


@pytest.mark.parametrize("size", [b"-0000001000", b"+0000001000", b"77777777777", b"x"])
def test_a_false_size_neither_loops_nor_is_believed(folder, size):
    with pytest.raises(ZfnetError, match=r"set-000000\.tar: (no tar header at byte 0|.*extends beyond the end)"):
        replaced(folder, with_size(prepared()[SHARD], size))
    with pytest.raises(ZfnetError, match=r"set-000000\.tar: the shard breaks off after 0 images"):
        list(RemoteShards(str(folder / SHARD)).batches(2))


def shard(label: bytes = b"0", key: str = "c/0", **more: bytes) -> bytes:
    files = {f"{key}.jpg": builders.image(size=(32, 32)), f"{key}.cls": label}
    return builders.tar(files | {f"{key}.{suffix}": content for suffix, content in more.items()})


@pytest.mark.parametrize("label", [b"9" * 30, b"2", b"-2", b"", b"1.0", b"1_0", b"0" * 5000])
def test_labels_that_are_no_class_are_refused(folder, label):
    with pytest.raises(ZfnetError, match=r"c/0\.cls: .* is not a label, expected an integer from -1 to 1"):
        replaced(folder, shard(label))


def test_a_remote_label_is_a_class_of_the_manifest_or_at_least_bounded(folder):
    (folder / "a.tar").write_bytes(shard(b"9" * 30))
    with pytest.raises(ZfnetError, match="is not a label"):
        list(RemoteShards(str(folder / "a.tar"), 32).batches(2))


@pytest.mark.parametrize("key", ["a\nb", "caf\u00e9", "../a", "a//b"])
def test_keys_of_other_characters_are_refused(folder, key):
    with pytest.raises(ZfnetError, match="has no key of an image"):
        replaced(folder, shard(key=key))


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 10**5, b"3"])
def test_a_damaged_annotation_names_shard_and_key(folder, content):
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["images"] = manifest["shards"][0]["images"] = 1
    (folder / "manifest.json").write_text(json.dumps(manifest))
    shards = replaced(folder, shard(json=content))
    with pytest.raises(ZfnetError, match=r"set-000000\.tar: c/0\.json: not an annotation"):
        shards.annotation(0)


@pytest.mark.parametrize("content", [b"", bytes(1024), b"x" * 2000])
def test_an_empty_or_foreign_shard_is_refused(folder, content):
    with pytest.raises(ZfnetError, match=r"set-000000\.tar: (0 images, the manifest says 4|no tar header)"):
        replaced(folder, content)


@pytest.mark.parametrize("name", [SHARD, "manifest.json", "statistics.safetensors"])
def test_a_pipe_in_place_of_a_file_is_no_endless_wait(folder, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(ZfnetError, match=name):
        Shards(folder / "manifest.json")


def test_a_pipe_in_place_of_a_remote_shard_is_no_endless_wait(folder):
    os.mkfifo(folder / "a.tar")
    with pytest.raises(ZfnetError, match=r"a\.tar: the shard breaks off .*pipe or device"):
        list(RemoteShards(str(folder / "a.tar")).batches(2))


@pytest.mark.parametrize(
    ("field", "value"),
    [("size", -1), ("size", 10**30), ("images", -1), ("shards", [{"file": "../a.tar", "images": 1, "bytes": 1}])],
)
def test_a_manifest_out_of_range_is_refused(folder, field, value):
    manifest = json.loads((folder / "manifest.json").read_text()) | {field: value}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ZfnetError, match="not a manifest of shards"):
        Shards(folder / "manifest.json")


def test_an_old_manifest_without_lists_of_skipped_files_is_read(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["skipped"], manifest["renamed"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert len(Shards(folder / "manifest.json")) == 4


DAMAGE = {"large": lambda a: a + 10**6, "short": lambda a: a[:-1], "below": lambda a: -a - 5}
CASES = [(name, kind) for name in ("pictures", "labels", "shards") for kind in DAMAGE] + [("keys", "short")]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_an_index_that_points_elsewhere_is_made_anew(folder, name, kind):
    from safetensors import safe_open

    path = folder / "index.safetensors"
    with safe_open(path, "np") as file:
        stamp = file.metadata()
    arrays = load_file(path)
    keys = b"c/0\nc/1\nc/2"
    changed = np.frombuffer(keys, np.uint8) if name == "keys" else DAMAGE[kind](arrays[name])
    save_file(arrays | {name: np.ascontiguousarray(changed.astype(arrays[name].dtype))}, path, stamp)
    assert [image.shape[0] for image in Shards(folder / "manifest.json").squares(range(4))] == [32] * 4


def test_statistics_of_others_are_checked(folder):
    path = folder / "statistics.safetensors"
    for tensors in ({"mean": np.zeros((3, 2, 2), np.float32)}, {"mean": np.zeros(3), "covariance": np.zeros((3, 3))}):
        save_file(tensors, path)
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["statistics_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        (folder / "manifest.json").write_text(json.dumps(manifest))
        with pytest.raises(ZfnetError, match="not the statistics of a data set"):
            Shards(folder / "manifest.json").mean  # noqa: B018 - read on access


def test_a_gzip_named_tar_is_not_unfolded(folder):
    (folder / "a.tar").write_bytes(gzip.compress(bytes(1 << 24)))
    with pytest.raises(ZfnetError, match=r"a\.tar: the shard breaks off after 0 images \(no header of a tar\)"):
        list(RemoteShards(str(folder / "a.tar")).batches(2))


def test_a_packed_shard_and_other_suffixes_are_read(folder):
    (folder / "a.tar.gz").write_bytes(gzip.compress(shard()))
    (batch,) = RemoteShards(str(folder / "a.tar.gz")).batches(2)
    assert batch.labels.tolist() == [0]
    (folder / "b.tar").write_bytes(builders.tar({"0.JPEG": builders.image(size=(32, 32)), "0.cls": b"1"}))
    (batch,) = RemoteShards(str(folder / "b.tar")).batches(2)
    assert batch.labels.tolist() == [1]


# Checksums


def altered(folder):
    content = bytearray((folder / SHARD).read_bytes())
    content[700] ^= 1
    (folder / SHARD).write_bytes(content)


def test_an_altered_shard_is_noticed_on_first_use_and_after_its_time_changed(folder, monkeypatch):
    Shards(folder / "manifest.json")
    monkeypatch.setattr(checksums, "sha256", lambda path: pytest.fail("compared twice"))
    Shards(folder / "manifest.json")
    monkeypatch.undo()
    time.sleep(0.01)
    altered(folder)
    with pytest.raises(ZfnetError, match=r"set-000000\.tar: the shard has changed since it was written"):
        Shards(folder / "manifest.json")


def test_the_comparison_can_be_skipped(folder, monkeypatch):
    altered(folder)
    monkeypatch.setenv(checksums.SKIP, "0")
    assert len(Shards(folder / "manifest.json")) == 4


@pytest.mark.parametrize("content", [b"", b"[]", b'{"set-000000.tar": 3}', b"\xff"])
def test_a_damaged_record_of_checks_is_made_anew(folder, content):
    (folder / "checked.json").write_bytes(content)
    Shards(folder / "manifest.json")
    assert json.loads((folder / "checked.json").read_text())[SHARD][2] == hashlib.sha256(prepared()[SHARD]).hexdigest()
