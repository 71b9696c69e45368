"""Snakemakes that were killed are told from those that live; their locks go, their jobs are waited for."""

import os
import subprocess
import sys
import time

import pytest

ENTER = """
import pathlib, subprocess, sys, time
from zfnet.core import workflow_presence as presence
print(presence.enter(pathlib.Path.cwd()), flush=True)
"""
STAY = ENTER + "time.sleep(60)"
JOB = """
import pathlib, time
from zfnet.core import workflow_presence as presence
presence.join()
pathlib.Path("job").touch()
time.sleep(60)
"""
PARENT = f"""{ENTER}
presence.pass_on_as_parent(False)
subprocess.Popen([sys.executable, "-c", {JOB!r}])
time.sleep(60)
"""


def start(folder, code):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, "-c", code], cwd=folder, text=True, **pipes)


@pytest.fixture
def locked(tmp_path):
    """A folder that Snakemake has locked."""
    (tmp_path / ".snakemake/locks").mkdir(parents=True)
    (tmp_path / ".snakemake/locks/0.input.lock").write_text("a\n")
    return tmp_path


def locks(folder):
    return list((folder / ".snakemake/locks").iterdir())


def test_the_lock_of_a_killed_snakemake_is_removed(locked):
    first = start(locked, STAY)
    assert first.stdout.readline() == "[]\n"
    first.kill()
    first.wait()
    printed, _ = start(locked, ENTER).communicate(timeout=60)
    assert "removed; the snakemake that held it was killed" in printed
    assert not locks(locked)


def test_the_lock_of_a_living_snakemake_stays(locked):
    first = start(locked, STAY)
    first.stdout.readline()
    printed, _ = start(locked, ENTER).communicate(timeout=60)
    assert f"process {first.pid} on " in printed
    assert locks(locked)
    first.kill()
    first.wait()


def test_a_lock_that_nobody_recorded_stays(locked):
    assert start(locked, ENTER).communicate(timeout=60)[0] == "[]\n"
    assert locks(locked)


def test_a_job_ends_with_its_snakemake_and_is_waited_for(locked):
    parent = start(locked, PARENT)
    parent.stdout.readline()
    until = time.monotonic() + 60
    while not (locked / "job").exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    began = time.monotonic()
    printed, _ = start(locked, ENTER).communicate(timeout=60)
    assert "Waiting for the jobs of a snakemake that was killed" in printed
    assert time.monotonic() - began < 30, "the job would sleep for a minute"
    assert not locks(locked)


def test_a_job_of_a_scheduler_does_not_count_as_one_of_this_machine(monkeypatch):
    from zfnet.core import workflow_presence

    for name in (workflow_presence.PARENT, workflow_presence.CLUSTER):
        monkeypatch.setenv(name, "to be removed again after the test, whatever sets it")
        monkeypatch.delenv(name)
    monkeypatch.setenv(workflow_presence.JOBS, "somewhere")
    assert not workflow_presence.in_cluster_job()
    workflow_presence.pass_on_as_parent(in_cluster_job=True)
    assert workflow_presence.in_cluster_job()
    assert workflow_presence.JOBS not in os.environ
    del os.environ[workflow_presence.CLUSTER]
    monkeypatch.delenv(workflow_presence.PARENT)
