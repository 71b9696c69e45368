"""Locks between machines: the record of the holder decides where the kernel cannot."""

import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from zfnet.core.file_lock import SILENCE, exclusive, holder
from zfnet.core.process_record import ProcessRecord

ME = ProcessRecord.of(os.getpid())
ELSEWHERE = replace(ME, host="node7", boot="another", pid=4, job="77")


def leave(path, record, seconds_ago):
    """Write what a process leaves that did not release its lock."""
    path.write_text(record.text)
    os.utime(path, (time.time() - seconds_ago,) * 2)


def test_the_record_tells_a_process_from_a_later_one_of_the_same_id():
    assert ProcessRecord.parse(ME.text) == ME
    assert not ME.is_gone
    assert replace(ME, started="1").is_gone, "the id is used again"
    assert replace(ME, boot="before").is_gone, "the machine has started anew"
    assert not ELSEWHERE.is_gone, "nobody here can tell"
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    record = ProcessRecord.of(child.pid)
    assert not record.is_gone
    child.communicate(b"\n")
    assert record.is_gone


@pytest.mark.parametrize("text", ["", "123\n", "[]", "{", "null", '{"host": 1}', "[" * 100_000])
def test_a_file_without_a_record_names_nobody(text):
    assert ProcessRecord.parse(text) is None


def test_a_released_lock_holds_no_record(tmp_path):
    with exclusive(tmp_path / "lock") as free:
        assert free
        assert holder(tmp_path / "lock") == f"process {os.getpid()} on {ME.host}"
    assert (tmp_path / "lock").read_text() == ""


def test_a_lock_left_on_this_machine_is_taken_over_with_a_sentence(tmp_path, capsys):
    leave(tmp_path / "lock", replace(ME, pid=999_999), 0)
    with exclusive(tmp_path / "lock") as free:
        assert free
    assert "taken over from process 999999 on" in capsys.readouterr().out


def test_a_lock_on_another_machine_is_respected_while_it_is_touched(tmp_path, capsys):
    leave(tmp_path / "lock", ELSEWHERE, SILENCE / 2)
    with exclusive(tmp_path / "lock") as free:
        assert not free
    assert holder(tmp_path / "lock") == "process 4 on node7 (job 77)"
    leave(tmp_path / "lock", ELSEWHERE, SILENCE * 2)
    with exclusive(tmp_path / "lock") as free:
        assert free
    assert "taken over from process 4 on node7 (job 77)" in capsys.readouterr().out


def test_a_lock_from_before_a_reboot_is_taken_over_at_once(tmp_path):
    leave(tmp_path / "lock", replace(ME, boot="before"), 0)
    with exclusive(tmp_path / "lock") as free:
        assert free


def test_the_holder_touches_its_lock(tmp_path, monkeypatch):
    monkeypatch.setattr("zfnet.core.file_lock.BEAT", 0.01)
    with exclusive(tmp_path / "lock"):
        os.utime(tmp_path / "lock", (1, 1))
        until = time.monotonic() + 10
        while (tmp_path / "lock").stat().st_mtime == 1:
            assert time.monotonic() < until
            time.sleep(0.01)
