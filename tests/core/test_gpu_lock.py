import itertools
import os
import subprocess
import sys
import threading

import pytest

from zfnet.core import gpu_lock as module
from zfnet.core.errors import ZfnetError
from zfnet.core.file_lock import exclusive, holder
from zfnet.core.gpu_lock import devices, lease


@pytest.fixture(autouse=True)
def no_scheduler(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Lease of GPU-a, GPU-b and GPU-c as a process of its own would ask for it, whatever this one already holds."""

    def lease_in_turn(count=1, share=1, found=("GPU-a", "GPU-b", "GPU-c")):
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        return lease(count, share, list(found), tmp_path, poll=0.01)

    return lease_in_turn


def test_each_lease_has_a_device_of_its_own(ask):
    with ask() as first, ask() as second:
        assert (first, second) == (["GPU-a"], ["GPU-b"])
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-b"


def test_a_lease_ends_with_its_block(ask):
    for _ in range(2):
        with ask() as held:
            assert held == ["GPU-a"]
        assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_trainings_spread_before_they_share(ask):
    with ask(share=2) as a, ask(share=2) as b, ask(share=2) as c, ask(share=2) as d:
        assert [a, b, c, d] == [["GPU-a"], ["GPU-b"], ["GPU-c"], ["GPU-a"]]


def test_a_job_that_does_not_share_finds_room_beside_a_training(ask):
    with ask(share=2, found=["GPU-a"]), ask(found=["GPU-a"]) as other:
        assert other == ["GPU-a"]


def test_several_devices_are_different_ones(ask):
    with ask(2, share=2) as first, ask(2, share=2) as second:
        assert (first, second) == (["GPU-a", "GPU-b"], ["GPU-c", "GPU-a"])
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-c,GPU-a"


def test_more_devices_than_there_are_is_told(ask):
    with pytest.raises(ZfnetError, match="4 GPUs are wanted and this machine has 3"), ask(4):
        pass


def test_a_lease_waits_until_a_device_is_free(tmp_path, capsys):
    with lease(found=["GPU-a"], folder=tmp_path):
        del os.environ["CUDA_VISIBLE_DEVICES"]
        got = threading.Event()
        release = threading.Event()

        def other():
            with lease(found=["GPU-a"], folder=tmp_path, poll=0.01):
                got.set()
                release.wait(10)

        thread = threading.Thread(target=other)
        thread.start()
        assert not got.wait(0.1)
        os.environ["CUDA_VISIBLE_DEVICES"] = "GPU-a"
    assert got.wait(10)
    release.set()
    thread.join()
    assert "all 1 GPUs are leased" in capsys.readouterr().out


JOB = """
import pathlib, sys, time
from zfnet.core.gpu_lock import lease
folder, count, share = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
with lease(count, share, ["GPU-a", "GPU-b", "GPU-c"], folder, poll=0.01) as held:
    start = time.monotonic()
    time.sleep(0.1)
    print("held", *held, start, time.monotonic(), flush=True)
"""


def test_jobs_of_one_and_two_devices_neither_meet_nor_block_each_other(tmp_path):
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


def test_only_as_many_share_a_device_as_may(tmp_path):
    jobs = [
        subprocess.Popen([sys.executable, "-c", JOB, str(tmp_path), "3", "2"], stdout=subprocess.PIPE, text=True)
        for _ in range(5)
    ]
    spans = [tuple(map(float, job.communicate(timeout=60)[0].split()[-2:])) for job in jobs]
    assert all(sum(start <= moment < end for start, end in spans) <= 2 for moment, _ in spans)


@pytest.mark.parametrize("variable", ["CUDA_VISIBLE_DEVICES", "LOCAL_RANK"])
def test_a_choice_made_outside_stands(tmp_path, monkeypatch, variable):
    monkeypatch.setenv(variable, "3")
    with lease(found=["GPU-a"], folder=tmp_path) as held:
        assert held == []
        assert os.environ[variable] == "3"
    assert not list(tmp_path.iterdir())


def test_without_a_driver_there_is_nothing_to_lease(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert devices() == []
    with module.lease() as held:
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
        assert holder(path) == str(child.pid)
    child.kill()
    child.wait()
    with exclusive(path) as free:
        assert free


def test_a_file_system_without_locks_is_told(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("zfnet.core.file_lock.fcntl.flock", refuse)
    with pytest.raises(ZfnetError, match="offers no locks"), exclusive(tmp_path / "lock"):
        pass
