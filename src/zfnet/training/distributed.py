"""Data parallelism: the processes that share one training, and what they must agree on.

torchrun, or `zfnet train --ranks N`, starts N processes. Each learns from its own rows of every global minibatch,
which is as large as with one process; gradients are averaged, so all hold the same net at every step. The first
process alone writes. All stop at the same step, whichever of them was told to. A checkpoint knows nothing of ranks,
so that a training goes on with any number of them.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from zfnet.core.errors import ZfnetError
from zfnet.nets import Network
from zfnet.training.train_step import ALONE, Part

PATIENCE = timedelta(hours=2)  # how long the others wait for a process; torchrun notices at once when one ends


@dataclass(frozen=True)
class Ranks:
    """This process among those that share a training; by default the only one."""

    part: Part = ALONE

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.part.rank == 0

    @property
    def several(self) -> bool:
        """Whether there is anything to agree on."""
        return self.part.ranks > 1

    def share(self, batch: int) -> int:
        """Give this process's part of a minibatch of `batch` images.

        Raises
        ------
        ZfnetError
            The processes cannot share it evenly.
        """
        if batch % self.part.ranks:
            raise ZfnetError(
                f"a minibatch of {batch} cannot be shared evenly by {self.part.ranks} processes; choose a number of "
                "processes (jobs.gpus_per_training) that divides it."
            )
        return batch // self.part.ranks

    def rows(self, indices: np.ndarray, batch: int) -> np.ndarray:
        """Give this process's rows of whole minibatches: int64 (steps · batch,) -> (steps · share,)."""
        return indices.reshape(-1, self.part.ranks, self.share(batch))[:, self.part.rank].reshape(-1)

    def averaging(self, net: Network) -> nn.Module | None:
        """Wrap `net` so that its gradients are averaged over all processes; None for one alone."""
        if not self.several:
            return None
        devices = [net.mean.device] if net.mean.device.type == "cuda" else None
        return DistributedDataParallel(net, device_ids=devices, broadcast_buffers=False)

    def total(self, sums: Tensor) -> Tensor:
        """Add up `sums` of all processes; `sums` itself is left alone."""
        if self.several:
            sums = sums.clone()
            dist.all_reduce(sums)
        return sums

    def agree(self, reason: str | None, due: bool = False) -> tuple[str | None, bool]:
        """Give the first process's reason to stop that has one, and whether saving is due on any."""
        if not self.several:
            return reason, due
        wishes = torch.tensor([reason is not None, due], dtype=torch.uint8)
        dist.all_reduce(wishes, dist.ReduceOp.MAX)
        if wishes[0]:
            reasons: list[str | None] = [None] * self.part.ranks
            dist.all_gather_object(reasons, reason)
            reason = next(filter(None, reasons))
        return reason, bool(wishes[1])

    def meet(self) -> None:
        """Wait until all processes are here."""
        self.agree(None)


@contextmanager
def joined() -> Iterator[Ranks]:
    """Join the processes that torchrun started for this training, if it did; all but the first are silent.

    Raises
    ------
    ZfnetError
        There are fewer GPUs than processes on this machine.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield Ranks()
        return
    backend = _own_device()
    dist.init_process_group(backend, timeout=PATIENCE)
    try:
        ranks = Ranks(Part(dist.get_rank(), dist.get_world_size()))
        with Path(os.devnull).open("w") as nowhere:
            if ranks.first:
                yield ranks
            else:
                with redirect_stdout(nowhere):
                    yield ranks
    finally:
        dist.destroy_process_group()


def _own_device() -> str:
    """Choose this process's GPU, where there is one, and give the backends to talk through."""
    if not torch.cuda.is_available():
        return "gloo"
    local, here = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if local >= here:
        raise ZfnetError(f"{local + 1} or more processes share this training and {here} GPUs are visible to them.")
    torch.cuda.set_device(local)
    return "cpu:gloo,cuda:nccl"
