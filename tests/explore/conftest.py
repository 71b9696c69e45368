"""A small foreign net with folded batch normalisation, saved, and a folder of images, one of them damaged."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from zfnet.nets import adapt, save

CROP, SIZE, COUNT = 32, 37, 5


@pytest.fixture(scope="session")
def net_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """conv1, pool1, conv2, pool2, fc3, fc4; three classes."""
    torch.manual_seed(3)
    module = nn.Sequential(
        *(nn.Conv2d(3, 6, 5, 2), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True)),
        *(nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(72, 10), nn.ReLU(), nn.Linear(10, 3)),
    ).eval()
    path = tmp_path_factory.mktemp("net") / "small.safetensors"
    save(adapt(module, CROP, (120.0, 115.0, 105.0), (58.0, 57.0, 57.0)), path, classes=["cat", "dog", "hen"])
    return path


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five images of different sizes, one of them in a folder, and one that is no image."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "more").mkdir()
    draw = np.random.default_rng(0)
    for number in range(COUNT):
        rough = Image.fromarray(draw.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        place = folder / "more" if number == 4 else folder
        rough.resize((60 + 9 * number, 50), Image.Resampling.BICUBIC).save(place / f"{number % 4}.png")
    (folder / "broken.jpg").write_bytes(b"not an image")
    return folder
