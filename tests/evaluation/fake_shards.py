"""A prepared data set in memory, with the interface of `zfnet.data.loader.Shards`."""

from types import SimpleNamespace

import numpy as np
import torch

from zfnet.data.loader import Batch


class FakeShards:
    """`count` random squares of `size` pixels."""

    def __init__(self, count: int = 11, size: int = 73, classes: int = 7, seed: int = 0):
        draw = np.random.default_rng(seed)
        self.images = draw.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
        self.labels = draw.integers(0, classes, count)
        self.size, self.classes = size, [f"n{i:08}" for i in range(classes)]
        self.keys = [f"image_{i}" for i in range(count)]
        self.manifest = SimpleNamespace(hash=f"hash {seed}")

    def __len__(self):
        return len(self.labels)

    def batches(self, indices, batch, threads=2):
        for start in range(0, len(indices), batch):
            part = np.asarray(indices)[start : start + batch]
            yield Batch(*(torch.from_numpy(values) for values in (self.images[part], self.labels[part], part)))
