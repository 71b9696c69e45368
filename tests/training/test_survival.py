"""Trainings in processes of their own, through the command line: killed, stopped, shared by several processes."""

import json
import multiprocessing
import os
import random
import signal
import socket
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from zfnet.core.files import read_json
from zfnet.training.checkpoint import FILE

pytestmark = pytest.mark.slow  # dozens of processes

TIMES = ("images_per_second", "wait_fraction", "seconds")
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["zfnet.cli", "zfnet.training.train_run"])


def zfnet(log: Path, environment: dict[str, str], *arguments: str) -> None:
    """Run the command line, with all output in `log`."""
    with log.open("a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    from zfnet import cli

    os.environ.update(environment, OMP_NUM_THREADS="1")
    sys.argv = ["zfnet", *map(str, arguments)]
    cli.main()


class Job:
    """One run that is trained again and again by the same command."""

    def __init__(self, folder, manifests, spec):
        self.folder, self.manifests, self.log = folder, manifests, folder / "log"
        folder.mkdir()
        (folder / "spec.json").write_text(spec.text)

    @property
    def command(self):
        train, val = self.manifests
        places = {"checkpoints": "checkpoints", "weights": "run/weights.safetensors", "metrics": "run/metrics.json"}
        options = {"spec": self.folder / "spec.json", "train": train, "val": val, "threads": 1}
        options |= {name: self.folder / place for name, place in places.items()}
        return ["train", *(word for name, value in options.items() for word in (f"--{name}", value))]

    def start(self, *more, **environment):
        process = SERVER.Process(target=zfnet, args=(self.log, environment, *self.command, *more))
        process.start()
        return process

    def together(self, world_size, *more):
        """Start the processes that torchrun would start."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        common = {"WORLD_SIZE": str(world_size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        return [self.start(*more, RANK=str(rank), LOCAL_RANK=str(rank), **common) for rank in range(world_size)]

    def finish(self, *more, expected=0):
        assert ended(self.start(*more)) == expected, self.log.read_text()

    def wait_for_checkpoints(self, count):
        """Wait until `count` new ones were written."""
        until, last = time.monotonic() + 60, self.newest()
        while count:
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.001)
            if (newest := self.newest()) != last:
                count, last = count - 1, newest

    def newest(self):
        return [(path.stat().st_ino, path.stat().st_mtime_ns) for path in self.folder.glob(f"checkpoints/*/{FILE}")]

    @property
    def weights(self):
        return load_file(self.folder / "run/weights.safetensors")

    @property
    def history(self):
        rows = map(json.loads, (self.folder / "run/history.jsonl").read_text().splitlines())
        return [{name: value for name, value in row.items() if name not in TIMES} for row in rows]


def ended(process):
    process.join(120)
    return process.exitcode


@pytest.fixture
def job(tmp_path, manifests):
    return lambda name, spec: Job(tmp_path / name, manifests, spec)


@pytest.fixture
def restless(spec):
    """A training with all that is random or remembers: dropout, crops, flips, colours, annealing by plateau."""
    plateau = {"kind": "plateau", "patience": 1}
    return spec(epochs=20, dropout=0.5, pca_noise=0.1, lr_schedule=plateau, learning_rate=0.02, snapshots=(2, 16))


def test_ten_kills_at_random_moments_change_nothing(job, restless):
    whole, killed, draw = job("whole", restless), job("killed", restless), random.Random(2013)
    whole.finish()
    for _ in range(10):
        process = killed.start("--minutes", "1e-9")  # a checkpoint after every step
        killed.wait_for_checkpoints(draw.randint(0, 4))
        time.sleep(draw.uniform(0, 0.05))
        process.kill()
        assert ended(process) == -signal.SIGKILL, killed.log.read_text()
    assert not (killed.folder / "run/weights.safetensors").exists()
    killed.finish()

    assert killed.history == whole.history
    assert len({row["learning_rate"] for row in whole.history}) > 1
    assert killed.weights.keys() == whole.weights.keys()
    assert all(torch.equal(killed.weights[name], tensor) for name, tensor in whole.weights.items())
    assert 3 <= read_json(killed.folder / "run/metrics.json")["resumptions"] <= 10
    assert read_json(whole.folder / "run/metrics.json")["resumptions"] == 0
    assert not list(killed.folder.rglob(".*")), "a temporary file is left"


def test_a_signal_saves_and_exits_with_75_while_a_second_process_waits(job, restless):
    long = job("long", restless.model_copy(update={"recipe": restless.recipe.model_copy(update={"epochs": 10_000})}))
    process = long.start("--minutes", "1e-9")
    long.wait_for_checkpoints(1)
    second = long.start("--budget", "0")
    said = f"zf-s1: process {process.pid} on"
    until = time.monotonic() + 60
    while said not in long.log.read_text():
        assert time.monotonic() < until, long.log.read_text()
        time.sleep(0.05)
    process.terminate()
    assert ended(process) == 75
    assert ended(second) == 75, "it goes on from the checkpoint of the first"
    output = long.log.read_text()
    assert "because SIGTERM was received. Everything is saved; run the same command to resume." in output
    assert "zf-s1: resuming from its checkpoint" in output
    assert "Traceback" not in output


@pytest.fixture
def exact(spec):
    """A training that is the same with any number of processes, up to the order of additions."""
    return spec(epochs=4, dropout=0.0, pca_noise=0.1, learning_rate=0.02, snapshots=(2,))


def assert_close(one, other):
    for row, same in zip(one.history, other.history, strict=True):
        assert row == pytest.approx(same, rel=1e-4)
    for name, tensor in one.weights.items():
        torch.testing.assert_close(other.weights[name], tensor, rtol=1e-3, atol=1e-5)


def test_two_processes_learn_what_one_does(job, exact):
    one, two = job("one", exact), job("two", exact)
    one.finish()
    assert [ended(process) for process in two.together(2)] == [0, 0], two.log.read_text()
    assert_close(one, two)
    metrics = read_json(two.folder / "run/metrics.json")
    assert (metrics["processes"], metrics["images"]) == (2, 24)
    assert two.log.read_text().count("epoch 4 of 4") == 1, "only the first process speaks"


def test_a_training_of_two_processes_goes_on_with_one_and_back(job, exact):
    one, mixed = job("one", exact), job("mixed", exact)
    one.finish()
    assert [ended(process) for process in mixed.together(2, "--budget", "0")] == [75, 75]
    assert "stopped in epoch 1 after step 1 of 3" in mixed.log.read_text()
    mixed.finish("--budget", "0", expected=75)
    assert [ended(process) for process in mixed.together(4)] == [0] * 4
    assert_close(one, mixed)


def test_a_signal_to_one_of_two_stops_both_at_the_same_step(job, exact):
    long = job("long", exact.model_copy(update={"recipe": exact.recipe.model_copy(update={"epochs": 10_000})}))
    first, second = long.together(2, "--minutes", "1e-9")
    long.wait_for_checkpoints(1)
    second.terminate()
    assert [ended(first), ended(second)] == [75, 75]
    assert "because SIGTERM was received" in long.log.read_text()


def test_a_minibatch_that_cannot_be_split_is_reported(job, exact):
    three = job("three", exact)
    assert [ended(process) for process in three.together(3)] == [1, 1, 1]
    assert "a minibatch of 8 images cannot be split evenly among 3 processes" in three.log.read_text()


def test_the_command_starts_its_own_processes(job, exact):
    """`--world-size 2` through torchrun's library; the second start finishes the training."""
    two = job("two", exact)
    two.finish("--world-size", "2", "--budget", "0", expected=75)
    assert "stopped in epoch 1 after step 1 of 3" in two.log.read_text()
    two.finish("--world-size", "2")
    assert [row["epoch"] for row in two.history] == [1, 2, 3, 4]


def test_a_signal_reaches_the_processes_that_the_command_started(job, exact):
    long = job("long", exact.model_copy(update={"recipe": exact.recipe.model_copy(update={"epochs": 10_000})}))
    process = long.start("--world-size", "2", "--minutes", "1e-9")
    long.wait_for_checkpoints(1)
    process.terminate()
    assert ended(process) == 75
    assert "because SIGTERM was received" in long.log.read_text()
