"""Exclusive use of GPUs: one lock file per device and slot.

Without locks, all jobs started on one machine would take its first GPU. Each job therefore locks every device it uses;
the kernel releases the locks when the job ends, SIGKILL included. A device has as many slots as trainings may share it.
Nothing is locked where a scheduler has set CUDA_VISIBLE_DEVICES, nor in a rank of a parallel training, whose launcher
holds the devices of all ranks. The lock must be taken before CUDA is first used.
"""

import os
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from zfnet.core.errors import ZfnetError
from zfnet.core.file_lock import exclusive
from zfnet.core.gpu_cards import devices

POLL = 5.0  # mean seconds between two attempts


@contextmanager
def gpu_lock(
    count: int = 1, slots: int = 1, gpus: list[str] | None = None, folder: Path | None = None, poll: float = POLL
) -> Iterator[list[str]]:
    """Lock `count` GPUs and make only those visible to CUDA; wait while too few are free.

    Parameters
    ----------
    count : number of GPUs; all or none are held, so that jobs that want several never deadlock.
    slots : number of jobs that may share one GPU.
    gpus : UUIDs of the GPUs; None asks the driver for those that can compute.
    folder : where the lock files are, local to the machine; None uses the temporary folder.
    poll : mean seconds between two attempts.

    Yields
    ------
    list of str
        UUIDs of the locked devices; empty where the devices were already chosen, or there are none.

    Raises
    ------
    ZfnetError
        This machine has fewer than `count` GPUs.
    """
    chosen = "CUDA_VISIBLE_DEVICES" in os.environ or "LOCAL_RANK" in os.environ
    if chosen or not (gpus := devices() if gpus is None else gpus):
        yield []
        return
    if count > len(gpus):
        raise ZfnetError(f"{count} GPUs are requested and this machine has {len(gpus)}; request at most {len(gpus)}.")
    folder = folder or Path(tempfile.gettempdir()) / f"zfnet-gpu-locks-{os.getuid()}"
    with _all_or_none(gpus, count, slots, folder, poll) as held:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(held)
        try:
            yield held
        finally:
            os.environ.pop("CUDA_VISIBLE_DEVICES", None)


@contextmanager
def _all_or_none(gpus: list[str], count: int, slots: int, folder: Path, poll: float) -> Iterator[list[str]]:
    reported = False
    while True:
        with ExitStack() as locks:
            held = _take(locks, gpus, count, slots, folder)
            if len(held) == count:
                yield held
                return
        if not reported:
            print(f"all {len(gpus)} GPUs are locked by other jobs; waiting", flush=True)
            reported = True
        time.sleep(poll * random.uniform(0.5, 1.5))  # so that waiting jobs do not retry in lockstep


def _take(locks: ExitStack, gpus: list[str], count: int, slots: int, folder: Path) -> list[str]:
    """Lock a slot on up to `count` devices: last slots first, since jobs that do not share use only the first."""
    held: list[str] = []
    for slot in reversed(range(slots)):
        for gpu in gpus:
            needed = len(held) < count and gpu not in held
            if needed and locks.enter_context(exclusive(folder / f"{gpu}.{slot}.lock")):
                held.append(gpu)
    return held
