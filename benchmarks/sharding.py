"""Sharding: from JPEGs of 500 × 375 pixels in a tar to shards of 256-pixel squares, ours against Pillow.

The Pillow pipeline is the obvious one: open, convert, resize with antialiasing, crop the centre, save at quality 95,
add to a tar. Ours also accumulates the mean image and the colour covariance, exactly, and computes the checksums of
what it reads and writes. The peer therefore has two rows: with the same statistics in NumPy (a like-for-like comparison
except for the checksums), and without any. Each side has one thread per core (Pillow releases the GIL while it
computes).
"""

import io
import tarfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from benchmarks import memory, photos
from benchmarks.harness import Bench, Row
from benchmarks.timing import restrict_to, seconds
from zfnet.core.threads import in_order
from zfnet.data.readers.images import EncodedImage
from zfnet.data.shards.writer import write_shards
from zfnet.settings import Data

T = TypeVar("T")

IMAGES, QUICK = 1000, 30
SIZE, QUALITY = 256, 95
PEERS = {"pillow_numpy": "Pillow, mean and covariance by NumPy", "pillow": "Pillow, no mean and covariance"}


def results(bench: Bench) -> Iterator[Row | str]:
    """Yield the rates and peak memory of both, on one core and on all."""
    images = QUICK if bench.quick else IMAGES
    archive = photos.photographs(bench.work, images, images)
    arguments: dict[str, Any] = {"archive": str(archive), "images": images}
    mean = archive.stat().st_size / images
    yield f"{images:,} generated JPEGs of {photos.WIDTH} × {photos.HEIGHT} pixels, {mean / 1000:.0f} kB per image."
    for cores in bench.core_counts:
        rate = partial(bench.side, "sharding:rate", threads=1, cores=cores, **arguments)
        peak = partial(bench.side, "sharding:peak", threads=1, cores=cores, **arguments)
        case = f"per core, {cores} in use"
        our_rate, our_peak = rate(pipeline="ours").value, peak(pipeline="ours").value
        for pipeline, name in PEERS.items():
            yield Row(case, our_rate, "images/s", rate(pipeline=pipeline).value, name, our_peak)
        peer_peak = peak(pipeline="pillow_numpy").value
        yield f"{case}: ours took {our_peak:,.0f} MB, {PEERS['pillow_numpy']} {peer_peak:,.0f} MB."


def rate(pipeline: str, archive: str, images: int, cores: int) -> float:
    """Return images per second and core, in the fastest of three rounds."""
    restrict_to(cores)
    return images / cores / seconds(lambda: PIPELINES[pipeline](Path(archive), cores), rounds=3)


def peak(pipeline: str, archive: str, images: int, cores: int) -> float:
    """Return the peak memory, MB."""
    return memory.peak_mb(lambda: PIPELINES[pipeline](Path(archive), cores))


def ours(archive: Path, threads: int) -> None:
    """Prepare the archive as the workflow does."""
    with TemporaryDirectory(dir=archive.parent) as folder:
        settings = Data(image_size=SIZE, jpeg_quality=QUALITY)
        write_shards(photos.source(archive), settings, Path(folder) / "manifest.json", square=True, threads=threads)


def pillow(archive: Path, threads: int) -> None:
    """Prepare the archive with Pillow and tarfile."""
    deque(_write_squares(archive, threads, lambda square: None), maxlen=0)


def pillow_numpy(archive: Path, threads: int) -> tuple[np.ndarray, np.ndarray]:
    """Prepare the archive the same way, and return the mean image (S, S, 3) and the colour covariance (3, 3)."""
    count, total, products = 0, np.zeros((SIZE, SIZE, 3), np.int64), np.zeros((3, 3))
    for pixels, image_products in _write_squares(archive, threads, _pixels_and_products):
        count += 1
        total += pixels
        products += image_products
    mean = total / count
    centre = mean.mean((0, 1))
    return mean, products / (count * SIZE * SIZE) - np.outer(centre, centre)


def _pixels_and_products(square: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    pixels = np.asarray(square)
    colours = pixels.reshape(-1, 3).astype(np.float64)
    return pixels, colours.T @ colours


def _write_squares(archive: Path, threads: int, measure: Callable[[Image.Image], T]) -> Iterator[T]:
    """Write the squares to a tar, and yield `measure(square)` for each."""

    def prepare(picture: EncodedImage) -> tuple[EncodedImage, bytes, T]:
        square = _square(picture)
        return picture, _jpeg(square), measure(square)

    with (
        TemporaryDirectory(dir=archive.parent) as folder,
        ThreadPoolExecutor(threads) as pool,
        tarfile.open(Path(folder) / "shard.tar", "w") as tar,
    ):
        for picture, jpeg, measured in in_order(pool, prepare, photos.source(archive).images(), 4 * threads):
            _add(tar, f"{picture.key}.jpg", jpeg)
            _add(tar, f"{picture.key}.cls", str(picture.label).encode())
            yield measured


def _square(picture: EncodedImage) -> Image.Image:
    image = Image.open(io.BytesIO(picture.data)).convert("RGB")
    scale = SIZE / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BILINEAR)
    left, top = (image.width - SIZE) // 2, (image.height - SIZE) // 2
    return image.crop((left, top, left + SIZE, top + SIZE))


def _jpeg(square: Image.Image) -> bytes:
    content = io.BytesIO()
    square.save(content, "JPEG", quality=QUALITY)
    return content.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


PIPELINES = {"ours": ours, "pillow": pillow, "pillow_numpy": pillow_numpy}
