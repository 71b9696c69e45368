"""Drawn pictures for the benchmarks of data: like photographs in what costs time, their size and their detail.

Soft fields of several scales, straight and round edges, and the fine noise of a sensor. At 500 × 375 pixels and quality
95 a picture has about 90 kB, not far from ImageNet's; its 256-pixel square has 25 to 35 kB.
"""

import os
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from shutil import copyfile

import numpy as np
import simplejpeg
from PIL import Image, ImageDraw

from zfnet.core.files import atomic, write_json
from zfnet.data.loader import Shards
from zfnet.data.readers.images import EncodedImage, Source
from zfnet.data.shards.manifest import Manifest, Shard
from zfnet.data.shards.tar import ShardWriter
from zfnet.data.shards.writer import write_shards
from zfnet.settings import Data

SHARD = 250  # pictures; enough shards for the workers of any reader
CLASSES = 10
QUALITY = 95
WIDTH, HEIGHT = 500, 375
SCALES = ((4, 90), (12, 40), (48, 20), (160, 14))  # cells across a picture, and how far they differ in grey levels
NOISE = 5.0  # of the sensor, grey levels


def photographs(work: Path, count: int, distinct: int) -> Path:
    """Give a tar of `count` JPEGs of 500 × 375 pixels in `work`, drawn if it is not there.

    Those beyond the first `distinct` repeat them under other keys, here and in `squares`.
    """
    path = work / f"photographs-{count}-{distinct}.tar"
    if not path.exists():
        with ThreadPoolExecutor() as pool:
            jpegs = list(pool.map(_jpeg, range(distinct)))
        with atomic(path) as beside, beside.open("wb") as file:
            tar = ShardWriter(file)
            for number in range(count):
                tar.add(f"class-{number % CLASSES}/{number:06d}", jpegs[number % distinct], number % CLASSES, None)
            tar.finish()
    return path


def source(path: Path) -> Source:
    """Give the pictures of such a tar as the source of a data set."""
    names = [f"class-{number}" for number in range(CLASSES)]
    return Source("photographs", names, {}, [path], lambda: _pictures(path))


def squares(work: Path, count: int, distinct: int) -> Path:
    """Give the manifest of `count` squares of 256 pixels in `work`, prepared if it is not there."""
    folder = work / f"squares-{count}-{distinct}"
    if not (folder / "manifest.json").exists():
        drawn = work / f"distinct-{distinct}" / "manifest.json"
        if not drawn.exists():
            write_shards(
                source(photographs(work, distinct, distinct)), Data(), drawn, square=True, threads=os.cpu_count() or 1
            )
        _repeat(Shards(drawn), folder, count)
    return folder / "manifest.json"


def files(manifest: Path) -> Path:
    """Give a folder of the pictures as files, one folder a class, written if it is not there."""
    folder = manifest.parent / "files"
    if not folder.exists():
        shards = Shards(manifest)
        for number, key in enumerate(shards.keys):
            path = folder / f"{key}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(shards.jpeg(number))
    return folder


def first_shards(manifest: Path, count: int) -> Path:
    """Give the manifest of the first `count` pictures, whole shards linked into a folder of their own."""
    whole = Manifest.load(manifest)
    part = whole.model_copy(update={"shards": whole.shards[: count // SHARD], "images": count})
    folder = manifest.parent / f"first-{count}"
    folder.mkdir(exist_ok=True)
    for name in (whole.statistics, *(shard.file for shard in part.shards)):
        if not (folder / name).exists():
            (folder / name).hardlink_to(manifest.parent / name)
    write_json(folder / "manifest.json", part.model_dump())
    return folder / "manifest.json"


def mean_bytes(manifest: Path) -> float:
    """Size of a picture's JPEG in the shards, tar headers and labels included."""
    whole = Manifest.load(manifest)
    return sum(shard.bytes for shard in whole.shards) / whole.images


def _repeat(drawn: Shards, folder: Path, count: int) -> None:
    """Write shards of `count` pictures, those of `drawn` again and again."""
    made = [_shard(drawn, folder, first, min(SHARD, count - first)) for first in range(0, count, SHARD)]
    copyfile(drawn.path.parent / drawn.manifest.statistics, folder / drawn.manifest.statistics)
    write_json(
        folder / "manifest.json", drawn.manifest.model_copy(update={"shards": made, "images": count}).model_dump()
    )


def _shard(drawn: Shards, folder: Path, first: int, count: int) -> Shard:
    path = folder / f"squares-{first // SHARD:06d}.tar"
    with atomic(path) as beside, beside.open("wb") as file:
        tar = ShardWriter(file)
        for number in range(first, first + count):
            turn, place = divmod(number, len(drawn))
            tar.add(f"{drawn.keys[place]}-{turn:03d}", drawn.jpeg(place), int(drawn.labels[place]), None)
        digest = tar.finish()
    return Shard(file=path.name, images=count, bytes=tar.bytes, sha256=digest)


def _pictures(path: Path) -> Iterator[EncodedImage]:
    with tarfile.open(path) as tar:
        for member in tar:
            key, _, suffix = member.name.rpartition(".")
            if suffix == "jpg":
                yield EncodedImage(key, int(key.split("/")[0][-1]), tar.extractfile(member).read(), f"{path}: {key}")


def _jpeg(number: int) -> bytes:
    return simplejpeg.encode_jpeg(np.asarray(draw(number)), QUALITY, "RGB", "420", fastdct=False)


def draw(number: int) -> Image.Image:
    """Draw the picture of this number."""
    random = np.random.default_rng(number)
    pixels = np.full((HEIGHT, WIDTH, 3), random.integers(70, 180, 3), np.float32)
    for cells, spread in SCALES:
        pixels += _field(random, cells, spread)
    image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    _draw_edges(ImageDraw.Draw(image), random)
    grain = np.roll(_grain(), random.integers(0, HEIGHT, 2), (0, 1))
    return Image.fromarray((np.asarray(image) + grain).clip(0, 255).astype(np.uint8))


def _field(random: np.random.Generator, cells: int, spread: float) -> np.ndarray:
    rough = Image.fromarray(random.normal(0, spread, (cells * 3 // 4, cells)).astype(np.float32))
    soft = np.asarray(rough.resize((WIDTH, HEIGHT), Image.BICUBIC))
    return soft[..., None] * random.uniform(0.6, 1.0, 3).astype(np.float32)


def _draw_edges(pen: ImageDraw.ImageDraw, random: np.random.Generator) -> None:
    for _ in range(12):
        x, y = random.integers(0, WIDTH), random.integers(0, HEIGHT)
        width, height = random.integers(10, 160, 2)
        colour = tuple(random.integers(0, 256, 3).tolist())
        shape = pen.ellipse if random.random() < 0.5 else pen.rectangle
        shape((x, y, x + width, y + height), outline=colour, width=int(random.integers(1, 6)))


@cache
def _grain() -> np.ndarray:
    return np.random.default_rng(0).normal(0, NOISE, (HEIGHT, WIDTH, 3)).astype(np.float32)
