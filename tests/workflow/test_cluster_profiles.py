"""Profiles for schedulers other than Slurm: every preset can be planned, and a job runs through a pretend scheduler.

The pretend qsub and kubectl write down what they were asked for, then run the job at once.
"""

import importlib.util
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.workflow.test_dry_run import TINY
from zfnet.synthetic import FILES, generate

ROOT = Path(__file__).parents[2]
PROFILES = ("cluster-generic", "kubernetes")
TARGET = "results/mini/data/caltech101/manifest.json"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("snakemake_executor_plugin_cluster_generic") is None,
        reason="needs pip install snakemake-executor-plugin-cluster-generic",
    ),
]
QSUB = """#!/bin/bash
echo "$@" > asked
bash "${@: -1}" > ran 2>&1 &
echo 1.server
"""
KUBECTL = """#!/bin/bash
if [ "$1" = create ]; then
    cat > asked
    (bash "$(grep -oP 'command: \\[bash, "\\K[^"]+' asked)" > ran 2>&1 && echo 1/ > status || echo /1 > status) &
elif [ -e status ]; then cat status; else echo /; fi
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    """A working folder as it is in a clone, with archives and pretend schedulers."""
    generate(TINY, tmp_path / "archives")
    (tmp_path / "profiles").symlink_to(ROOT / "profiles")
    (tmp_path / "bin").mkdir()
    for name, text in {"qsub": QSUB, "kubectl": KUBECTL}.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(stat.S_IRWXU)
    return tmp_path


def snakemake(folder: Path, config: dict[str, object], *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    known = {"ZFNET_IMAGE": "zfnet:1", "ZFNET_CLAIM": "work", "ZFNET_MOUNT": str(folder)}
    environment = os.environ | known | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)


def archives(folder: Path) -> dict[str, str]:
    return {name: str(folder / "archives" / file) for name, file in FILES.items()}


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("preset", ["demo", "paper"])
def test_everything_can_be_planned(folder, profile, preset):
    config = {"preset": preset, "archives": archives(folder)} if preset == "paper" else {"preset": preset}
    done = snakemake(folder, config, "--workflow-profile", profile, "-n")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("profile", PROFILES)
def test_a_job_asks_for_its_share_and_runs(folder, profile):
    config = {"preset": "mini", "archives": archives(folder), "jobs": {"threads": 2, "runtime_minutes": 90}}
    done = snakemake(folder, config, "--workflow-profile", profile, "--latency-wait", "5", TARGET)
    ran = (folder / "ran").read_text() if (folder / "ran").exists() else ""
    assert done.returncode == 0, done.stdout + done.stderr + ran
    assert (folder / TARGET).exists()
    asked = (folder / "asked").read_text()
    if profile == "kubernetes":
        job = yaml.safe_load(asked)["spec"]
        (container,) = job["template"]["spec"]["containers"]
        assert job["activeDeadlineSeconds"] == 90 * 60
        assert (container["image"], container["workingDir"]) == ("zfnet:1", str(folder))
        assert container["resources"]["requests"] == {"cpu": 2, "memory": "2000M"}
        assert container["resources"]["limits"] == {"memory": "2000M", "nvidia.com/gpu": 0}
        assert container["volumeMounts"] == [{"name": "work", "mountPath": str(folder)}]
    else:
        assert "-N zfnet-shards -l select=1:ncpus=2:ngpus=0:mem=2000mb -l walltime=00:90:00" in asked


@pytest.mark.parametrize(("answer", "state"), [("/", "running"), ("1/", "success"), ("/1", "failed"), ("", "failed")])
def test_the_state_of_a_job_of_kubernetes(folder, answer, state):
    (folder / "status").write_text(answer)
    done = subprocess.run(
        [ROOT / "profiles/kubernetes/job.sh", "status", "zfnet-train-1"],
        capture_output=True, text=True, cwd=folder, env={"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.stdout.strip() == state
