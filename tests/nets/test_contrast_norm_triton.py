"""The GPU's kernels, run by Triton's interpreter on the CPU, against torch's norm in double precision."""

import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from zfnet.nets.contrast_norm import ContrastNorm

pytest.importorskip("triton", reason="Triton is not installed")

COMPARE = """
import torch
from torch import nn
from zfnet.nets.contrast_norm_triton import contrast_norm

def check(shape, dtype, tolerance, size=5, alpha=0.3, beta=0.75, layout=torch.channels_last):
    x = (4 * torch.randn(shape)).to(dtype).contiguous(memory_format=layout).requires_grad_()
    along = torch.randn(shape).to(dtype).contiguous(memory_format=layout)
    double = x.detach().double().requires_grad_()
    found, expected = contrast_norm(x, size, alpha, beta, 2.0), nn.LocalResponseNorm(size, alpha, beta, 2.0)(double)
    assert found.dtype == dtype and found.movedim(1, -1).is_contiguous()
    torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)
    pair = torch.autograd.grad(found, x, along) + torch.autograd.grad(expected, double, along.double())
    torch.testing.assert_close(pair[0].double(), pair[1], rtol=tolerance, atol=tolerance)

torch.manual_seed(0)
for maps in (1, 3, 6, 16, 96):
    check((2, maps, 5, 3), torch.float32, 1e-5)
check((3, 100, 4, 4), torch.float32, 1e-5, layout=torch.contiguous_format)  # more than one block, the last not full
check((2, 6, 4, 4), torch.bfloat16, 2e-2)
check((2, 9, 2, 2), torch.float32, 1e-5, size=4, beta=0.5)
check((2, 9, 2, 2), torch.float32, 1e-5, size=1, alpha=1e-4)
check((0, 6, 2, 2), torch.float32, 1e-5)
opcheck = torch.library.opcheck
constants = (5, 1e-4, 0.75, 2.0)
opcheck(contrast_norm, (torch.randn(2, 6, 3, 3, requires_grad=True), *constants), test_utils="test_schema")
opcheck(contrast_norm, (torch.randn(2, 6, 3, 3, requires_grad=True), *constants), test_utils="test_faketensor")
x = torch.randn(2, 6, 3, 3, requires_grad=True)
compiled = torch.compile(lambda x: contrast_norm(x, *constants), backend="aot_eager", fullgraph=True)
torch.testing.assert_close(compiled(x), contrast_norm(x, *constants))
pair = [torch.autograd.grad(norm(x).sum(), x)[0] for norm in (compiled, nn.LocalResponseNorm(*constants))]
torch.testing.assert_close(*pair)
"""


@pytest.mark.slow
def test_kernels_are_torchs_norm_and_its_gradient():
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    done = subprocess.run([sys.executable, "-c", COMPARE], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: the kernels themselves cannot run")
@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
@pytest.mark.parametrize("maps", [6, 96, 256])
def test_on_the_gpu_the_norm_is_torchs(maps, dtype, tolerance):
    torch.manual_seed(0)
    x = (60 * torch.randn(4, maps, 13, 13, device="cuda")).to(dtype).requires_grad_()
    double, along = x.detach().double().requires_grad_(), torch.randn_like(x)
    ours, theirs = ContrastNorm(), nn.LocalResponseNorm(5, 1e-4, 0.75, 2.0)
    torch.testing.assert_close(ours(x).double(), theirs(double), rtol=tolerance, atol=tolerance)
    found, expected = (torch.autograd.grad(f(v), v, along.to(v.dtype))[0] for f, v in ((ours, x), (theirs, double)))
    torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)
