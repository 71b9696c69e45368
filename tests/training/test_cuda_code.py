"""The code that the compiler generates for the full nets on a GPU: deterministic, and channels last throughout."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="Triton is not installed")

SCRIPT = Path(__file__).with_name("cuda_code.py")
FLATTENED = (256, 6, 6)  # maps and sides of what layer 6 takes: its gradient arrives map by map
TENSOR = re.compile(r'Tensor "bf16\[(\d+), (\d+), (\d+), (\d+)\]\[(\d+), (\d+), (\d+), (\d+)\]cuda:0"')


@pytest.mark.slow
@pytest.mark.parametrize("net", ["zf", "krizhevsky"])
def test_the_step_adds_nothing_atomically_and_changes_no_layout(net):
    command = [sys.executable, str(SCRIPT), net, "1", "224", "128"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    forward, backward = done.stdout.split("# ---- next pass")
    assert "zfnet.contrast_norm.default" in forward and "zfnet.contrast_norm_backward.default" in backward
    assert "max_pool2d_with_indices_backward" in backward and "tl.atomic" not in done.stdout
    layouts = [[*map(int, numbers)] for numbers in TENSOR.findall(done.stdout)]
    foreign = {tuple(layout[1:4]) for layout in layouts if layout[5] != 1}  # shapes of maps that are not channels last
    assert len(layouts) > 30 and foreign <= {FLATTENED}
