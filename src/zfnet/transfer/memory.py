"""Whether there is room for a layer's features, asked before they are read, in training and in testing alike."""

import os
from pathlib import Path

import torch

from zfnet.errors import ZfnetError

GIB = 1 << 30
ALTERNATIVE = (
    "free memory, run on a machine with more, or ask for less: leave the layer out of transfer.layers, or take smaller "
    "sizes, fewer test pictures or fewer folds"
)


def require(needed: int, what: str, device: torch.device) -> None:
    """Go on if `needed` bytes are free on the device.

    Raises
    ------
    ZfnetError
        They are not; the sentence says what is needed, what is free, and the alternatives.
    """
    free = available(device)
    if needed > free:
        raise ZfnetError(
            f"{what}: {needed / GIB:.1f} GiB of memory are needed on {device} and {free / GIB:.1f} are free; "
            f"{ALTERNATIVE}."
        )


def available(device: torch.device) -> int:
    """Return the free bytes of a device, counting what the system holds as a cache as free."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    table = Path("/proc/meminfo")
    if table.exists():
        fields = dict(line.split(":", 1) for line in table.read_text(encoding="ascii").splitlines())
        return 1024 * int(fields["MemAvailable"].split()[0])
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
