"""A disk that is full, or read-only, at any write of a stage: one sentence, and nothing half-written looks finished."""

import errno
import hashlib
import os

import pytest

from tests.workflow.test_dry_run import TINY
from zfnet.core import files
from zfnet.data.readers import datasets
from zfnet.data.shards.writer import write_shards
from zfnet.settings import Data
from zfnet.synthetic import FILES, generate

DATA = Data(image_size=64, images_per_shard=2)


def digests(folder):
    """Return the digest of every file that looks finished; checked.json says when shards were last compared."""
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "checked.json"
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)  # unfinished
    }


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    generate(TINY, folder)
    return folder / FILES["caltech101"]


def fail_at(monkeypatch, write, code):
    """Let the write of this number fail as a disk does, which names no file."""
    done, flush = iter(range(1, 10_000)), files._flush_to_disk

    def failing(path):
        if next(done) == write:
            raise OSError(code, os.strerror(code))
        flush(path)

    monkeypatch.setattr(files, "_flush_to_disk", failing)


def prepare(archive, out):
    write_shards(datasets.source("caltech101", [archive], DATA), DATA, out / "manifest.json", square=False, threads=1)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_preparation_survives_a_failure_of_any_write(archive, tmp_path, monkeypatch, code):
    prepare(archive, tmp_path / "whole")
    expected, failures = digests(tmp_path / "whole"), 0
    while True:
        out = tmp_path / f"write-{failures + 1}"
        with monkeypatch.context() as patched:
            fail_at(patched, failures + 1, code)
            try:
                prepare(archive, out)
                break
            except OSError as error:
                assert error.errno == code and str(out) in str(error.filename)
        failures += 1
        assert digests(out).items() <= expected.items(), "nothing half-written has a finished name"
        prepare(archive, out)
        assert digests(out) == expected
    assert failures >= 4, "shards, index, statistics and manifest"
