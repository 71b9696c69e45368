"""One GPU for one job: a lock per device.

Several jobs started side by side on one machine would all take its first GPU. Each therefore holds the lock
of the device it uses; the kernel frees it when the job ends, SIGKILL included. Where a scheduler has already
set CUDA_VISIBLE_DEVICES there is nothing to share out. Must be taken before the first use of CUDA.
"""

import os
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zfnet.training.lock import exclusive

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
def lease(found: list[str] | None = None, folder: Path | None = None, poll: float = POLL) -> Iterator[str | None]:
    """Hold one GPU and show only that one to CUDA; wait while all are taken.

    Parameters
    ----------
    found : ids of the GPUs; None asks the driver.
    folder : of the locks, local to the machine; None takes the temporary folder.
    poll : mean seconds between two rounds.

    Yields
    ------
    str or None
        Id of the device; None where a scheduler has chosen one, or there is none.
    """
    if "CUDA_VISIBLE_DEVICES" in os.environ or not (found := devices() if found is None else found):
        yield None
        return
    folder = folder or Path(tempfile.gettempdir()) / f"zfnet-leases-{os.getuid()}"
    with _first_free(found, folder, poll) as device:
        os.environ["CUDA_VISIBLE_DEVICES"] = device
        try:
            yield device
        finally:
            del os.environ["CUDA_VISIBLE_DEVICES"]


@contextmanager
def _first_free(found: list[str], folder: Path, poll: float) -> Iterator[str]:
    told = False
    while True:
        for device in found:
            with exclusive(folder / f"{device}.lock") as free:
                if free:
                    yield device
                    return
        if not told:
            print(f"all {len(found)} GPUs are leased by other trainings; waiting", flush=True)
            told = True
        time.sleep(poll * random.uniform(0.5, 1.5))  # so that waiting trainings do not move in step
