"""A few seconds of fuzzing with a fixed seed; and the fuzzer itself finds planted faults."""

import sys
from random import Random

import pytest

from tests.hostile import fuzz
from tests.hostile.kinds import KINDS, Kind
from tests.hostile.mutate import mutate, shrink
from zfnet.core.errors import ZfnetError


def test_damaged_input_of_every_kind_is_read_or_refused_by_a_sentence(tmp_path, capfd):
    assert fuzz.fuzz([], 1, 0, 12, tmp_path) == 0, [path.read_text() for path in tmp_path.glob("*.txt")]
    assert capfd.readouterr().out.count(": 12 inputs") == len(KINDS)


def test_a_crash_of_the_process_is_a_finding(tmp_path):
    (tmp_path / fuzz.PENDING).write_bytes(b"input")
    code = f"open({str(tmp_path / fuzz.PENDING)!r}, 'wb').write(b'bad'); import os; os.abort()"
    fuzz._watch([sys.executable, "-c", code], tmp_path, 3)
    assert (tmp_path / "crash-3.bin").read_bytes() == b"bad" and (tmp_path / "crash-3.txt").exists()


def raises(error):
    def read(path):
        if b"x" in path.read_bytes():
            raise error

    return Kind(lambda: [b""], read, "a")


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (KeyError("planted"), "KeyError: 'planted'"),
        (ZfnetError("a: it needs more memory than is free"), "it asked for more"),
        (ZfnetError("a\x1b[31m"), "not printable"),
    ],
)
def test_planted_faults_are_found(error, found):
    assert found in fuzz.problem(raises(error), b"x")


def test_a_sentence_is_no_finding():
    assert fuzz.problem(raises(ZfnetError("a: not a file")), b"x") is None


def test_slow_input_is_found(monkeypatch):
    monkeypatch.setattr(fuzz, "SECONDS", -1.0)
    assert "seconds" in fuzz.problem(raises(KeyError()), b"")


def test_the_same_seed_damages_in_the_same_way_and_every_change_occurs():
    content = bytes(range(256)) * 20
    first = [mutate(content, [content], Random(seed)) for seed in range(200)]
    assert first == [mutate(content, [content], Random(seed)) for seed in range(200)]
    assert len(set(first)) > 190
    assert min(map(len, first)) < len(content) < max(map(len, first))


def test_findings_are_made_small():
    assert shrink(b"a" * 300 + b"x" + b"b" * 500, lambda content: b"x" in content) == b"x"
