"""Generated images for the data benchmarks: like photographs in what costs time, their size and their detail.

They have soft fields at several scales, straight and round edges, and fine sensor noise. At 500 × 375 pixels and
quality 95 an image takes about 90 kB, close to ImageNet's average; its 256-pixel square takes 25 to 35 kB.
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

SHARD = 250  # images; small, so that there are enough shards for the workers of any reader
CLASSES = 10
QUALITY = 95
WIDTH, HEIGHT = 500, 375
SCALES = ((4, 90), (12, 40), (48, 20), (160, 14))  # cells across an image, and their standard deviation in grey levels
NOISE = 5.0  # standard deviation of the sensor noise, grey levels


def photographs(work: Path, count: int, distinct: int) -> Path:
    """Return a tar of `count` JPEGs of 500 × 375 pixels in `work`; create it if it does not exist.

    Images beyond the first `distinct` repeat those under other keys, here and in `squares`.
    """
    path = work / f"photographs-{count}-{distinct}.tar"
    if not path.exists():
        with ThreadPoolExecutor() as pool:
            jpegs = list(pool.map(_jpeg, range(distinct)))
        with atomic(path) as unfinished, unfinished.open("wb") as file:
            tar = ShardWriter(file)
            for number in range(count):
                tar.add(f"class-{number % CLASSES}/{number:06d}", jpegs[number % distinct], number % CLASSES, None)
            tar.finish()
    return path


def source(path: Path) -> Source:
    """Return the images of such a tar as the source of a data set."""
    names = [f"class-{number}" for number in range(CLASSES)]
    return Source("photographs", names, {}, [path], lambda: _images(path))


def squares(work: Path, count: int, distinct: int) -> Path:
    """Return the manifest of `count` squares of 256 pixels in `work`; prepare them if they do not exist."""
    folder = work / f"squares-{count}-{distinct}"
    if not (folder / "manifest.json").exists():
        distinct_manifest = work / f"distinct-{distinct}" / "manifest.json"
        if not distinct_manifest.exists():
            write_shards(
                source(photographs(work, distinct, distinct)),
                Data(),
                distinct_manifest,
                square=True,
                threads=os.cpu_count() or 1,
            )
        _repeat(Shards(distinct_manifest), folder, count)
    return folder / "manifest.json"


def files(manifest: Path) -> Path:
    """Return a folder with the images as files, one subfolder per class; write it if it does not exist."""
    folder = manifest.parent / "files"
    if not folder.exists():
        shards = Shards(manifest)
        for number, key in enumerate(shards.keys):
            path = folder / f"{key}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(shards.jpeg(number))
    return folder


def first_shards(manifest: Path, count: int) -> Path:
    """Return the manifest of the first `count` images, in a new folder with hard links to their shards."""
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
    """Return the mean size of an image in the shards, bytes, with its tar headers and label."""
    whole = Manifest.load(manifest)
    return sum(shard.bytes for shard in whole.shards) / whole.images


def _repeat(distinct: Shards, folder: Path, count: int) -> None:
    """Write shards of `count` images, which repeat those of `distinct`."""
    shards = [_shard(distinct, folder, first, min(SHARD, count - first)) for first in range(0, count, SHARD)]
    copyfile(distinct.path.parent / distinct.manifest.statistics, folder / distinct.manifest.statistics)
    manifest = distinct.manifest.model_copy(update={"shards": shards, "images": count})
    write_json(folder / "manifest.json", manifest.model_dump())


def _shard(distinct: Shards, folder: Path, first: int, count: int) -> Shard:
    path = folder / f"squares-{first // SHARD:06d}.tar"
    with atomic(path) as unfinished, unfinished.open("wb") as file:
        tar = ShardWriter(file)
        for number in range(first, first + count):
            repeat, index = divmod(number, len(distinct))
            tar.add(f"{distinct.keys[index]}-{repeat:03d}", distinct.jpeg(index), int(distinct.labels[index]), None)
        digest = tar.finish()
    return Shard(file=path.name, images=count, bytes=tar.bytes, sha256=digest)


def _images(path: Path) -> Iterator[EncodedImage]:
    with tarfile.open(path) as tar:
        for member in tar:
            key, _, suffix = member.name.rpartition(".")
            file = tar.extractfile(member)
            if suffix == "jpg" and file:
                yield EncodedImage(key, int(key.split("/")[0][-1]), file.read(), f"{path}: {key}")


def _jpeg(number: int) -> bytes:
    return simplejpeg.encode_jpeg(np.asarray(draw(number)), QUALITY, "RGB", "420", fastdct=False)


def draw(number: int) -> Image.Image:
    """Generate the image with this number."""
    random = np.random.default_rng(number)
    pixels = np.full((HEIGHT, WIDTH, 3), random.integers(70, 180, 3), np.float32)
    for cells, std in SCALES:
        pixels += _field(random, cells, std)
    image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    _draw_edges(ImageDraw.Draw(image), random)
    grain = np.roll(_grain(), random.integers(0, HEIGHT, 2), (0, 1))
    return Image.fromarray((np.asarray(image) + grain).clip(0, 255).astype(np.uint8))


def _field(random: np.random.Generator, cells: int, std: float) -> np.ndarray:
    coarse = Image.fromarray(random.normal(0, std, (cells * 3 // 4, cells)).astype(np.float32))
    smooth = np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
    return smooth[..., None] * random.uniform(0.6, 1.0, 3).astype(np.float32)


def _draw_edges(pen: ImageDraw.ImageDraw, random: np.random.Generator) -> None:
    for _ in range(12):
        x, y = int(random.integers(0, WIDTH)), int(random.integers(0, HEIGHT))
        width, height = random.integers(10, 160, 2).tolist()
        colour = tuple(random.integers(0, 256, 3).tolist())
        shape = pen.ellipse if random.random() < 0.5 else pen.rectangle
        shape((x, y, x + width, y + height), outline=colour, width=int(random.integers(1, 6)))


@cache
def _grain() -> np.ndarray:
    return np.random.default_rng(0).normal(0, NOISE, (HEIGHT, WIDTH, 3)).astype(np.float32)
