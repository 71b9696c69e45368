"""One picture by its address: what a worker process does.

A picture's random numbers come from (seed, set, class, number) alone, so that neither order nor workers matter, and a
picture can be made again elsewhere: that is how near-duplicates are planted.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from random import Random
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from zfnet.synthetic import images
from zfnet.synthetic.categories import Kind

Map = Callable[[Callable[..., Any], Iterable[Any]], Iterator[Any]]


class Address(NamedTuple):
    """Which picture: enough to draw it."""

    seed: int
    set: str
    kinds: tuple[Kind, ...]  # none: a background; several: all of them in one picture
    name: str  # of the class
    number: int
    side: int  # pixels
    quirk: str | None = None  # see pictures.encode
    change: str | None = None  # see planted

    def random(self) -> Random:
        """This picture's own random numbers."""
        return Random(f"{self.seed}/{self.set}/{self.name}/{self.number}")


class Photo(NamedTuple):
    """A finished picture."""

    data: bytes  # JPEG
    size: tuple[int, int]  # width, height
    things: list[images.Thing]


@contextmanager
def crew(workers: int) -> Iterator[Map]:
    """A map over `workers` processes that keeps the order; the plain one where there is but one."""
    if workers < 2:
        yield map
        return
    with ProcessPoolExecutor(workers) as pool:
        yield lambda function, addresses: pool.map(function, addresses, chunksize=12)


def _pixels(address: Address) -> np.ndarray:
    """One object of the address's kind, or a background: uint8 (H, W, 3)."""
    rng = address.random()
    size = images.picture_size(address.side, rng)
    return images.portrait(address.kinds[0], size, rng)[0] if address.kinds else images.background(size, rng)


def jpeg(address: Address) -> bytes:
    """A picture of one object, or a background, encoded."""
    return images.encode(_pixels(address), 90, address.quirk)


def planted(address: Address) -> bytes:
    """A near-duplicate, nine tenths of the size, quality 75, perhaps "brightness+10%", "brightness-10%" or "crop4%"."""
    image = Image.fromarray(_pixels(address))
    if address.change == "crop4%":
        x, y = round(image.width * 0.04), round(image.height * 0.04)
        image = image.crop((x, y, image.width - x, image.height - y))
    elif address.change != "none":
        image = image.point(lambda value: value * (1.1 if address.change == "brightness+10%" else 0.9))
    small = image.resize((round(image.width * 0.9), round(image.height * 0.9)), Image.Resampling.BICUBIC)
    return images.encode(np.asarray(small), 75)


def group(address: Address) -> Photo:
    """Several objects in one picture."""
    rng = address.random()
    pixels, things = images.gathering(list(address.kinds), images.picture_size(address.side, rng), rng)
    return Photo(images.encode(pixels), (pixels.shape[1], pixels.shape[0]), things)


def frontal(address: Address) -> Photo:
    """An animal's face with all of its key points in the picture."""
    rng = address.random()
    pixels, thing = images.portrait(address.kinds[0], images.picture_size(address.side, rng), rng, fill=0.95)
    return Photo(images.encode(pixels), (pixels.shape[1], pixels.shape[0]), [thing])


def tiny(address: Address) -> bytes:
    """A 32 x 32 picture as CIFAR stores it: 1024 red, 1024 green, 1024 blue values, row by row."""
    pixels = images.portrait(address.kinds[0], (64, 64), address.random(), fill=1.1)[0]
    small = np.asarray(Image.fromarray(pixels).reduce(2))  # 32, 32, 3
    return small.transpose(2, 0, 1).tobytes()
