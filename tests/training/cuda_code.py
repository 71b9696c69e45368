"""Print the code that torch's compiler generates for a training step on a GPU, without one.

    python tests/training/cuda_code.py NET WIDTH CROP BATCH

The step is traced on the CPU with fake tensors, since autograd asks the driver about tensors on a GPU. Every device in
the traced graphs then becomes an H100, of which torch is told, and the code of forward and backward pass is printed
instead of being compiled.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
import torch._functorch.config
import torch._inductor.codegen.triton as triton_code
import torch._inductor.config
import torch._inductor.scheduler
import torch._inductor.utils
import torch.utils._triton
from torch import nn
from torch._dynamo.device_interface import CudaInterface
from torch._guards import TracingContext, tracing
from torch._inductor import compile_fx
from torch._inductor.graph import GraphLowering
from torch._inductor.virtualized import V
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx import GraphModule
from torch.fx.passes.fake_tensor_prop import FakeTensorProp
from torch.utils._pytree import tree_map
from triton.backends.compiler import GPUTarget
from triton.runtime.driver import driver

from zfnet.nets import build
from zfnet.nets.contrast_norm import ContrastNorm
from zfnet.nets.contrast_norm_triton import contrast_norm
from zfnet.settings import KrizhevskyRecipe, Recipe
from zfnet.training.compiled import compile_function
from zfnet.training.train_step import forward_loss
from zfnet.training.views import Minibatch

CARD = SimpleNamespace(
    name="NVIDIA H100",
    major=9,
    minor=0,
    multi_processor_count=132,
    max_threads_per_multi_processor=2048,
    max_threads_per_block=1024,
    regs_per_multiprocessor=65536,
    warp_size=32,
    total_memory=80 << 30,
    L2_cache_size=50 << 20,
    shared_memory_per_block=48 << 10,
    shared_memory_per_block_optin=227 << 10,
    shared_memory_per_multiprocessor=228 << 10,
    gcnArchName="",
)


TARGET = GPUTarget("cuda", 10 * CARD.major + CARD.minor, CARD.warp_size)
# What the modules that ask the driver answer instead: function -> value.
WORKER = {"get_device_properties": CARD, "current_device": 0, "set_device": None}
INTERFACE = WORKER | {
    "get_compute_capability": TARGET.arch,
    "is_available": True,
    "exchange_device": 0,
    "maybe_exchange_device": 0,
    "synchronize": None,
    "is_triton_capable": True,
    "raise_if_triton_unavailable": None,
    "is_bf16_supported": True,
}
TORCH_CUDA = WORKER | {
    "_lazy_init": None,
    "is_available": True,
    "is_initialized": True,
    "device_count": 1,
    "synchronize": None,
    "_exchange_device": 0,
    "_maybe_exchange_device": 0,
    "is_current_stream_capturing": False,
    "is_bf16_supported": True,
    "get_device_capability": (CARD.major, CARD.minor),
    "_get_device_properties": CARD,
    "get_rng_state": torch.zeros(16, dtype=torch.uint8),
    "set_rng_state": None,
}
TRITON = {
    "get_current_target": TARGET,
    "get_current_device": 0,
    "get_device_capability": (CARD.major, CARD.minor),
    "get_active_torch_device": torch.device("cuda", 0),
}


class GeneratedError(Exception):
    """The code is there, and cannot run here."""


def pretend_card() -> None:
    """Let torch and Triton believe that there is a GPU, and the nets that their kernels run on it."""
    torch._C._ensureCUDADeviceGuardSet()
    torch._C._select_conv_backend = _always(torch._C._ConvBackend.Cudnn)
    _answer(torch.cuda, TORCH_CUDA)
    _answer(CudaInterface, INTERFACE)
    _answer(CudaInterface.Worker, WORKER)
    for module in (torch.utils._triton, torch._inductor.utils, torch._inductor.scheduler, triton_code):
        module.has_triton = _always(True)
    driver.set_active(SimpleNamespace(**{name: _always(value) for name, value in TRITON.items()}))
    ContrastNorm.forward = lambda norm, x: contrast_norm(x, norm.size, norm.alpha, norm.beta, norm.k)


def _answer(module: Any, answers: dict[str, Any]) -> None:
    for name, value in answers.items():
        setattr(module, name, staticmethod(_always(value)))


def _always(answer: Any) -> Callable[..., Any]:
    return lambda *_, **__: answer


def generate(name: str, width: float, crop: int, batch: int) -> list[str]:
    """Return the code of forward and backward pass."""
    found: list[str] = []

    def keep(graph: GraphLowering) -> None:
        code, _ = graph.codegen()
        found.append(code.value)
        raise GeneratedError

    def generate_for_card(graph: GraphModule, inputs: list[Any], **options: Any) -> Callable[..., Any]:
        before = len(found)
        try:
            _compile_for_card(graph, inputs, **options)
        except Exception:  # the compiler wraps GeneratedError in errors of its own
            if len(found) == before:
                raise
        return _fail

    GraphLowering.compile_to_module = keep
    compile_fx.compile_fx = partial(compile_fx.compile_fx, inner_compile=generate_for_card)
    config = torch._inductor.config.patch(compile_threads=1, force_disable_caches=True)
    both = torch._functorch.config.patch(force_non_lazy_backward_lowering=True)
    with config, both, FakeTensorMode(allow_non_fake_inputs=True), suppress(GeneratedError):
        step = compile_function(_forward(name, width, crop))
        step(_minibatch(batch, round(crop * 256 / 224), colour=name == "krizhevsky"))
    return found


def _fail(*_: Any) -> None:
    raise GeneratedError


def _compile_for_card(graph: GraphModule, inputs: list[Any], is_backward: bool = False, **_: Any) -> None:
    """Move a traced graph to the card, and compile it."""
    for node in graph.graph.nodes:
        node.args, node.kwargs = tree_map(_on_card, (tuple(node.args), dict(node.kwargs)))
    graph.recompile()
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    with mode:
        moved = [_like_on_card(x) if isinstance(x, torch.Tensor) else x for x in inputs]
    FakeTensorProp(graph, mode).propagate_dont_convert_inputs(*moved)
    with tracing(TracingContext(mode)), V.set_fake_mode(mode):
        compile_fx.compile_fx_inner(graph, moved, is_backward=is_backward, static_input_idxs=[])


def _on_card(value: Any) -> Any:
    return torch.device("cuda:0") if isinstance(value, torch.device) else value


def _like_on_card(x: torch.Tensor) -> torch.Tensor:
    return torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device="cuda")


def _forward(name: str, width: float, crop: int) -> Callable[[Minibatch], Any]:
    recipe = {"zf": Recipe, "krizhevsky": KrizhevskyRecipe}[name](precision="bf16")
    net = build(name, width=width, crop=crop)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):  # `Module.to` cannot change fake tensors
            module.weight = nn.Parameter(module.weight.detach().to(memory_format=torch.channels_last))
    return lambda minibatch: forward_loss(net, net, recipe.precision, minibatch)


def _minibatch(batch: int, side: int, colour: bool) -> Minibatch:
    places = [torch.zeros(batch, dtype=torch.int64) for _ in range(3)]
    images = torch.zeros(batch, side, side, 3, dtype=torch.uint8)
    return Minibatch(images, *places, torch.zeros(batch).bool(), torch.zeros(batch, 3) if colour else None)


if __name__ == "__main__":
    pretend_card()
    net_name, *numbers = sys.argv[1:]
    print(*generate(net_name, float(numbers[0]), int(numbers[1]), int(numbers[2])), sep="\n# ---- next pass\n")
