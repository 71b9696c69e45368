"""The NVIDIA cards of this machine, as the driver describes them, without initialising CUDA."""

import os
import re
import subprocess
from typing import NamedTuple

MIN_CAPABILITY = 7.5  # of torch's builds for CUDA 13; older cards have no kernels in them
MIN_MEMORY_RATIO = 0.5  # of the largest card's memory; a smaller one beside it serves the display
# CUDA's major version -> the oldest branch of drivers that runs it:
# https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html
NEEDED_DRIVERS = {"12": "525", "13": "580"}
FIELDS = ("uuid", "name", "driver_version", "compute_cap", "memory.total", "memory.free")


class Card(NamedTuple):
    """A card; memory in MiB."""

    uuid: str
    name: str
    driver: str
    capability: float
    memory: float
    free_memory: float


def cards() -> list[Card]:
    """Return the cards of this machine; none where there is no driver."""
    command = ["nvidia-smi", f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [_card(line.split(", ")) for line in done.stdout.splitlines() if line.count(", ") == len(FIELDS) - 1]


def devices() -> list[str]:
    """Return the UUIDs of the cards to compute on, those with most free memory first; name the others."""
    found = cards()
    largest = max((card.memory for card in found), default=0)
    chosen = []
    for card in sorted(found, key=lambda card: -card.free_memory):
        if reason := _unfit(card, largest):
            print(f"{card.name} ({card.uuid}) is left alone: {reason}.", flush=True)
        else:
            chosen.append(card.uuid)
    return chosen


def driver() -> str | None:
    """Return the version of the driver, None if there is none."""
    return next((card.driver for card in cards()), None)


def needed_driver(cuda: str) -> str:
    """Return the oldest driver for a version of CUDA, as far as known."""
    return NEEDED_DRIVERS.get(cuda.split(".")[0], "a newer one")


def requested() -> bool:
    """Return whether CUDA_VISIBLE_DEVICES names a device: it was set by our lock, by a scheduler or by the user."""
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip()
    return re.fullmatch(r"\d+|GPU-.+|MIG-.+", first) is not None


def _card(values: list[str]) -> Card:
    uuid, name, version, *numbers = (value.strip() for value in values)
    return Card(uuid, name, version, *map(_number, numbers))


def _number(text: str) -> float:
    """Return a number, or 0 for what the driver does not tell ("[N/A]")."""
    return float(text) if re.fullmatch(r"[\d.]+", text) else 0.0


def _unfit(card: Card, largest: float) -> str | None:
    if 0 < card.capability < MIN_CAPABILITY:
        return f"its compute capability is {card.capability}, and torch needs {MIN_CAPABILITY}"
    if card.memory < MIN_MEMORY_RATIO * largest:
        return f"it has {card.memory / 1024:.0f} GiB of memory, and another card {largest / 1024:.0f}"
    return None
