"""Atomic writes: a half-written file never looks finished."""

import errno
import os
import socket
import subprocess

import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors.numpy import save_file

from zfnet.core import files
from zfnet.core.errors import ZfnetError


def test_a_failed_write_leaves_only_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError), files.atomic(path) as beside:
        beside.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_the_temporary_file_has_the_final_name_and_its_folder_is_removed_with_its_content(tmp_path):
    with files.atomic(tmp_path / "picture.png") as beside:
        assert beside.name == "picture.png"
        beside.write_bytes(b"x")
        beside.with_name(".tmpQ2A09X").write_bytes(b"a writer's own")
    assert (tmp_path / "picture.png").read_bytes() == b"x"
    assert [entry.name for entry in tmp_path.iterdir()] == ["picture.png"]


def test_leftovers_of_a_killed_process_are_removed(tmp_path):
    for name in (".a-1.tar.node.uni.123", ".a-1.tar.node2.1", ".a-2.tar.7", ".a-1.tar", ".b-1.tar.node.5"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "half").write_bytes(b"x")
    files.remove_unfinished(tmp_path / "a-*.tar")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".a-1.tar", ".b-1.tar.node.5"]


def test_the_next_writer_removes_leftovers_of_dead_processes_of_its_machine(tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    host, me = socket.gethostname(), os.getpid()
    kept = [f".a[1].{host}.1", f".a[1].{host}.{me}", f".a[1].elsewhere.{dead.pid}", f".a1.{host}.{dead.pid}"]
    kept += [f".a[1].{host}.text", f".a[1].{host}.{10**30}"]
    for name in (*kept, f".a[1].{host}.{dead.pid}"):
        (tmp_path / name).mkdir()
    files.write_text(tmp_path / "a[1]", "whole")
    kept.remove(f".a[1].{host}.{me}")  # that of this very write
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted([*kept, "a[1]"])


def test_a_full_disk_is_an_oserror_even_from_safetensors(tmp_path, full_disk):
    with full_disk, pytest.raises(OSError) as caught, files.atomic(tmp_path / "a.safetensors") as beside:
        save_file({"a": np.zeros(10_000)}, beside)
    assert caught.value.errno == errno.EFBIG and caught.value.filename == str(tmp_path / "a.safetensors")
    assert caught.value.strerror == os.strerror(errno.EFBIG) and list(tmp_path.iterdir()) == []


def test_other_errors_of_safetensors_are_unchanged(tmp_path):
    with pytest.raises(SafetensorError, match="no error of the system"), files.atomic(tmp_path / "a") as beside:
        beside.touch()
        raise SafetensorError("no error of the system")


def test_a_file_is_readable_whoever_wrote_it(tmp_path):
    with files.atomic(tmp_path / "private") as beside:
        beside.write_bytes(b"x")
        beside.chmod(0o600)
    (tmp_path / "usual").write_bytes(b"x")
    assert (tmp_path / "private").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_folders_are_created(tmp_path):
    files.write_json(tmp_path / "a" / "b.json", {"z": 1, "a": (2, 3)})
    assert files.read_json(tmp_path / "a" / "b.json") == {"a": [2, 3], "z": 1}


def test_unchanged_text_keeps_the_files_time(tmp_path):
    path = tmp_path / "spec.json"
    assert files.write_if_changed(path, "one")
    before = path.stat().st_mtime_ns
    assert not files.write_if_changed(path, "one")
    assert path.stat().st_mtime_ns == before
    assert files.write_if_changed(path, "two")


def test_canonical_json_does_not_depend_on_the_order_of_keys():
    assert files.canonical_json({"b": 1, "a": {"d": 1, "c": 2}}) == files.canonical_json(
        {"a": {"c": 2, "d": 1}, "b": 1}
    )


@pytest.mark.parametrize(("content", "message"), [(None, "no such file"), ("{", "not valid JSON")])
def test_an_invalid_file_is_reported(tmp_path, content, message):
    path = tmp_path / "x.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ZfnetError, match=message):
        files.read_json(path)


def test_checksums(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert files.sha256(tmp_path / "x") == files.text_hash("abc") == known


def test_a_file_system_without_permissions_is_written_to(tmp_path, monkeypatch):
    """exFAT, CIFS and S3 mounts refuse chmod."""

    def refuse(path, mode):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(type(tmp_path), "chmod", refuse)
    files.write_text(tmp_path / "a.txt", "content")
    assert (tmp_path / "a.txt").read_text() == "content"
