"""Seeds derived from the training position, so that no random state has to be saved.

Every draw has its own generator, seeded by the run's seed and the position of the draw: ("crops", seed, epoch, step).
A training resumed at any step therefore continues exactly as if it had never stopped, and two runs with the same seed
see the same crops in the same order.
"""

import hashlib
import json

import torch


def derive_seed(*position: str | int) -> int:
    """Return a 63-bit seed for a position, the same on every machine."""
    digest = hashlib.sha256(json.dumps(position).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(*position: str | int) -> torch.Generator:
    """Return a CPU generator for a position."""
    return torch.Generator().manual_seed(derive_seed(*position))
