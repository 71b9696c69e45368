"""Memory of batches that is used again once nobody holds the batch.

A fresh batch of 25 MB costs the processor 6,000 page faults, up to a tenth of the time its pictures take to decode. The
memory of a batch returns here when the last tensor or array that looks into it is gone, and not before: whoever keeps a
batch, or a slice of one, keeps it as it is.
"""

import weakref
from collections import deque
from math import prod

import numpy as np
import torch
from torch import Tensor


class Buffers:
    """A few pieces of memory on the CPU; at most `kept` of them wait for use."""

    def __init__(self, kept: int):
        self._free: deque[np.ndarray] = deque(maxlen=kept)

    def empty(self, *shape: int) -> Tensor:
        """Give an uninitialised tensor: uint8, of this shape."""
        size = prod(shape)
        memory = self._fitting(size)
        view = memory[:size].reshape(shape)  # the tensor holds this object as long as anything looks into the memory
        weakref.finalize(view, self._free.append, memory).atexit = False
        return torch.from_numpy(view)

    def _fitting(self, size: int) -> np.ndarray:
        """Free memory of at least `size` bytes; what is too small is let go."""
        while self._free:
            if len(memory := self._free.pop()) >= size:
                return memory
        return np.empty(size, np.uint8)
