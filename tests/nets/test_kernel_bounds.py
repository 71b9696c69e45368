"""The kernels touch nothing outside their tensors: in Triton's interpreter, between pages that cannot be touched."""

import os
import signal
import subprocess
import sys

import pytest

pytest.importorskip("triton", reason="Triton is not installed")

GUARDED = """
import ctypes, mmap, sys
import torch, triton
from zfnet.nets.contrast_norm_triton import BLOCK, _backward, _forward

PAGE, libc, regions = mmap.PAGESIZE, ctypes.CDLL(None), []

def guarded(values, at_end):
    '''Copy a tensor to the start or the end of pages that have an untouchable page on either side.'''
    size = values.numel() * values.element_size()
    inner = -(-size // PAGE) * PAGE
    region = mmap.mmap(-1, inner + 2 * PAGE)
    regions.append(region)
    start = ctypes.addressof(ctypes.c_char.from_buffer(region))
    for page in (start, start + PAGE + inner):
        assert libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(PAGE), 0) == 0
    offset = PAGE + (inner - size if at_end else 0)
    return torch.frombuffer(region, dtype=values.dtype, count=values.numel(), offset=offset).copy_(values)

def run(kernel, tensors, count, maps, size):
    kernel[(triton.cdiv(count, BLOCK),)](*tensors, count, maps, 1e-4 / size, 2.0, 0.75, size, BLOCK)

excess = int(sys.argv[1])  # elements beyond the tensors that the kernels are told of
for maps, positions in ((3, 1), (6, 4), (96, 32)):
    for size in (1, 4, 5):
        for dtype in (torch.float32, torch.bfloat16):
            for at_end in (False, True):
                x, g, y, dx = (guarded(torch.randn(positions * maps).to(dtype), at_end) for _ in range(4))
                run(_forward, (x, y), x.numel() + excess, maps, size)
                run(_backward, (x, g, dx), x.numel() + excess, maps, size)
"""


def exit_code(excess: int) -> int:
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    return subprocess.run([sys.executable, "-c", GUARDED, str(excess)], env=environment, capture_output=True).returncode


@pytest.mark.slow
def test_kernels_stay_within_their_tensors():
    assert exit_code(0) == 0


@pytest.mark.slow
def test_an_element_too_many_is_noticed():
    assert exit_code(1) == -signal.SIGSEGV
