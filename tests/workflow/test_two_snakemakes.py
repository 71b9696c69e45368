"""Two snakemakes in one folder: the second keeps its hands off what the first works with and what it has finished."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RULES = f"""
include: "{ROOT}/Snakefile"


rule wait:
    output:
        "results/demo/waited",
    shell:
        "touch started; sleep 120; touch {{output}}"


rule duplicate:
    output:
        "results/demo/made-by-another",
    shell:
        "echo finished > {{output}}; exit 1"
"""
SPEC = "results/demo/runs/zf-s1/spec.json"


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "rules.smk").write_text(RULES)
    (tmp_path / "workflow").symlink_to(ROOT / "workflow")
    (tmp_path / "profiles").symlink_to(ROOT / "profiles")
    (tmp_path / "config.yaml").write_text("preset: demo\n")
    return tmp_path


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "snakemake", "--snakefile", "rules.smk", "--cores", "1", *arguments]
    return subprocess.Popen(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@pytest.fixture
def first(folder) -> Iterator[subprocess.Popen[str]]:
    """A snakemake that is at work."""
    process = start(folder, "results/demo/waited")
    until = time.monotonic() + 120
    while not (folder / "started").exists():
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.1)
    yield process
    process.kill()
    process.wait()


@pytest.mark.slow
def test_other_settings_are_refused_until_the_first_has_ended(folder, first):
    spec = (folder / SPEC).read_text()
    (folder / "config.yaml").write_text(yaml.safe_dump({"preset": "demo", "training": {"zf": {"epochs": 3}}}))
    printed, _ = start(folder, "-n", "results/demo/waited").communicate(timeout=120)
    assert f"{SPEC}: the settings behind it were changed, but process {first.pid} on " in printed
    assert "Wait for its end or stop it (Ctrl-C), then run the same command again." in printed
    assert (folder / SPEC).read_text() == spec
    first.kill()
    first.wait()
    after = start(folder, "-n", "results/demo/waited")
    printed, _ = after.communicate(timeout=120)
    assert after.returncode == 0, printed
    assert '"epochs": 3' in (folder / SPEC).read_text()


@pytest.mark.slow
def test_the_same_files_are_not_made_twice(folder, first):
    second = start(folder, "results/demo/waited")
    printed, _ = second.communicate(timeout=120)
    assert second.returncode
    assert "LockException" in printed
    assert first.poll() is None


def test_a_failed_duplicate_keeps_what_another_job_has_finished(folder):
    failed = start(folder, "results/demo/made-by-another")
    printed, _ = failed.communicate(timeout=120)
    assert failed.returncode, printed
    assert (folder / "results/demo/made-by-another").read_text() == "finished\n"


@pytest.mark.parametrize("profile", sorted(path.name for path in (ROOT / "profiles").iterdir()))
def test_every_profile_keeps_the_outputs_of_failed_jobs(profile):
    assert yaml.safe_load((ROOT / "profiles" / profile / "config.yaml").read_text())["keep-incomplete"] is True
