"""CIFAR-10 (for Krizhevsky's Figure 1), from the official pickles, without unpickling anything.

A pickle can run any code. Of the official ones only bytes, text, numbers, lists, dicts and one array are wanted, so the
unpickler here knows four names and builds harmless records in place of numpy's objects; any other name is refused.
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
OFFICIAL = "expected cifar-10-python.tar.gz of Krizhevsky's page"
SIDE = 32  # pixels


def cifar10(path: Path, part: str = "train") -> Source:
    """Open CIFAR-10.

    Parameters
    ----------
    path : cifar-10-python.tar.gz or the extracted folder
    part : "train" or "test"

    Returns
    -------
    Pictures as PNG, 32 x 32, without loss.

    Raises
    ------
    ZfnetError
        The archive is missing, damaged or another one, or a pickle holds something else than pictures and labels.
    """
    path = Path(path)
    classes, per_batch = _read_meta(path)

    def pictures() -> Iterator[EncodedImage]:
        for member in _batches(path, BATCHES[part]):
            for number, (pixels, label) in enumerate(_read_batch(member, len(classes))):
                yield EncodedImage(
                    make_key(member.stem, f"{number:05d}"), label, _png(pixels), f"{member.where}[{number}]"
                )

    words = {name: name for name in classes}
    return Source(f"cifar10-{part}", classes, words, [path], pictures, per_batch * len(BATCHES[part]))


def _batches(path: Path, wanted: tuple[str, ...]) -> Iterator[Member]:
    """The wanted members of the folder, in the archive's order; all of them, or an error at the end."""
    missing = set(wanted)
    for member in members(path):
        if member.parts[-2:-1] == (FOLDER,) and member.parts[-1] in missing:
            missing.remove(member.parts[-1])
            yield member
    if missing:
        raise ZfnetError(f"{path}: {FOLDER}/{min(missing)} is missing; {OFFICIAL}.")


def _read_meta(path: Path) -> tuple[list[str], int]:
    """The names of the classes and the number of pictures in a batch."""
    for member in _batches(path, ("batches.meta",)):
        meta = unpickle(member.read(), member.where)
    try:
        return [_text(name) for name in meta["label_names"]], int(meta["num_cases_per_batch"])
    except (KeyError, TypeError, ValueError):
        raise ZfnetError(f"{path}: {FOLDER}/batches.meta has no names of classes; {OFFICIAL}.") from None


def _read_batch(member: Member, classes: int) -> Iterator[tuple[np.ndarray, int]]:
    """Pairs of uint8 (32, 32, 3) and label."""
    batch = unpickle(member.read(), member.where)
    pixels, labels = batch.get("data"), batch.get("labels")
    fits = isinstance(pixels, np.ndarray) and isinstance(labels, list) and pixels.shape == (len(labels), 3 * SIDE**2)
    if not fits or not all(isinstance(label, int) and 0 <= label < classes for label in labels):
        raise ZfnetError(
            f"{member.where}: no batch of {SIDE} x {SIDE} pictures with labels below {classes}; {OFFICIAL}."
        )
    return zip(pixels.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1), labels, strict=True)


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


# Pickles --------------------------------------------------------------------------------------------------------------


def unpickle(data: bytes, where: str) -> dict[str, Any]:
    """Read a dict of plain values and uint8 arrays from a pickle of Python 2 or 3, running nothing of it.

    Parameters
    ----------
    data : the pickle
    where : what to call it in messages

    Returns
    -------
    The dict; keys are str, other texts of Python 2 stay bytes.

    Raises
    ------
    ZfnetError
        It is no pickle, no dict, or asks for anything but a uint8 array.
    """
    try:
        values = _Unpickler(io.BytesIO(data), encoding="bytes").load()
        return {_text(key): _value(value) for key, value in values.items()}
    except Exception as error:  # a forged pickle can make the unpickler raise anything
        raise ZfnetError(f"{where}: not a pickle of CIFAR-10 ({error}); {OFFICIAL}.") from None


class _Dtype:
    """Stands for numpy.dtype."""

    def __init__(self, code: str | bytes, *_: Any):
        self.code = _text(code)

    def __setstate__(self, state: Any) -> None:
        """Byte order and the like, which uint8 has not."""


class _Array:
    """Stands for numpy.ndarray: what is needed to make one."""

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
    """Bytes in a pickle of Python 3 that is meant for Python 2."""
    return text.encode("latin-1")


# numpy 2 says numpy._core; the class itself is only ever an argument of _reconstruct
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
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return NAMES[f"{module} {name}"]


def _value(value: Any) -> Any:
    return value.array() if isinstance(value, _Array) else value


def _text(value: str | bytes) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
