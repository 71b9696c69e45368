"""Data-parallel training: the processes that share one training, and the values they exchange.

torchrun, or `zfnet train --world-size N`, starts N processes. Each computes the gradient on its own rows of every
global minibatch, which is as large as with a single process. DistributedDataParallel averages the gradients, so all
processes hold the same weights at every step. Only the main process writes files. A request to stop that reaches any
process stops all of them at the same step. Checkpoints do not depend on the number of processes, so a training can be
resumed with another number.
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

COLLECTIVE_TIMEOUT = timedelta(hours=2)  # generous, because torchrun itself notices at once when a process dies


@dataclass(frozen=True)
class Rank:
    """This process among those that share a training; the default is a single process."""

    rank: int = 0
    world_size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    @property
    def is_distributed(self) -> bool:
        """Whether several processes share the training."""
        return self.world_size > 1

    def local_batch_size(self, batch_size: int) -> int:
        """Return the number of images that each process takes from a minibatch.

        Raises
        ------
        ZfnetError
            `batch_size` is not a multiple of the number of processes.
        """
        if batch_size % self.world_size:
            raise ZfnetError(
                f"a minibatch of {batch_size} images cannot be split evenly among {self.world_size} processes; choose "
                "a number of processes (jobs.gpus_per_training) that divides it."
            )
        return batch_size // self.world_size

    def local_rows(self, indices: np.ndarray, batch_size: int) -> np.ndarray:
        """Select this process's rows of whole minibatches: int64 (steps * batch_size,) -> (steps * local batch,)."""
        local = self.local_batch_size(batch_size)
        return indices.reshape(-1, self.world_size, local)[:, self.rank].reshape(-1)

    def wrap_ddp(self, net: Network) -> nn.Module | None:
        """Wrap `net` in DistributedDataParallel, which averages gradients; return None for a single process."""
        if not self.is_distributed:
            return None
        devices = [net.mean.device] if net.mean.device.type == "cuda" else None
        return DistributedDataParallel(net, device_ids=devices, broadcast_buffers=False)

    def all_reduce_sum(self, values: Tensor) -> Tensor:
        """Return the sum of `values` over all processes, leaving `values` itself unchanged."""
        if self.is_distributed:
            values = values.clone()
            dist.all_reduce(values)
        return values

    def any_rank(self, stop_reason: str | None, save_due: bool = False) -> tuple[str | None, bool]:
        """Return the stop reason of the lowest rank that has one, and whether a save is due on any rank."""
        if not self.is_distributed:
            return stop_reason, save_due
        flags = torch.tensor([stop_reason is not None, save_due], dtype=torch.uint8)
        dist.all_reduce(flags, dist.ReduceOp.MAX)
        if flags[0]:  # exchange the texts only when there is one
            reasons: list[str | None] = [None] * self.world_size
            dist.all_gather_object(reasons, stop_reason)
            stop_reason = next(filter(None, reasons))
        return stop_reason, bool(flags[1])

    def barrier(self) -> None:
        """Wait until all processes have reached this point."""
        self.any_rank(None)


SINGLE_PROCESS = Rank()


@contextmanager
def process_group() -> Iterator[Rank]:
    """Join the process group that torchrun started, if any; silence standard output on all but the main process.

    Raises
    ------
    ZfnetError
        This machine has fewer visible GPUs than processes.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield SINGLE_PROCESS
        return
    backend = _select_device()
    dist.init_process_group(backend, timeout=COLLECTIVE_TIMEOUT)
    try:
        rank = Rank(dist.get_rank(), dist.get_world_size())
        with Path(os.devnull).open("w") as devnull:
            if rank.is_main:
                yield rank
            else:
                with redirect_stdout(devnull):
                    yield rank
    finally:
        dist.destroy_process_group()


def _select_device() -> str:
    """Select the GPU of this process's local rank, if there is one, and return the backends to use."""
    if not torch.cuda.is_available():
        return "gloo"
    local_rank, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if local_rank >= gpus:
        raise ZfnetError(
            f"this training has at least {local_rank + 1} processes, but only {gpus} GPUs are visible; start fewer "
            "processes (jobs.gpus_per_training) or make more GPUs visible."
        )
    torch.cuda.set_device(local_rank)
    return "cpu:gloo,cuda:nccl"  # gloo for the flags and texts of `any_rank`, which live on the CPU
