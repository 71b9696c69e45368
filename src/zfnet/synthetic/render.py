"""Rendering of one image from its address, the task of a worker process.

The random numbers of an image depend only on (seed, set, class, number), so that neither order nor the number of
workers matters, and an image can be rendered again elsewhere, as near-duplicates are.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from random import Random
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from zfnet.synthetic import composition
from zfnet.synthetic.categories import Category

Map = Callable[[Callable[..., Any], Iterable[Any]], Iterator[Any]]


class Address(NamedTuple):
    """Everything needed to draw one image."""

    seed: int
    set: str
    categories: tuple[Category, ...]  # none: a background; several: all of them in one image
    name: str  # of the class
    number: int
    side: int  # pixels
    quirk: str | None = None  # see composition.encode
    change: str | None = None  # see planted

    def random(self) -> Random:
        """Return this image's random number generator."""
        return Random(f"{self.seed}/{self.set}/{self.name}/{self.number}")


class Photo(NamedTuple):
    """A finished image."""

    data: bytes  # JPEG
    size: tuple[int, int]  # width, height
    things: list[composition.Thing]


@contextmanager
def worker_map(workers: int) -> Iterator[Map]:
    """Yield an order-preserving map over `workers` processes, or the built-in `map` for a single one."""
    if workers < 2:
        yield map
        return
    with ProcessPoolExecutor(workers) as pool:
        yield lambda function, addresses: pool.map(function, addresses, chunksize=12)


def _pixels(address: Address) -> np.ndarray:
    """Return one object of the address's category, or a background: uint8 (H, W, 3)."""
    rng = address.random()
    size = composition.image_size(address.side, rng)
    return (
        composition.portrait(address.categories[0], size, rng)[0]
        if address.categories
        else composition.background(size, rng)
    )


def jpeg(address: Address) -> bytes:
    """Return the encoded image of one object, or of a background."""
    return composition.encode(_pixels(address), 90, address.quirk)


def planted(address: Address) -> bytes:
    """Return a near-duplicate at 0.9 of the size and quality 75, possibly changed in brightness or cropped."""
    image = Image.fromarray(_pixels(address))
    if address.change == "crop4%":
        x, y = round(image.width * 0.04), round(image.height * 0.04)
        image = image.crop((x, y, image.width - x, image.height - y))
    elif address.change != "none":
        image = image.point(lambda value: value * (1.1 if address.change == "brightness+10%" else 0.9))
    small = image.resize((round(image.width * 0.9), round(image.height * 0.9)), Image.Resampling.BICUBIC)
    return composition.encode(np.asarray(small), 75)


def group(address: Address) -> Photo:
    """Return an image of several objects."""
    rng = address.random()
    pixels, things = composition.gathering(list(address.categories), composition.image_size(address.side, rng), rng)
    return Photo(composition.encode(pixels), (pixels.shape[1], pixels.shape[0]), things)


def frontal(address: Address) -> Photo:
    """Return an animal's face with all of its key points in the image."""
    rng = address.random()
    pixels, thing = composition.portrait(
        address.categories[0], composition.image_size(address.side, rng), rng, fill=0.95
    )
    return Photo(composition.encode(pixels), (pixels.shape[1], pixels.shape[0]), [thing])


def tiny(address: Address) -> bytes:
    """Return a 32 x 32 image as CIFAR stores it: 1024 red, 1024 green, 1024 blue values, row by row."""
    pixels = composition.portrait(address.categories[0], (64, 64), address.random(), fill=1.1)[0]
    small = np.asarray(Image.fromarray(pixels).reduce(2))  # (32, 32, 3)
    return small.transpose(2, 0, 1).tobytes()
