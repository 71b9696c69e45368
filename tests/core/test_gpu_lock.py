"""GPU locks: exclusive or shared devices, waiting, and release when a process is killed."""

import itertools
import os
import subprocess
import sys
import threading

import pytest

from zfnet.core.errors import ZfnetError
from zfnet.core.file_lock import exclusive, holder
from zfnet.core.gpu_cards import devices
from zfnet.core.gpu_lock import gpu_lock


@pytest.fixture(autouse=True)
def no_scheduler(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # so that monkeypatch restores it even if it was unset
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Lock GPU-a, GPU-b or GPU-c as a separate process would, whatever this one already holds."""

    def lock_in_turn(count=1, slots=1, gpus=("GPU-a", "GPU-b", "GPU-c")):
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        return gpu_lock(count, slots, list(gpus), tmp_path, poll=0.01)

    return lock_in_turn


def test_each_lock_holds_its_own_device(ask):
    with ask() as first, ask() as second:
        assert (first, second) == (["GPU-a"], ["GPU-b"])
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-b"


def test_the_lock_ends_with_its_block(ask):
    for _ in range(2):
        with ask() as held:
            assert held == ["GPU-a"]
        assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_trainings_spread_before_they_share(ask):
    with ask(slots=2) as a, ask(slots=2) as b, ask(slots=2) as c, ask(slots=2) as d:
        assert [a, b, c, d] == [["GPU-a"], ["GPU-b"], ["GPU-c"], ["GPU-a"]]


def test_a_job_that_does_not_share_fits_next_to_a_training_that_does(ask):
    with ask(slots=2, gpus=["GPU-a"]), ask(gpus=["GPU-a"]) as other:
        assert other == ["GPU-a"]


def test_several_locked_devices_are_distinct(ask):
    with ask(2, slots=2) as first, ask(2, slots=2) as second:
        assert (first, second) == (["GPU-a", "GPU-b"], ["GPU-c", "GPU-a"])
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-c,GPU-a"


def test_requesting_more_devices_than_exist_is_an_error(ask):
    with pytest.raises(ZfnetError, match="4 GPUs are requested and this machine has 3"), ask(4):
        pass


def test_the_lock_waits_until_a_device_is_free(tmp_path, capsys):
    with gpu_lock(gpus=["GPU-a"], folder=tmp_path):
        del os.environ["CUDA_VISIBLE_DEVICES"]
        got = threading.Event()
        release = threading.Event()

        def other():
            with gpu_lock(gpus=["GPU-a"], folder=tmp_path, poll=0.01):
                got.set()
                release.wait(10)

        thread = threading.Thread(target=other)
        thread.start()
        assert not got.wait(0.1)
        os.environ["CUDA_VISIBLE_DEVICES"] = "GPU-a"
    assert got.wait(10)
    release.set()
    thread.join()
    assert "all 1 GPUs are locked" in capsys.readouterr().out


JOB = """
import pathlib, sys, time
from zfnet.core.gpu_lock import gpu_lock
folder, count, slots = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
with gpu_lock(count, slots, ["GPU-a", "GPU-b", "GPU-c"], folder, poll=0.01) as held:
    start = time.monotonic()
    time.sleep(0.1)
    print("held", *held, start, time.monotonic(), flush=True)
"""


def test_jobs_of_one_and_two_devices_neither_overlap_nor_deadlock(tmp_path):
    """Seven processes on three devices: all end, and no device is held twice at once."""
    wanted = [2, 1, 2, 2, 1, 2, 1]
    jobs = [
        subprocess.Popen([sys.executable, "-c", JOB, str(tmp_path), str(count), "1"], stdout=subprocess.PIPE, text=True)
        for count in wanted
    ]
    held: dict[str, list[tuple[float, float]]] = {}
    for count, job in zip(wanted, jobs, strict=True):
        *_, line = job.communicate(timeout=60)[0].splitlines()
        _, *devices_held, start, end = line.split()
        assert job.returncode == 0
        assert len(set(devices_held)) == count
        for device in devices_held:
            held.setdefault(device, []).append((float(start), float(end)))
    for spans in held.values():
        spans.sort()
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))


def test_no_more_jobs_share_a_device_than_it_has_slots(tmp_path):
    jobs = [
        subprocess.Popen([sys.executable, "-c", JOB, str(tmp_path), "3", "2"], stdout=subprocess.PIPE, text=True)
        for _ in range(5)
    ]
    spans = [tuple(map(float, job.communicate(timeout=60)[0].split()[-2:])) for job in jobs]
    assert all(sum(start <= moment < end for start, end in spans) <= 2 for moment, _ in spans)


@pytest.mark.parametrize("variable", ["CUDA_VISIBLE_DEVICES", "LOCAL_RANK"])
def test_devices_chosen_outside_are_respected(tmp_path, monkeypatch, variable):
    monkeypatch.setenv(variable, "3")
    with gpu_lock(gpus=["GPU-a"], folder=tmp_path) as held:
        assert held == []
        assert os.environ[variable] == "3"
    assert not list(tmp_path.iterdir())


def test_without_a_driver_nothing_is_locked(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert devices() == []
    with gpu_lock() as held:
        assert held == []


def test_the_kernel_frees_the_lock_of_a_killed_process(tmp_path):
    path = tmp_path / "lock"
    code = (
        "import pathlib, sys, time\nfrom zfnet.core.file_lock import exclusive\n"
        "with exclusive(pathlib.Path(sys.argv[1])) as free:\n    print(free, flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "True\n"
    with exclusive(path) as free:
        assert not free
        assert holder(path).startswith(f"process {child.pid} on ")
    child.kill()
    child.wait()
    with exclusive(path) as free:
        assert free


def test_a_file_system_without_locks_is_an_error(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("zfnet.core.file_lock.fcntl.flock", refuse)
    with pytest.raises(ZfnetError, match="does not support locks"), exclusive(tmp_path / "lock"):
        pass
