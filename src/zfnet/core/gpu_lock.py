"""GPUs for one job: a lock per device and place on it.

Several jobs started side by side on one machine would all take its first GPU. Each therefore holds a lock of every
device it uses; the kernel frees it when the job ends, SIGKILL included. A device has as many places as trainings
may share it. Where a scheduler has already set CUDA_VISIBLE_DEVICES there is nothing to share out, and neither has a
rank of a parallel training, whose launcher holds the devices of all. Must be taken before the first use of CUDA.
"""

import os
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from zfnet.core.errors import ZfnetError
from zfnet.core.file_lock import exclusive

POLL = 5.0  # seconds between two rounds over all devices, on average


def devices() -> list[str]:
    """List the GPUs of this machine by their unique ids; empty where there is no driver."""
    command = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


@contextmanager
def lease(
    count: int = 1, share: int = 1, found: list[str] | None = None, folder: Path | None = None, poll: float = POLL
) -> Iterator[list[str]]:
    """Hold `count` GPUs and show only those to CUDA; wait while too few are free.

    Parameters
    ----------
    count : GPUs; all or none are held, so that jobs which want several never wait for each other's.
    share : places on each GPU.
    found : ids of the GPUs; None asks the driver.
    folder : of the locks, local to the machine; None takes the temporary folder.
    poll : mean seconds between two rounds.

    Yields
    ------
    list of str
        Ids of the devices; none where they were chosen already, or there are none.

    Raises
    ------
    ZfnetError
        This machine has fewer GPUs than are wanted.
    """
    chosen = "CUDA_VISIBLE_DEVICES" in os.environ or "LOCAL_RANK" in os.environ
    if chosen or not (found := devices() if found is None else found):
        yield []
        return
    if count > len(found):
        raise ZfnetError(f"{count} GPUs are wanted and this machine has {len(found)}; ask for {len(found)} at most.")
    folder = folder or Path(tempfile.gettempdir()) / f"zfnet-leases-{os.getuid()}"
    with _all_or_none(found, count, share, folder, poll) as held:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(held)
        try:
            yield held
        finally:
            os.environ.pop("CUDA_VISIBLE_DEVICES", None)


@contextmanager
def _all_or_none(found: list[str], count: int, share: int, folder: Path, poll: float) -> Iterator[list[str]]:
    told = False
    while True:
        with ExitStack() as locks:
            held = _take(locks, found, count, share, folder)
            if len(held) == count:
                yield held
                return
        if not told:
            print(f"all {len(found)} GPUs are leased by other jobs; waiting", flush=True)
            told = True
        time.sleep(poll * random.uniform(0.5, 1.5))  # so that waiting jobs do not move in step


def _take(locks: ExitStack, found: list[str], count: int, share: int, folder: Path) -> list[str]:
    """Lock a place on up to `count` devices: last places first, since jobs that do not share know only the first."""
    held: list[str] = []
    for place in reversed(range(share)):
        for device in found:
            wanted = len(held) < count and device not in held
            if wanted and locks.enter_context(exclusive(folder / f"{device}.{place}.lock")):
                held.append(device)
    return held
