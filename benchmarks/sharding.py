"""Sharding: from JPEGs of 500 × 375 pixels in a tar to shards of 256-pixel squares, ours against Pillow.

The Pillow pipeline does what one would write: open, convert, resize with antialiasing, cut the centre, save at quality
95, add to a tar. Ours sums the mean image and the covariance of the colours on the way, exactly, and takes the
checksums of what it reads and writes. So the peer has two rows: with the same statistics, as one writes them in NumPy
(like against like, but for the checksums), and without any. On all cores each has a thread a core (Pillow gives up the
interpreter's lock where it computes).
"""

import io
import tarfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np
from PIL import Image

from benchmarks import memory, photos
from benchmarks.harness import Bench, Row
from benchmarks.timing import confine, seconds
from zfnet.core.threads import in_order
from zfnet.data.readers.images import EncodedImage
from zfnet.data.shards.writer import write_shards
from zfnet.settings import Data

T = TypeVar("T")

IMAGES, QUICK = 1000, 30
SIZE, QUALITY = 256, 95
PEERS = {"pillow_numpy": "Pillow, mean and covariance by NumPy", "pillow": "Pillow, no mean and covariance"}


def results(bench: Bench) -> Iterator[Row | str]:
    """Time both on one core and on all."""
    images = QUICK if bench.quick else IMAGES
    given = {"archive": str(photos.photographs(bench.work, images, images)), "images": images}
    mean = Path(given["archive"]).stat().st_size / images
    yield f"{images:,} drawn JPEGs of {photos.WIDTH} × {photos.HEIGHT} pixels, {mean / 1000:.0f} kB a picture."
    for cores in bench.steps:
        rate = partial(bench.side, "sharding:rate", threads=1, cores=cores, **given)
        peak = partial(bench.side, "sharding:peak", threads=1, cores=cores, **given)
        case = f"a core's share of {cores}"
        speed, held = rate(way="ours").value, peak(way="ours").value
        for way, name in PEERS.items():
            yield Row(case, speed, "images/s", rate(way=way).value, name, held)
        yield f"{case}: ours held {held:,.0f} MB, {PEERS['pillow_numpy']} {peak(way='pillow_numpy').value:,.0f} MB."


def rate(way: str, archive: str, images: int, cores: int) -> float:
    """Images a second and core, the best of three rounds."""
    confine(cores)
    return images / cores / seconds(lambda: WAYS[way](Path(archive), cores), rounds=3)


def peak(way: str, archive: str, images: int, cores: int) -> float:
    """Most memory held, MB."""
    return memory.peak_mb(lambda: WAYS[way](Path(archive), cores))


def ours(archive: Path, threads: int) -> None:
    """Prepare the archive as the workflow does."""
    with TemporaryDirectory(dir=archive.parent) as folder:
        settings = Data(image_size=SIZE, jpeg_quality=QUALITY)
        write_shards(photos.source(archive), settings, Path(folder) / "manifest.json", square=True, threads=threads)


def pillow(archive: Path, threads: int) -> None:
    """Prepare it with Pillow and tarfile."""
    deque(_saved(archive, threads, lambda square: None), maxlen=0)


def pillow_numpy(archive: Path, threads: int) -> tuple[np.ndarray, np.ndarray]:
    """Prepare it the same way; give the mean image (S, S, 3) and the covariance of the colours (3, 3)."""
    count, total, products = 0, np.zeros((SIZE, SIZE, 3), np.int64), np.zeros((3, 3))
    for pixels, its_products in _saved(archive, threads, _pixels_and_products):
        count += 1
        total += pixels
        products += its_products
    mean = total / count
    centre = mean.mean((0, 1))
    return mean, products / (count * SIZE * SIZE) - np.outer(centre, centre)


def _pixels_and_products(square: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    pixels = np.asarray(square)
    colours = pixels.reshape(-1, 3).astype(np.float64)
    return pixels, colours.T @ colours


def _saved(archive: Path, threads: int, look: Callable[[Image.Image], T]) -> Iterator[T]:
    """Write the squares into a tar; give what `look` gives of each."""

    def prepare(picture: EncodedImage) -> tuple[EncodedImage, bytes, T]:
        square = _square(picture)
        return picture, _jpeg(square), look(square)

    with (
        TemporaryDirectory(dir=archive.parent) as folder,
        ThreadPoolExecutor(threads) as pool,
        tarfile.open(Path(folder) / "shard.tar", "w") as tar,
    ):
        for picture, jpeg, seen in in_order(pool, prepare, photos.source(archive).images(), 4 * threads):
            _add(tar, f"{picture.key}.jpg", jpeg)
            _add(tar, f"{picture.key}.cls", str(picture.label).encode())
            yield seen


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


WAYS = {"ours": ours, "pillow": pillow, "pillow_numpy": pillow_numpy}
