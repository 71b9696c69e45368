"""CIFAR-10 (for Krizhevsky's Figure 1), read from the official pickles without running any of their code.

A pickle can run arbitrary code. The official ones contain only bytes, text, numbers, lists, dicts and one array;
`plain_pickle` reads nothing else.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zfnet.core.errors import ZfnetError
from zfnet.core.parsing import reading
from zfnet.data.readers import plain_pickle
from zfnet.data.readers.images import EncodedImage, Source, make_key
from zfnet.data.readers.limits import CIFAR_BATCH, CIFAR_IMAGES, CLASSES
from zfnet.data.readers.members import Member, members
from zfnet.data.readers.names import readable

FOLDER = "cifar-10-batches-py"
BATCHES = {"train": tuple(f"data_batch_{number}" for number in range(1, 6)), "test": ("test_batch",)}
OFFICIAL = "expected cifar-10-python.tar.gz from Krizhevsky's page"
SIDE = 32  # pixels


def cifar10(path: Path, part: str = "train") -> Source:
    """Open CIFAR-10.

    Parameters
    ----------
    path : cifar-10-python.tar.gz or the extracted folder
    part : "train" or "test"

    Returns
    -------
    Images as PNG, 32 x 32, lossless.

    Raises
    ------
    ZfnetError
        The archive is missing, damaged or a different one, or a pickle holds anything but images and labels.
    """
    path = Path(path)
    classes, per_batch = _read_meta(path)

    def images() -> Iterator[EncodedImage]:
        for member in _batches(path, BATCHES[part]):
            for number, (pixels, label) in enumerate(_read_batch(member, len(classes))):
                yield EncodedImage(
                    make_key(member.stem, f"{number:05d}"), label, _png(pixels), f"{member.where}[{number}]"
                )

    words = {name: name for name in classes}
    return Source(f"cifar10-{part}", classes, words, [path], images, per_batch * len(BATCHES[part]))


def _batches(path: Path, wanted: tuple[str, ...]) -> Iterator[Member]:
    """Yield the wanted members of the folder in the archive's order; raise at the end if one is missing."""
    missing = set(wanted)
    for member in members(path):
        if member.parts[-2:-1] == (FOLDER,) and member.parts[-1] in missing:
            missing.remove(member.parts[-1])
            yield member
    if missing:
        raise ZfnetError(f"{path}: {FOLDER}/{min(missing)} is missing; {OFFICIAL}.")


def _read_meta(path: Path) -> tuple[list[str], int]:
    """Return the names of the classes and the number of images per batch."""
    for member in _batches(path, ("batches.meta",)):
        meta = unpickle(member.read(CIFAR_BATCH), member.where)
    with reading(path, f"an archive whose {FOLDER}/batches.meta names the classes", OFFICIAL):
        names, images = [_text(name) for name in meta["label_names"]], meta["num_cases_per_batch"]
        if not (
            0 < len(set(names)) == len(names) <= CLASSES and isinstance(images, int) and 0 < images <= CIFAR_IMAGES
        ):
            raise ValueError(f"{len(names)} names, {images!s:.20} images in a batch")
    return names, images


def _read_batch(member: Member, classes: int) -> Iterator[tuple[np.ndarray, int]]:
    """Yield pairs of uint8 (32, 32, 3) and label."""
    batch = unpickle(member.read(CIFAR_BATCH), member.where)
    pixels, labels = batch.get("data"), batch.get("labels")
    if (
        isinstance(pixels, np.ndarray)
        and isinstance(labels, list)
        and pixels.shape == (len(labels), 3 * SIDE**2)
        and all(isinstance(label, int) and 0 <= label < classes for label in labels)
    ):
        return zip(pixels.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1), labels, strict=True)
    raise ZfnetError(f"{member.where}: not a batch of {SIDE} x {SIDE} images with labels below {classes}; {OFFICIAL}.")


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def unpickle(data: bytes, where: str) -> dict[str, Any]:
    """Read a dict of plain values and uint8 arrays from a pickle of Python 2 or 3, without running its code.

    Parameters
    ----------
    data : the pickle
    where : its name in messages

    Returns
    -------
    The dict; its keys are str, other strings of Python 2 stay bytes.

    Raises
    ------
    ZfnetError
        It is not a pickle, not a dict, or contains anything but plain values and uint8 arrays.
    """
    with reading(where, "a pickle of CIFAR-10", OFFICIAL):
        return {_text(key): value for key, value in plain_pickle.load(data).items()}


def _text(value: str | bytes) -> str:
    if not isinstance(value, str | bytes):
        raise ValueError(f"a {type(value).__name__} in place of a name")
    return readable(value if isinstance(value, str) else value.decode("utf-8", "surrogateescape"))
