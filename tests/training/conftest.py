"""A data set in memory that looks like `zfnet.data.loader.Shards`, and runs small enough for a test."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg
import torch

from zfnet.data.loader import Batch
from zfnet.data.readers.images import EncodedImage, Source
from zfnet.data.shards.writer import write_shards
from zfnet.settings import Data, LRSchedule, Recipe
from zfnet.training import trainer
from zfnet.training.experiments import NetSpec, RunSpec
from zfnet.training.run_options import RunOptions

SIZE, CROP, CLASSES = 72, 64, 4


@dataclass
class FakeManifest:
    name: str
    hash: str


class FakeShards:
    """Noise on a class-dependent colour: anything that learns learns this."""

    def __init__(self, images: int, seed: int = 0, classes: int = CLASSES) -> None:
        random = np.random.default_rng(seed)
        self.labels = np.arange(images) % classes
        colours = np.random.default_rng(99).integers(40, 216, (classes, 3))
        noise = random.normal(0, 20, (images, SIZE, SIZE, 3))
        self.images = (colours[self.labels][:, None, None] + noise).clip(0, 255).astype(np.uint8)
        self.keys = [f"n{label}/n{label}_{i}" for i, label in enumerate(self.labels)]
        self.classes = [f"n{label}" for label in range(classes)]
        self.size = SIZE
        self.manifest = FakeManifest("fake", f"{images}-{seed}")
        self.mean = torch.full((3, SIZE, SIZE), 128.0)
        self.covariance = 400 * torch.eye(3)

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, indices: np.ndarray, batch: int, threads: int = 2) -> Iterator[Batch]:
        for start in range(0, len(indices), batch):
            chosen = np.asarray(indices[start : start + batch])
            yield Batch(*map(torch.from_numpy, (self.images[chosen], self.labels[chosen], chosen)))


@pytest.fixture(scope="session")
def train_set() -> FakeShards:
    return FakeShards(28)


@pytest.fixture(scope="session")
def larger_set() -> FakeShards:
    return FakeShards(64)


@pytest.fixture(scope="session")
def val_set() -> FakeShards:
    return FakeShards(8, seed=1)


@pytest.fixture(scope="session")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Shards of 24 training and 20 validation images in four colours."""
    folder = tmp_path_factory.mktemp("data")

    def images(count: int) -> Iterator[EncodedImage]:
        random = np.random.default_rng(count)
        for i in range(count):
            colour = np.eye(4)[i % 4, :3] * 160 + 40
            image = (colour + random.normal(0, 10, (80, 90, 3))).clip(0, 255).astype(np.uint8)
            yield EncodedImage(f"n{i % 4}/n{i % 4}_{i}", i % 4, simplejpeg.encode_jpeg(image), "generated")

    for name, count in (("train", 24), ("val", 20)):
        classes = ["n0", "n1", "n2", "n3"]
        source = Source(name, classes, {}, [], lambda count=count: images(count), count)
        write_shards(source, Data(image_size=72), folder / name / "manifest.json", square=True, threads=1)
    return folder / "train/manifest.json", folder / "val/manifest.json"


@pytest.fixture
def spec() -> Callable[..., RunSpec]:
    def make(
        run: str = "zf-s1", name: str = "zf", seed: int = 1, snapshots: tuple[int, ...] = (), **recipe: Any
    ) -> RunSpec:
        defaults = {
            "batch_size": 8,
            "epochs": 3,
            "lr_schedule": LRSchedule(milestones=(0.6,)),
            "if_stuck": "warn",
        }
        net = NetSpec(name=name, width=1 / 16, crop=CROP, norm_alpha="over_n")
        return RunSpec(
            run=run, net=net, recipe=Recipe(**defaults | recipe), seed=seed, snapshots=snapshots, code="test"
        )

    return make


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def train(tmp_path, train_set, val_set):
    """Return a function that trains in a folder `name`; each name is a run of its own."""

    def call(spec, name="run", chosen=None, val=None, **options):
        chosen = np.arange(len(train_set)) if chosen is None else chosen
        val = np.arange(len(val_set)) if val is None else val
        options = RunOptions(tmp_path / f"{name}-checkpoints", threads=1, **options)
        return trainer.train(spec, train_set, chosen, val_set, val, tmp_path / name, options)

    return call
