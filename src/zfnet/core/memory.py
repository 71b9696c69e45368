"""Check that enough memory is free before large arrays (features, thumbnails) are read."""

import math
import os
from pathlib import Path

import torch

from zfnet.core.errors import ZfnetError

GIB = 1 << 30
SLACK = 64 << 20  # bytes that allocators and libraries keep between arrays
LIMITS = (  # files of a control group, version 2 and 1: its limit, its usage, the page cache in that usage
    ("memory.max", "memory.current", "file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache"),
)
ALTERNATIVE = (
    "free memory, use a machine with more, or request less: drop the layer from transfer.layers, or use smaller sizes, "
    "fewer test images or fewer folds"
)


def require(needed: int, what: str, device: torch.device, alternative: str = ALTERNATIVE) -> None:
    """Check that `needed` bytes are free on the device.

    Raises
    ------
    ZfnetError
        They are not; the message states what is needed, what is free, and the `alternative`.
    """
    free = available(device)
    if needed > free:
        raise ZfnetError(
            f"{what}: {needed / GIB:.1f} GiB of memory are needed on {device} and {free / GIB:.1f} are free; "
            f"{alternative}."
        )


def roomy(needed: int, what: str, device: torch.device, alternative: str = ALTERNATIVE) -> torch.device:
    """Return the device if `needed` bytes are free on it, else the CPU, after a sentence.

    Raises
    ------
    ZfnetError
        They are not free on the CPU either.
    """
    if device.type != "cpu" and needed > available(device):
        print(
            f"{what}: {needed / GIB:.1f} GiB of memory are needed and {available(device) / GIB:.1f} are free on "
            f"{device}; computing on the CPU.",
            flush=True,
        )
        device = torch.device("cpu")
    require(needed, what, device, alternative)
    return device


def available(device: torch.device) -> int:
    """Return the free bytes of a device: caches count as free, and a limit on this job is respected."""
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # torch reuses these bytes
        return torch.cuda.mem_get_info(device)[0] + cached
    table = Path("/proc/meminfo")
    if table.exists():
        fields = dict(line.split(":", 1) for line in table.read_text(encoding="ascii").splitlines())
        return int(min(1024 * int(fields["MemAvailable"].split()[0]), left_to_job()))
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def left_to_job(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> float:
    """Return the bytes left under the limits of this process's control groups (Slurm, containers); infinity if none.

    The page cache of a group counts as free. A group's limit applies to the groups below it.
    """
    lines = own.read_text(encoding="utf-8").splitlines() if own.exists() else []
    folders = (folder for line in lines for folder in _groups(root, *line.split(":", 2)[1:]))
    return min(map(_remaining, folders), default=math.inf)


def _groups(root: Path, controllers: str, group: str) -> list[Path]:
    """Return the folders of a group and its ancestors, of either version; none for controllers other than memory."""
    if controllers and "memory" not in controllers.split(","):
        return []
    base = root / "memory" if controllers else root
    folder = base / group.lstrip("/")
    return [ancestor for ancestor in (folder, *folder.parents) if ancestor.is_relative_to(base)]


def _remaining(folder: Path) -> float:
    for limit, used, cache in LIMITS:
        if (folder / limit).is_file() and (folder / limit).read_text().strip() != "max":
            usage = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            return int((folder / limit).read_text()) - int((folder / used).read_text()) + int(usage[cache])
    return math.inf
