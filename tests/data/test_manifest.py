"""Manifests: round trip, hash, and damaged files."""

import hashlib

import pytest
from drawn import make_source

from zfnet.core.errors import ZfnetError
from zfnet.data.shards.manifest import Manifest, describe_archive
from zfnet.data.shards.writer import write_shards
from zfnet.settings import Data


@pytest.fixture
def manifest(tmp_path):
    write_shards(make_source(tmp_path, 7), Data(image_size=16), tmp_path / "manifest.json", True, 1)
    return tmp_path / "manifest.json"


def test_hash_is_that_of_the_content_not_of_the_place(manifest):
    first = Manifest.load(manifest)
    moved = first.source[0].model_copy(update={"path": "/elsewhere/drawn.tar"})
    assert first.model_copy(update={"source": [moved]}).hash == first.hash
    other = first.shards[0].model_copy(update={"sha256": "0" * 64})
    assert first.model_copy(update={"shards": [other]}).hash != first.hash
    assert first.model_copy(update={"statistics_sha256": "0" * 64}).hash != first.hash


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "not valid JSON"),
        ("[]", "not a manifest of shards"),
        ('{"name": 1}', r"not a manifest of shards \(\d+ mistakes, the first at name"),
    ],
)
def test_damaged_manifests_are_reported(tmp_path, text, sentence):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ZfnetError, match=sentence):
        Manifest.load(tmp_path / "manifest.json")


def test_shards_outside_the_folder_are_refused(manifest):
    manifest.write_text(manifest.read_text().replace("drawn-000000.tar", "../drawn-000000.tar"))
    with pytest.raises(ZfnetError, match=r"the first at shards.0.file"):
        Manifest.load(manifest)


def test_a_missing_manifest_is_reported(tmp_path):
    with pytest.raises(ZfnetError, match="no such file; run the workflow step"):
        Manifest.load(tmp_path / "manifest.json")


def test_an_extracted_folder_is_described_by_its_listing(tmp_path):
    (tmp_path / "tree/a").mkdir(parents=True)
    (tmp_path / "tree/a/1.JPEG").write_bytes(b"12345")
    (tmp_path / "tree/0.JPEG").write_bytes(b"1")
    archive = describe_archive(tmp_path / "tree")
    assert archive.bytes == 6
    assert archive.sha256 == hashlib.sha256(b"0.JPEG\t1\na/1.JPEG\t5\n").hexdigest()
