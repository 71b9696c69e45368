"""The training step, compiled, and on a GPU recorded as one CUDA graph.

Everything from uint8 squares to the loss is one compiled function, and so is its backward pass; SGD, filter rescaling
and the sums follow. On a GPU the whole step is recorded once as a CUDA graph and then replayed. A replay repeats the
same kernels on the same memory addresses, so whatever changes between steps must live at a fixed address: the
minibatch and the learning rate are copied into recorded tensors, and dropout reads a generator state that is seeded
before each replay. Rounding and dropout masks differ from the eager step; crops, flips and colours do not. Only bf16
recipes are compiled, fp32 always runs eagerly.

If compilation fails, for whatever reason, training continues with the eager step. A failed recording or replay cannot
be cleaned up within the process: allocator and generators stay as they are during a recording. It raises `GraphFailed`,
at which the command line starts the same command again, with the eager step (`plain_environment`). A training resumes
from its checkpoint then.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from zfnet.core.device import usable_precision
from zfnet.core.errors import GraphFailed, first_line
from zfnet.settings import Compile, Recipe
from zfnet.training.train_step import ForwardLoss
from zfnet.training.views import Minibatch

Step = Callable[[Minibatch], None]
StepWith = Callable[[ForwardLoss, Minibatch], None]  # a step with the given forward function
Execution = Literal["eager", "compiled", "recorded"]

WARM_UP_STEPS = 3  # before the recording, while cuDNN, cuBLAS and the allocator choose kernels and buffers
PLAIN_STEP = "ZFNET_PLAIN_STEP"  # environment variable: run every step eagerly


class CompiledStep(NamedTuple):
    """A training step, and how it is executed."""

    run: Step
    execution: Execution


def should_compile(compile: Compile, recipe: Recipe, device: torch.device) -> bool:
    """Return whether to compile the step; `auto` does on a GPU only, as compiled backward passes are slow on a CPU."""
    wanted = compile == "compiled" or (compile == "auto" and device.type == "cuda")
    return wanted and PLAIN_STEP not in os.environ and usable_precision(device, recipe.precision) == "bf16"


def plain_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return an environment in which every training step runs eagerly."""
    return {**environment, PLAIN_STEP: "1"}


def compile_step(step: StepWith, forward: ForwardLoss, example: Minibatch, state: list[Tensor]) -> CompiledStep:
    """Compile a training step, and record it as a CUDA graph if it runs on a GPU.

    Parameters
    ----------
    step : does one step with the given forward function.
    forward : the eager forward function.
    example : a minibatch on the device; all others must have its shapes.
    state : every tensor that a step changes. Compilation runs trial steps on them and then restores their values.

    Returns
    -------
    CompiledStep
        The eager step, after a message on standard output, if compilation failed.

    Raises
    ------
    GraphFailed
        The recording failed; this process cannot use the GPU any more.
    """
    before = [tensor.detach().clone() for tensor in state]
    try:
        result = CompiledStep(_compile(step, forward, example), "compiled")
    except Exception as error:  # compilers and drivers raise all kinds
        print(f"The training step runs uncompiled, which is slower: {first_line(error)}", flush=True)
        result = CompiledStep(partial(step, forward), "eager")
    _restore(state, before)
    if result.execution == "eager" or not example.images.is_cuda:
        return result
    del before
    torch.cuda.empty_cache()  # the graph allocates from a pool of its own
    return CompiledStep(CudaGraphStep(result.run, example), "recorded")


def _compile(step: StepWith, forward: ForwardLoss, example: Minibatch) -> Step:
    """Return the compiled step after trial steps."""
    on_gpu = example.images.is_cuda
    if on_gpu:
        step(forward, example)  # tries the kernels of `zfnet.nets.gpu_kernels`, which tracing must not do
    torch.compiler.reset()  # forget the steps of finished trainings: torch compiles a function for a few nets only
    compiled = partial(step, compile_function(forward))
    compiled(example)
    if on_gpu:
        _warm_up(compiled, example)
    return compiled


def compile_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of tensors of fixed shapes, and its backward pass."""
    return torch.compile(function, fullgraph=True, dynamic=False, backend=_inductor)


def _inductor(graph: Any, inputs: Any) -> Any:
    """Compile a graph with torch's default compiler, but gather the gradient of max pools.

    The compiler would scatter it in float32 with atomic additions where windows overlap: on a GPU that is slow, and its
    sums depend on the order. Without the rule that says so it looks up, for each input, the windows that contain it.
    """
    from torch._decomp import remove_decompositions  # loading the compiler takes seconds
    from torch._inductor.compile_fx import compile_fx
    from torch._inductor.decomposition import select_decomp_table

    rules = dict(select_decomp_table())
    remove_decompositions(rules, [torch.ops.aten.max_pool2d_with_indices_backward])
    return compile_fx(graph, inputs, decompositions=rules)


def _warm_up(step: Step, example: Minibatch) -> None:
    """Run the step on a side stream, as torch requires before a recording: nothing may be allocated lazily in it."""
    side, current = torch.cuda.Stream(), torch.cuda.current_stream()
    side.wait_stream(current)
    with torch.cuda.stream(side):
        for _ in range(WARM_UP_STEPS):
            step(example)
    current.wait_stream(side)


@torch.no_grad()
def _restore(tensors: Iterable[Tensor], values: Iterable[Tensor]) -> None:
    for tensor, value in zip(tensors, values, strict=True):
        tensor.copy_(value)


class CudaGraphStep:
    """A training step as a CUDA graph, which reads its minibatch from static tensors of its own.

    Raises
    ------
    GraphFailed
        The step cannot be recorded or, when it is called, replayed.
    """

    def __init__(self, step: Step, example: Minibatch) -> None:
        self.minibatch = example.map(torch.clone)  # the graph's static inputs
        self.step = step  # owns constants of the compiled code, which the graph reads
        try:
            self.graph = torch.cuda.CUDAGraph()
            # "thread_local": the loader's threads may call CUDA meanwhile, which "global" mode would forbid
            with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):
                step(self.minibatch)
        except Exception as error:
            raise GraphFailed(f"The training step cannot be recorded ({first_line(error)})") from error

    def __call__(self, minibatch: Minibatch) -> None:
        """Do one step."""
        try:
            for static, value in zip(self.minibatch, minibatch, strict=True):
                if static is not None and value is not None:
                    static.copy_(value, non_blocking=True)
            self.graph.replay()
        except Exception as error:
            raise GraphFailed(f"The recorded training step failed ({first_line(error)})") from error
