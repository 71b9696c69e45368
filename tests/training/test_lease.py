import os
import subprocess
import sys
import threading

import pytest

from zfnet.errors import ZfnetError
from zfnet.training import lease as module
from zfnet.training.lease import devices, lease
from zfnet.training.lock import exclusive, holder


@pytest.fixture(autouse=True)
def no_scheduler(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_each_lease_has_a_device_of_its_own(tmp_path):
    with lease(["GPU-a", "GPU-b"], tmp_path) as first:
        assert os.environ["CUDA_VISIBLE_DEVICES"] == first == "GPU-a"
        del os.environ["CUDA_VISIBLE_DEVICES"]  # as another process would see it
        with lease(["GPU-a", "GPU-b"], tmp_path) as second:
            assert second == "GPU-b"
        os.environ["CUDA_VISIBLE_DEVICES"] = first
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_a_lease_waits_until_a_device_is_free(tmp_path, capsys):
    with lease(["GPU-a"], tmp_path):
        del os.environ["CUDA_VISIBLE_DEVICES"]
        got = threading.Event()
        release = threading.Event()

        def other():
            with lease(["GPU-a"], tmp_path, poll=0.01):
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


def test_a_schedulers_choice_stands(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    with lease(["GPU-a"], tmp_path) as device:
        assert device is None
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"


def test_without_a_driver_there_is_nothing_to_lease(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert devices() == []
    with module.lease() as device:
        assert device is None


def test_the_kernel_frees_the_lock_of_a_killed_process(tmp_path):
    path = tmp_path / "lock"
    code = (
        "import pathlib, sys, time\nfrom zfnet.training.lock import exclusive\n"
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

    monkeypatch.setattr("zfnet.training.lock.fcntl.flock", refuse)
    with pytest.raises(ZfnetError, match="offers no locks"), exclusive(tmp_path / "lock"):
        pass
