"""Random states that follow from where the training is, so that nothing random needs saving.

Every draw has its own generator, seeded by the run's seed and the draw's place: ("crops", seed, epoch, step). A
training continued at any step therefore goes on exactly as it would have, and two runs of one seed see the same
crops in the same order.
"""

import hashlib
import json

import torch


def seed_of(*place: str | int) -> int:
    """Give a 63-bit seed for a place, the same on every machine."""
    digest = hashlib.sha256(json.dumps(place).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(*place: str | int) -> torch.Generator:
    """Give a CPU generator for a place."""
    return torch.Generator().manual_seed(seed_of(*place))
