"""The update at the speed of the machine: compiled, and on a GPU recorded as one CUDA graph.

From uint8 squares to the loss everything is one compiled function, as is the way back; SGD, renormalisation and the
sums follow. On a GPU all of it is recorded once and replayed with new contents of the same memory: the minibatch, the
learning rate and, through the generator that is seeded before each replay, the dropout. Rounding, and which units
drop out, differ from the plain update; crops, flips and colours do not. Only recipes in bf16 are compiled: fp32 is
always the plain update. Where compiling fails, the plain update goes on in its place.
"""

from collections.abc import Callable, Iterable
from functools import partial
from subprocess import SubprocessError

import torch
from torch import Tensor

from zfnet.core.errors import first_line
from zfnet.nets.contrast_norm import kernels_work
from zfnet.settings import Compile, Recipe
from zfnet.training.views import Minibatch

Answer = Callable[[Minibatch], tuple[Tensor, Tensor]]  # gives loss and wrong answers
Update = Callable[[Minibatch], None]

WARM_UP = 3  # updates before the recording, in which libraries choose their kernels


def may_compile(step: Compile, recipe: Recipe, device: torch.device) -> bool:
    """Tell whether the update is to be compiled: with `auto` on a GPU only, since a CPU's compiled way back is slow."""
    wanted = step == "compiled" or (step == "auto" and device.type == "cuda")
    return wanted and recipe.precision == "bf16"


def fastest(
    learn: Callable[[Answer, Minibatch], None], answer: Answer, example: Minibatch, kept: list[Tensor]
) -> Update:
    """Compile an update, and record it where there is a GPU.

    Parameters
    ----------
    learn : does one update with the given way to answer.
    answer : the plain way.
    example : a minibatch on the device; all others must have its shapes.
    kept : everything that an update changes. It is tried on these tensors, which afterwards are as they were before.

    Returns
    -------
    Update
        The plain update, after a sentence on standard output, if it could not be compiled.
    """
    before = [tensor.detach().clone() for tensor in kept]
    try:
        update = _compiled(learn, answer, example)
    except (RuntimeError, ImportError, OSError, SubprocessError) as error:
        print(f"The update runs uncompiled, which is slower: {first_line(error)}", flush=True)
        update = partial(learn, answer)
    _restore(kept, before)
    return update


def _compiled(learn: Callable[[Answer, Minibatch], None], answer: Answer, example: Minibatch) -> Update:
    on_gpu = example.images.is_cuda
    if on_gpu:
        torch.backends.cudnn.benchmark = True
        kernels_work()  # found out before the compiler asks
    update = partial(learn, torch.compile(answer, fullgraph=True, dynamic=False))
    update(example)
    return Recording(update, example) if on_gpu else update


@torch.no_grad()
def _restore(tensors: Iterable[Tensor], contents: Iterable[Tensor]) -> None:
    for tensor, content in zip(tensors, contents, strict=True):
        tensor.copy_(content)


class Recording:
    """An update as a CUDA graph, which reads its minibatch from memory of its own."""

    def __init__(self, update: Update, example: Minibatch) -> None:
        self.minibatch = example.each(torch.clone)
        self._warm_up(update)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):  # the loader's threads may go on
            update(self.minibatch)

    def __call__(self, minibatch: Minibatch) -> None:
        """Do one update."""
        for place, content in zip(self.minibatch, minibatch, strict=True):
            if place is not None:
                place.copy_(content, non_blocking=True)
        self.graph.replay()

    def _warm_up(self, update: Update) -> None:
        """Nothing may be chosen or loaded during the recording; torch asks for a stream that is not the default."""
        side, work = torch.cuda.Stream(), torch.cuda.current_stream()
        side.wait_stream(work)
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                update(self.minibatch)
        work.wait_stream(side)
