"""Trainings on a real Slurm of one node: they survive a time limit, scancel, requeue, kill -9 and a node failure.

The cluster comes from one_node.sh; without root or Debian's packages slurm-wlm and munge the tests are skipped.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.survival.small_run import CONFIG

ROOT, HERE = Path(__file__).parents[2], Path(__file__).parent
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue")
RUN = "results/demo/runs/zf-s1"
pytestmark = pytest.mark.slow  # minutes


def script(action: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([HERE / "one_node.sh", action, folder], capture_output=True, text=True)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("slurm")
    if os.geteuid() or not all(map(shutil.which, PROGRAMS)):
        pytest.skip("a Slurm of one node needs root and the packages slurm-wlm and munge (see tests/slurm/one_node.sh)")
    started = script("start", folder)
    if started.returncode == 3:
        pytest.skip(started.stderr)
    assert not started.returncode, started.stderr
    yield folder
    script("stop", folder)


class Workflow:
    """The workflow in one folder, always started by the same command."""

    def __init__(self, folder: Path, epochs: int) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[bytes]] = []
        recipe = CONFIG["training"]["zf"] | {"epochs": epochs}
        config = CONFIG | {"training": {"seeds": 1, "zf": recipe, "krizhevsky": recipe}}
        (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")

    def start(self, *more: str) -> subprocess.Popen[bytes]:
        command = [
            *(sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile"),
            *("--workflow-profile", ROOT / "profiles/slurm", "--slurm-no-account", "--latency-wait", "5"),
            *("--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2"),
            *("--set-resources", "train:mem_mb=2000", "train:gpu=1", *more),
        ]
        with (self.folder / "log").open("ab") as log:
            self.started.append(subprocess.Popen([*command, "--", f"{RUN}/metrics.json"], cwd=self.folder, stdout=log,
                                                 stderr=log, start_new_session=True))  # fmt: skip
        return self.started[-1]

    def end(self, process: subprocess.Popen[bytes]) -> dict[str, object]:
        """Wait for success and return the metrics of the training."""
        assert process.wait(1800) == 0, self.log
        return json.loads((self.folder / RUN / "metrics.json").read_text())

    def stop(self) -> None:
        """End what a failed test has left running."""
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        subprocess.run(["scancel", "--me"], check=False)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-6000:]

    @property
    def epochs_done(self) -> int:
        path = self.folder / RUN / "history.jsonl"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def training_job(self) -> str:
        """Wait until the training has done an epoch; return the id of its job."""
        until = time.monotonic() + 300
        while self.epochs_done < 1 or len(running := jobs()) != 1:
            assert time.monotonic() < until, self.log
            time.sleep(0.5)
        return running[0]


def jobs() -> list[str]:
    done = subprocess.run(["squeue", "-h", "-t", "R", "-o", "%i"], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """A folder in which the data sets are prepared, on this machine."""
    folder = tmp_path_factory.mktemp("prepared")
    Workflow(folder, epochs=1)
    manifests = [f"results/demo/data/imagenet-{part}/manifest.json" for part in ("train", "val")]
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--cores", "2", "--", *manifests]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def workflow(cluster: Path, prepared: Path, tmp_path: Path) -> Iterator[Callable[..., Workflow]]:
    """Make the workflow of a training of so many epochs, which take about 0.2 seconds each."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    made: list[Workflow] = []

    def make(epochs: int = 40) -> Workflow:
        made.append(Workflow(tmp_path, epochs))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def test_a_training_runs_with_a_gpu_of_its_own(workflow):
    short = workflow(epochs=2)
    assert short.end(short.start())["epochs"] == 2
    assert re.search(r"--gpus=1", short.log) or "gpu=1" in short.log
    assert not jobs()


def test_scancel_is_noticed_and_the_training_goes_on(workflow):
    long = workflow()
    process = long.start()
    subprocess.run(["scancel", long.training_job()], check=True)
    assert long.end(process)["resumptions"] == 1


def test_a_requeued_training_goes_on(workflow):
    long = workflow()
    process = long.start()
    subprocess.run(["scontrol", "requeue", long.training_job()], check=True)
    assert long.end(process)["resumptions"] == 1


def test_the_same_command_takes_over_from_a_killed_snakemake(workflow):
    """The job goes on alone; its duplicate waits for it and takes its result."""
    long = workflow()
    killed = long.start()
    first = long.training_job()
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    metrics = long.end(long.start())
    assert metrics["epochs"] == 40
    assert metrics["resumptions"] == 0, "trained once, by the first job"
    assert first not in jobs()


def test_a_training_outlives_a_restart_of_slurmd(workflow, cluster):
    long = workflow()
    process = long.start()
    long.training_job()
    assert not script("restart-node", cluster).returncode
    metrics = long.end(process)
    assert (metrics["epochs"], metrics["resumptions"]) == (40, 0)


def test_a_training_goes_on_after_its_node_failed(workflow):
    """Slurm ends the jobs of a node that is down and queues them again; a node that answers returns by itself."""
    long = workflow(epochs=80)
    process = long.start()
    job, node = long.training_job(), os.uname().nodename.split(".")[0]
    subprocess.run(["scontrol", "update", f"nodename={node}", "state=down", "reason=test"], check=True)
    assert long.end(process)["epochs"] == 80
    shown = subprocess.run(["scontrol", "show", "job", job], capture_output=True, text=True, check=True).stdout
    assert "Restarts=1" in shown
    assert "JobState=COMPLETED" in shown


def test_a_training_goes_on_after_its_time_limit(workflow):
    """Four minutes are a slice of one: three are left for an orderly end."""
    long = workflow(epochs=600)
    metrics = long.end(long.start("train:runtime=4"))
    assert metrics["epochs"] == 600
    assert metrics["resumptions"] >= 1
