"""The training step, compiled, and on a GPU captured as one CUDA graph.

Everything from uint8 squares to the loss is one compiled function, and so is its backward pass; SGD, filter rescaling
and the sums follow. On a GPU the whole step is captured once as a CUDA graph and then replayed. A replay repeats the
same kernels on the same memory addresses, so whatever changes between steps must live at a fixed address: the
minibatch and the learning rate are copied into captured tensors, and dropout reads a generator state that is seeded
before each replay. Rounding and dropout masks differ from the eager step; crops, flips and colours do not. Only bf16
recipes are compiled, fp32 always runs eagerly. If compilation fails, training continues with the eager step.
"""

from collections.abc import Callable, Iterable
from functools import partial
from subprocess import SubprocessError

import torch
from torch import Tensor

from zfnet.core.errors import first_line
from zfnet.nets.contrast_norm import kernels_work
from zfnet.settings import Compile, Recipe
from zfnet.training.train_step import ForwardLoss
from zfnet.training.views import Minibatch

Step = Callable[[Minibatch], None]
StepWith = Callable[[ForwardLoss, Minibatch], None]  # a step with the given forward function

WARM_UP_STEPS = 3  # before the capture, while cuDNN, cuBLAS and the allocator choose kernels and buffers


def should_compile(compile: Compile, recipe: Recipe, device: torch.device) -> bool:
    """Return whether to compile the step; `auto` does on a GPU only, as compiled backward passes are slow on a CPU."""
    wanted = compile == "compiled" or (compile == "auto" and device.type == "cuda")
    return wanted and recipe.precision == "bf16"


def compile_step(step: StepWith, forward: ForwardLoss, example: Minibatch, state: list[Tensor]) -> Step:
    """Compile a training step, and capture it as a CUDA graph if it runs on a GPU.

    Parameters
    ----------
    step : does one step with the given forward function.
    forward : the eager forward function.
    example : a minibatch on the device; all others must have its shapes.
    state : every tensor that a step changes. Compilation runs trial steps on them and then restores their values.

    Returns
    -------
    Step
        The eager step, after a message on standard output, if compilation failed.
    """
    before = [tensor.detach().clone() for tensor in state]
    try:
        compiled = _compile(step, forward, example)
    except (RuntimeError, ImportError, OSError, SubprocessError) as error:
        print(f"The training step runs uncompiled, which is slower: {first_line(error)}", flush=True)
        compiled = partial(step, forward)
    _restore(state, before)
    return compiled


def _compile(step: StepWith, forward: ForwardLoss, example: Minibatch) -> Step:
    on_gpu = example.images.is_cuda
    if on_gpu:
        torch.backends.cudnn.benchmark = True
        kernels_work()  # cache the answer now: the check launches a kernel, which tracing must not do
    compiled = partial(step, torch.compile(forward, fullgraph=True, dynamic=False))
    compiled(example)
    return CudaGraphStep(compiled, example) if on_gpu else compiled


@torch.no_grad()
def _restore(tensors: Iterable[Tensor], values: Iterable[Tensor]) -> None:
    for tensor, value in zip(tensors, values, strict=True):
        tensor.copy_(value)


class CudaGraphStep:
    """A training step as a CUDA graph, which reads its minibatch from static tensors of its own."""

    def __init__(self, step: Step, example: Minibatch) -> None:
        self.minibatch = example.map(torch.clone)  # the graph's static inputs
        self._warm_up(step)
        self.graph = torch.cuda.CUDAGraph()
        # "thread_local": the loader's threads may call CUDA during the capture, which "global" mode would forbid
        with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):
            step(self.minibatch)

    def __call__(self, minibatch: Minibatch) -> None:
        """Do one step."""
        for static, value in zip(self.minibatch, minibatch, strict=True):
            if static is not None and value is not None:
                static.copy_(value, non_blocking=True)
        self.graph.replay()

    def _warm_up(self, step: Step) -> None:
        """Run the step on a side stream, as torch requires before a capture: nothing may be allocated lazily in it."""
        side, current = torch.cuda.Stream(), torch.cuda.current_stream()
        side.wait_stream(current)
        with torch.cuda.stream(side):
            for _ in range(WARM_UP_STEPS):
                step(self.minibatch)
        current.wait_stream(side)
