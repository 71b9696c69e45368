"""Small real archives to shards and back, against Pillow."""

import io

import numpy as np
import pytest
from PIL import Image

from zfnet.data.loader import Shards
from zfnet.data.readers.datasets import SQUARE, source
from zfnet.data.shards.writer import write_shards
from zfnet.settings import Data

pytestmark = pytest.mark.real

ARCHIVES = {
    "imagenet-val": ("imagenet/ILSVRC2012_img_val.tar", "imagenet/ILSVRC2012_devkit_t12.tar.gz"),
    "caltech256": ("caltech/256_ObjectCategories.tar",),
}


def by_pillow(data: bytes, size: int) -> np.ndarray:
    """The centre square as Pillow makes it."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    scale = size / min(image.size)
    image = image.resize([round(side * scale) for side in image.size], Image.BILINEAR)
    left, top = ((side - size) // 2 for side in image.size)
    return np.asarray(image.crop((left, top, left + size, top + size)))


@pytest.mark.parametrize("name", ARCHIVES)
def test_real_images_arrive_in_the_batches(name, real_data, tmp_path):
    settings = Data(image_size=64, images_per_shard=300)
    images = source(name, [real_data / archive for archive in ARCHIVES[name]], settings)
    write_shards(images, settings, tmp_path / "manifest.json", SQUARE[name], 2)
    shards = Shards(tmp_path / "manifest.json")
    originals = list(images.images())
    assert shards.keys == [image.key for image in originals] and not shards.manifest.damaged
    assert shards.labels.tolist() == [image.label for image in originals]
    chosen = list(range(0, len(shards), 50))
    for ours, number in zip(shards.squares(chosen).numpy(), chosen, strict=True):
        difference = ours.astype(float) - by_pillow(originals[number].data, 64)
        assert np.abs(difference.mean((0, 1))).max() < 1 and np.abs(difference).mean() < 5  # JPEG, subsampled chroma
