"""The Triton kernels assemble for the cards of today, with no such card here: PTX, and machine code by ptxas."""

import re

import pytest

triton = pytest.importorskip("triton", reason="Triton is not installed")

from triton.backends.compiler import GPUTarget  # noqa: E402
from triton.compiler import ASTSource  # noqa: E402

from zfnet.nets import contrast_norm_triton  # noqa: E402

KERNELS = {
    contrast_norm_triton._forward: ("x", "y"),
    contrast_norm_triton._backward: ("x", "g", "dx"),
}
CONSTANTS = {"maps": 96, "beta": 0.75, "size": 5, "block": contrast_norm_triton.BLOCK}


@pytest.mark.slow
@pytest.mark.parametrize("capability", [80, 90, 120])
@pytest.mark.parametrize("type_name", ["fp32", "bf16"])
@pytest.mark.parametrize("maps", [96, 256])
def test_kernels_assemble(capability, type_name, maps):
    for kernel, tensors in KERNELS.items():
        names, constants = kernel.arg_names, CONSTANTS | {"maps": maps}
        types = {"count": "i32"} | dict.fromkeys(tensors, f"*{type_name}") | dict.fromkeys(constants, "constexpr")
        signature = {name: types.get(name, "fp32") for name in names}
        values = {(names.index(name),): value for name, value in constants.items()}
        aligned = {(names.index(name),): [["tt.divisibility", 16]] for name in (*tensors, "count")}
        source = ASTSource(kernel, signature, constexprs=values, attrs=aligned)
        made = triton.compile(source, target=GPUTarget("cuda", capability, 32))
        assert re.search(rf"^\.target sm_{capability}", made.asm["ptx"], re.MULTILINE)
        assert len(made.asm["cubin"]) > 1000 and "atom" not in made.asm["ptx"]
