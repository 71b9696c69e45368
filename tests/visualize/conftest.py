"""Small random nets and a small prepared data set."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from zfnet.data.loader import Shards
from zfnet.data.readers.images import EncodedImage, Source
from zfnet.data.shards.writer import write_shards
from zfnet.nets import Network, adapt, build, save
from zfnet.settings import Data

CROP, SIZE, CLASSES, IMAGES = 64, 72, 4, 24


def _foreign(norm: bool, inplace: bool) -> nn.Sequential:
    layers = [
        nn.Conv2d(3, 8, 5, stride=2, padding=1),
        nn.ReLU(inplace),
        *([nn.LocalResponseNorm(5, alpha=5.0, k=2.0)] if norm else []),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.Conv2d(8, 12, 3, padding=1, groups=2),
        nn.ReLU(inplace),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        *([nn.LocalResponseNorm(3, alpha=5.0, k=1.0)] if norm else []),
        nn.Conv2d(12, 16, 3, padding=1, groups=2),
        nn.ReLU(inplace),
        nn.AvgPool2d(2, ceil_mode=True),
        nn.Flatten(),
        nn.Linear(16 * 9, 10),
        nn.ReLU(inplace),
        nn.Dropout(),
        nn.Linear(10, 5),
    ]
    return nn.Sequential(*layers)


@pytest.fixture(scope="session")
def foreign() -> Callable[..., tuple[nn.Sequential, Network]]:
    """Return a function that builds a random foreign net and adapts it: strides, padding, groups, overlapping pools in
    ceil mode, in-place ReLUs, float64; layers conv1, pool1, conv2, pool2, conv3, average3, fc4, fc5.
    """

    def make(norm: bool = False, inplace: bool = True) -> tuple[nn.Sequential, Network]:
        torch.manual_seed(1)
        module = _foreign(norm, inplace).eval()
        net = adapt(module, 41).double()
        return module.double(), net

    return make


@pytest.fixture
def images() -> torch.Tensor:
    """Return two inputs of the foreign net."""
    return torch.randn(2, 3, 41, 41, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="session")
def make_net() -> Callable[..., Network]:
    """Return a function that builds random nets with the paper's geometry for the data set; every layer responds."""

    def make(name: str = "zf", seed: int = 0) -> Network:
        torch.manual_seed(seed)
        net = build(name, classes=CLASSES, width=1 / 12, crop=CROP, size=SIZE).eval()
        for operation in net.operations:
            if operation.kind in ("conv", "linear"):
                nn.init.kaiming_normal_(operation.module.weight)
        net.mean.fill_(110)
        return net

    return make


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the manifest of a prepared data set of coloured blobs."""
    path = tmp_path_factory.mktemp("data") / "val" / "manifest.json"
    source = Source("blobs", [f"n{c:08d}" for c in range(CLASSES)], {"n00000001": "blob, spot"}, [], _images, IMAGES)
    write_shards(source, Data(image_size=SIZE), path, square=True, threads=1)
    return path


@pytest.fixture(scope="session")
def shards(manifest: Path) -> Shards:
    """Return the opened data set."""
    return Shards(manifest)


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory, make_net: Callable[..., Network]) -> dict[str, Path]:
    """Return saved nets by run."""
    folder = tmp_path_factory.mktemp("runs")
    paths = {run: folder / run / "weights.safetensors" for run in ("zf-s1", "krizhevsky-s1")}
    for run, path in paths.items():
        save(make_net(run.split("-")[0]), path)
    return paths


def _images() -> Iterator[EncodedImage]:
    draw = np.random.default_rng(0)
    for number in range(IMAGES):
        coarse = Image.fromarray(draw.integers(0, 256, (9, 9, 3), dtype=np.uint8))
        file = io.BytesIO()
        coarse.resize((SIZE + 8, SIZE), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
        yield EncodedImage(f"blobs/{number:03d}", number % CLASSES, file.getvalue(), f"blobs: {number}")
