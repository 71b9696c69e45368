"""CIFAR-10 (for Krizhevsky's Figure 1), read from the official pickles without running any of their code.

A pickle can run arbitrary code. The official ones contain only bytes, text, numbers, lists, dicts and one array, so
the unpickler here allows only the names these need, builds inert stand-ins for numpy's objects, and refuses any other
name.
"""

import io
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zfnet.core.errors import ZfnetError
from zfnet.data.readers.images import EncodedImage, Source, make_key
from zfnet.data.readers.members import Member, members

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
        meta = unpickle(member.read(), member.where)
    try:
        return [_text(name) for name in meta["label_names"]], int(meta["num_cases_per_batch"])
    except (KeyError, TypeError, ValueError):
        raise ZfnetError(f"{path}: {FOLDER}/batches.meta does not name the classes; {OFFICIAL}.") from None


def _read_batch(member: Member, classes: int) -> Iterator[tuple[np.ndarray, int]]:
    """Yield pairs of uint8 (32, 32, 3) and label."""
    batch = unpickle(member.read(), member.where)
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


# Pickles --------------------------------------------------------------------------------------------------------------


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
    try:
        values = _Unpickler(io.BytesIO(data), encoding="bytes").load()
        return {_text(key): _value(value) for key, value in values.items()}
    except Exception as error:  # a forged pickle can make the unpickler raise anything
        raise ZfnetError(f"{where}: not a pickle of CIFAR-10 ({error}); {OFFICIAL}.") from None


class _Dtype:
    """Stand-in for numpy.dtype."""

    def __init__(self, code: str | bytes, *_: Any):
        self.code = _text(code)

    def __setstate__(self, state: Any) -> None:
        """Ignore byte order and the like, which uint8 does not have."""


class _Array:
    """Stand-in for numpy.ndarray that holds what is needed to build one."""

    def __setstate__(self, state: tuple[int, tuple[int, ...], _Dtype, bool, bytes]) -> None:
        _, self.shape, self.dtype, self.fortran, self.data = state

    def array(self) -> np.ndarray:
        if self.dtype.code not in ("u1", "uint8"):
            raise pickle.UnpicklingError(f"an array of {self.dtype.code}, expected uint8")
        return np.frombuffer(self.data, np.uint8).reshape(self.shape, order="F" if self.fortran else "C")


def _new_array(*_: Any) -> _Array:
    return _Array()


def _from_buffer(data: bytes, dtype: _Dtype, shape: tuple[int, ...], order: str) -> _Array:
    array = _Array()
    array.__setstate__((1, shape, dtype, order == "F", data))
    return array


def _encode(text: str, *_: Any) -> bytes:
    """Rebuild bytes that Python 3 pickled for Python 2."""
    return text.encode("latin-1")


# numpy 2 says numpy._core; ndarray itself is only ever an argument of _reconstruct
NAMES = {
    "numpy dtype": _Dtype,
    "numpy ndarray": None,
    "_codecs encode": _encode,
    **{f"numpy.{core}.multiarray _reconstruct": _new_array for core in ("core", "_core")},
    **{f"numpy.{core}.numeric _frombuffer": _from_buffer for core in ("core", "_core")},
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if f"{module} {name}" not in NAMES:
            raise pickle.UnpicklingError(f"it uses {module}.{name}")
        return NAMES[f"{module} {name}"]


def _value(value: Any) -> Any:
    return value.array() if isinstance(value, _Array) else value


def _text(value: str | bytes) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
