"""Drawn images as a source and as shards, for the tests of shards and loaders."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from zfnet.data.readers.images import EncodedImage, Source
from zfnet.data.shards.writer import write_shards
from zfnet.settings import Data

SIDES = [(40, 60), (60, 40), (32, 32), (21, 33), (90, 50)]  # shorter side above, below and equal to 32


def draw(number: int) -> np.ndarray:
    """A smooth image with noise, uint8 (H, W, 3)."""
    random = np.random.default_rng(number)
    height, width = SIDES[number % len(SIDES)]
    rough = Image.fromarray(random.integers(0, 256, (5, 5, 3), np.uint8)).resize((width, height), Image.BICUBIC)
    return (np.asarray(rough) + random.integers(-8, 9, (height, width, 3))).clip(0, 255).astype(np.uint8)


def encode(image: np.ndarray) -> bytes:
    """The image as PNG, which keeps every value."""
    content = io.BytesIO()
    Image.fromarray(image).save(content, "PNG")
    return content.getvalue()


def images(count: int, damaged: tuple[int, ...] = ()) -> list[EncodedImage]:
    """`count` images of three classes; every fourth has an annotation, the `damaged` ones are truncated."""
    encoded = []
    for number in range(count):
        data = encode(draw(number))
        data = data[: len(data) // 2] if number in damaged else data
        annotation = {"objects": [{"name": "dog", "box": [1, 2, 3, number]}]} if number % 4 == 0 else None
        encoded.append(
            EncodedImage(f"class-{number % 3}/{number:04d}", number % 3, data, f"drawn.tar: {number}", annotation)
        )
    return encoded


def make_source(folder: Path, count: int, damaged: tuple[int, ...] = (), name: str = "drawn") -> Source:
    """A source of `images`, whose archive is a file of some bytes."""
    archive = folder / "drawn.tar"
    if not archive.exists():
        archive.write_bytes(b"archive" * 1000)
    encoded = images(count, damaged)
    return Source(name, ["a", "b", "c"], {"a": "apple"}, [archive], lambda: iter(encoded), count)


def prepare(folder: Path, count: int, size: int, per_shard: int, square: bool = True, threads: int = 1) -> Path:
    """Write `images` to shards; return the path of their manifest."""
    manifest = folder / "manifest.json"
    write_shards(
        make_source(folder, count), Data(image_size=size, images_per_shard=per_shard), manifest, square, threads
    )
    return manifest
