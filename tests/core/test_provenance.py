"""Provenance and cost of numbers."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from zfnet.core import provenance


@pytest.mark.parametrize("system, expected", [("linux", 2048.0), ("darwin", 2.0)])
def test_peak_memory_is_in_megabytes_on_every_system(monkeypatch, system, expected):
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(provenance.resource, "getrusage", lambda who: SimpleNamespace(ru_maxrss=2**21))
    assert provenance.peak_memory_mb() == expected


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
def test_peak_memory_agrees_with_the_kernel():
    kilobytes = int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])
    ratio = provenance.peak_memory_mb() / (kilobytes / 1024)
    assert 0.9 < ratio < 100  # the kernel also counts the parent's memory at the fork
