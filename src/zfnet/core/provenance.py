"""Provenance of a number: commit, versions, machine, command. Every metrics file records it."""

import platform
import resource
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

_LIBRARIES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn", "pandas", "pillow", "simplejpeg", "snakemake")


def provenance(**more: Any) -> dict[str, Any]:
    """Describe this process; `more` (seed, device, hashes, wall time …) is added unchanged.

    Returns
    -------
    dict
        `commit`, `dirty` (None outside a git checkout), `versions`, `python`, `machine`, `command`, `time` (UTC).
    """
    return {
        **_commit(),
        "versions": _versions(),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {platform.system()} {platform.release()}",
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        **more,
    }


def peak_memory_mb() -> float:
    """Return the peak memory of this process in megabytes."""
    units_per_mb = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts in bytes, Linux in KB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / units_per_mb


@cache
def _versions() -> dict[str, str]:
    versions = {}
    for name in ("zfnet", *_LIBRARIES):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


@cache
def _commit() -> dict[str, Any]:
    # An installed package may lie inside the checkout of another project.
    tracked = _git("ls-files", "--error-unmatch", Path(__file__).name)
    commit = _git("rev-parse", "HEAD") if tracked else None
    changes = _git("status", "--porcelain") if commit else None
    return {"commit": commit or None, "dirty": None if changes is None else bool(changes)}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, timeout=20, check=True, cwd=Path(__file__).parent
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
