"""Small prepared data sets and features for the transfer tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from scenes import encoded, scene

from zfnet.core.files import write_json
from zfnet.data.loader import Shards
from zfnet.data.readers.images import EncodedImage, Source
from zfnet.data.shards.writer import write_shards
from zfnet.settings import Data


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def prepare(tmp_path_factory) -> Callable[..., Path]:
    """Write shards of some pictures, {key: (label, image)}, and give the path of the manifest."""

    def make(name: str, pictures: dict, size: int = 32, square: bool = False, annotations: dict | None = None) -> Path:
        classes = [f"class{i}" for i in range(1 + max(label for label, _ in pictures.values()))]

        def read() -> Iterator[EncodedImage]:
            for key, (label, image) in pictures.items():
                yield EncodedImage(key, label, encoded(image), key, (annotations or {}).get(key))

        path = tmp_path_factory.mktemp(name) / name / "manifest.json"
        write_shards(Source(name, classes, {}, [], read, len(pictures)), Data(image_size=size), path, square, 1)
        return path

    return make


@pytest.fixture(scope="session")
def caltech(prepare) -> Shards:
    """Three classes of eight pictures each."""
    pictures = {f"c{label}/p{i}": (label, scene(10 * label + i)) for label in range(3) for i in range(8)}
    return Shards(prepare("caltech101", pictures))


@pytest.fixture
def write_features(tmp_path) -> Callable[..., Path]:
    """Write a folder of features as `features_stage` would."""

    def write(name: str, labels: np.ndarray, layers: dict[str, np.ndarray], classes: list[str], annotations=None):
        folder = tmp_path / name
        folder.mkdir()
        for layer, rows in layers.items():
            np.save(folder / f"{layer}.npy", rows.astype(np.float32))
        about = {
            layer: {"output": layer, "shape": [rows.shape[1]], "dimensions": rows.shape[1]}
            for layer, rows in layers.items()
        }
        index = {"set": name, "classes": classes, "keys": [f"p{i:04d}" for i in range(len(labels))], "layers": about}
        index |= {"labels": labels.tolist(), "annotations": annotations, "crops": "centre", "net": "n", "data": "d"}
        write_json(folder / "index.json", index)
        return folder

    return write
