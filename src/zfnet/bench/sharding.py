"""Sharding: from JPEGs of 500 × 375 pixels in a tar to shards of 256-pixel squares, ours against Pillow.

The Pillow pipeline does what one would write: open, convert, resize with antialiasing, cut the centre, save at quality
95, add to a tar. It sums no mean and no covariance, which ours does on the way. On all cores it has a thread a core, as
ours has (Pillow gives up the interpreter's lock where it computes).
"""

import io
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from zfnet.bench import memory, photos
from zfnet.bench.harness import Bench, Row
from zfnet.bench.timing import confine, seconds
from zfnet.data.pictures import Picture
from zfnet.data.shards import write_shards
from zfnet.data.threads import in_order
from zfnet.settings import Data

IMAGES, QUICK = 1000, 30
SIZE, QUALITY = 256, 95


def results(bench: Bench) -> Iterator[Row | str]:
    """Time both on one core and on all."""
    images = QUICK if bench.quick else IMAGES
    given = {"archive": str(photos.photographs(bench.work, images, images)), "images": images}
    mean = Path(given["archive"]).stat().st_size / images
    yield f"{images:,} drawn JPEGs of {photos.WIDTH} × {photos.HEIGHT} pixels, {mean / 1000:.0f} kB a picture."
    for cores in bench.steps:
        rate = partial(bench.side, "sharding:rate", threads=1, cores=cores, **given)
        peak = partial(bench.side, "sharding:peak", threads=1, cores=cores, **given)
        held, other = peak(way="ours").value, peak(way="pillow").value
        case = f"a core's share of {cores}"
        yield Row(case, rate(way="ours").value, "images/s", rate(way="pillow").value, "Pillow", held)
        yield f"{case}: ours held {held:,.0f} MB, Pillow {other:,.0f} MB."


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
        settings = Data(size=SIZE, quality=QUALITY)
        write_shards(photos.source(archive), settings, Path(folder) / "manifest.json", square=True, threads=threads)


def pillow(archive: Path, threads: int) -> None:
    """Prepare it with Pillow and tarfile."""
    pictures = photos.source(archive).pictures()
    with (
        TemporaryDirectory(dir=archive.parent) as folder,
        ThreadPoolExecutor(threads) as pool,
        tarfile.open(Path(folder) / "shard.tar", "w") as tar,
    ):
        for picture, jpeg in in_order(pool, _square, pictures, 4 * threads):
            _add(tar, f"{picture.key}.jpg", jpeg)
            _add(tar, f"{picture.key}.cls", str(picture.label).encode())


def _square(picture: Picture) -> tuple[Picture, bytes]:
    image = Image.open(io.BytesIO(picture.data)).convert("RGB")
    scale = SIZE / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BILINEAR)
    left, top = (image.width - SIZE) // 2, (image.height - SIZE) // 2
    content = io.BytesIO()
    image.crop((left, top, left + SIZE, top + SIZE)).save(content, "JPEG", quality=QUALITY)
    return picture, content.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


WAYS = {"ours": ours, "pillow": pillow}
