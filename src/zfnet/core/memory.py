"""Whether there is room for features or thumbnails, asked before they are read, in training and in testing alike."""

import math
import os
from pathlib import Path

import torch

from zfnet.core.errors import ZfnetError

GIB = 1 << 30
SLACK = 64 << 20  # what allocators and libraries keep between arrays
LIMITS = (  # of a control group, version 2 and 1: its limit, what it holds, how much of that is a cache of files
    ("memory.max", "memory.current", "file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache"),
)
ALTERNATIVE = (
    "free memory, run on a machine with more, or ask for less: leave the layer out of transfer.layers, or take smaller "
    "sizes, fewer test pictures or fewer folds"
)


def require(needed: int, what: str, device: torch.device, alternative: str = ALTERNATIVE) -> None:
    """Go on if `needed` bytes are free on the device.

    Raises
    ------
    ZfnetError
        They are not; the sentence says what is needed, what is free, and the `alternative`.
    """
    free = available(device)
    if needed > free:
        raise ZfnetError(
            f"{what}: {needed / GIB:.1f} GiB of memory are needed on {device} and {free / GIB:.1f} are free; "
            f"{alternative}."
        )


def available(device: torch.device) -> int:
    """Return the free bytes of a device, counting what the system holds as a cache as free; a job's limit counts."""
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # by torch, for its next arrays
        return torch.cuda.mem_get_info(device)[0] + kept
    table = Path("/proc/meminfo")
    if table.exists():
        fields = dict(line.split(":", 1) for line in table.read_text(encoding="ascii").splitlines())
        return int(min(1024 * int(fields["MemAvailable"].split()[0]), left_to_job()))
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def left_to_job(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> float:
    """Return the bytes that the limits of this process's control groups leave (Slurm, containers); infinity: no limit.

    What a group holds as a cache of files counts as free. A limit of a group holds for those below it.
    """
    lines = own.read_text(encoding="utf-8").splitlines() if own.exists() else []
    return min((_left(folder) for line in lines for folder in _groups(root, *line.split(":", 2)[1:])), default=math.inf)


def _groups(root: Path, controllers: str, group: str) -> list[Path]:
    """Folders of a group and of those above it, of both versions of control groups; none of other controllers."""
    if controllers and "memory" not in controllers.split(","):
        return []
    base = root / "memory" if controllers else root
    folder = base / group.lstrip("/")
    return [one for one in (folder, *folder.parents) if one.is_relative_to(base)]


def _left(folder: Path) -> float:
    for limit, used, cache in LIMITS:
        if (folder / limit).is_file() and (folder / limit).read_text().strip() != "max":
            held = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            return int((folder / limit).read_text()) - int((folder / used).read_text()) + int(held[cache])
    return math.inf
