"""Where numbers come from, and what they cost."""

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
def test_peak_memory_is_what_the_kernel_tells_elsewhere():
    kilobytes = int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])
    ratio = provenance.peak_memory_mb() / (kilobytes / 1024)
    assert 0.9 < ratio < 100  # the kernel counts what the process was started from, too
