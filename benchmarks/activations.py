"""Generated features for the benchmarks of the heads: non-negative and correlated like layer 7, with classes."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

HIDDEN = 512  # dimensions in which images differ; features are mixtures of them


def generate(folder: str, images: int, width: int, classes: int) -> float:
    """Write x.npy, float32 (images, width), centred and of unit size, and labels.npy, int64 (images,)."""
    generator = torch.Generator().manual_seed(2013)
    hidden = min(HIDDEN, width)
    labels = torch.arange(images) % classes
    centres = torch.randn(classes, hidden, generator=generator)
    spread = torch.arange(1, hidden + 1).pow(-0.5)
    latent = (0.7 * centres[labels] + torch.randn(images, hidden, generator=generator)) * spread
    x = latent @ torch.randn(hidden, width, generator=generator)
    x = (x / x.std() + 0.3 * torch.randn(images, width, generator=generator) - 0.5).clamp_(min=0)
    x -= x.mean(0)
    x /= x.square().sum(1).mean().sqrt()
    Path(folder).mkdir(parents=True, exist_ok=True)
    np.save(Path(folder, "x.npy"), x.numpy())
    np.save(Path(folder, "labels.npy"), labels.numpy())
    return float(images)


def read(folder: str) -> tuple[Tensor, np.ndarray]:
    """Return the features and labels that `generate` wrote."""
    return torch.from_numpy(np.load(Path(folder, "x.npy"))), np.load(Path(folder, "labels.npy"))
