"""Archives that were moved are prepared once; others under the same name are prepared again."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.workflow.test_dry_run import TINY
from zfnet.data.archive_identity import END, identity
from zfnet.synthetic import FILES, generate

ROOT = Path(__file__).parents[2]
TARGET = "results/mini/data/caltech101/manifest.json"


def snakemake(folder: Path, archives: Path, *arguments: str) -> str:
    paths = {name: str(archives / FILES[name]) for name in ("caltech101", "caltech256")}
    (folder / "config.yaml").write_text(yaml.safe_dump({"preset": "mini", "archives": paths}))
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--cores", "1", *arguments, TARGET]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_moved_archives_are_not_prepared_again(tmp_path):
    generate(TINY, tmp_path / "first disk")
    snakemake(tmp_path, tmp_path / "first disk")
    shutil.copytree(tmp_path / "first disk", tmp_path / "second", copy_function=shutil.copyfile)  # with times of now
    shutil.rmtree(tmp_path / "first disk")
    assert "Nothing to be done" in snakemake(tmp_path, tmp_path / "second", "-n")
    with (tmp_path / "second" / FILES["caltech101"]).open("ab") as file:
        file.write(bytes(10240))
    assert "Reason: Updated input files" in snakemake(tmp_path, tmp_path / "second", "-n")
    assert "second" in (tmp_path / "results/mini/settings/archives.json").read_text()


def test_an_identity_is_blind_to_the_place_and_sees_size_and_both_ends(tmp_path):
    content = bytes(3 * END)
    changed = [b"x" + content[1:], content[:-1] + b"x", content + b"\0"]
    for number, each in enumerate([content, content, *changed]):
        (tmp_path / f"{number}.tar").write_bytes(each)
    found = [identity(tmp_path / f"{number}.tar") for number in range(5)]
    assert found[0] == found[1]
    assert len(set(found)) == 4


def test_a_tree_is_known_by_its_names(tmp_path):
    for tree, names in {"a": "xy", "b": "xy", "c": "xz"}.items():
        for name in names:
            (tmp_path / tree / name).mkdir(parents=True)
    assert identity(tmp_path / "a") == identity(tmp_path / "b") != identity(tmp_path / "c")
