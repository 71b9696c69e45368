"""Loose pictures as a data set: files and folders of pictures, without shards, labels or an archive.

For looking at pictures of one's own. They are decoded when they are asked for and prepared as shards are (shorter side
to S, centre square). What cannot be decoded is named once and left out, wherever it comes up.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from zfnet.core.errors import ZfnetError
from zfnet.data.loader import Batch
from zfnet.data.readers.images import SUFFIXES, DamagedImage, decode, is_image
from zfnet.data.resize import centre_square, short_side


class ImageFolder:
    """Pictures in files, read as `Shards` are.

    Parameters
    ----------
    places : files, of any name, and folders, in which pictures are found by their names, at any depth.
    size : side S of the squares, pixels.

    Attributes
    ----------
    paths : every file, in order of the places; a folder's sorted.
    damaged : file -> why it could not be decoded, of those met so far.

    Raises
    ------
    ZfnetError
        A place does not exist, or there is no picture in a folder.
    """

    def __init__(self, places: Iterable[str | Path], size: int) -> None:
        self.paths = [path for place in places for path in _pictures(Path(place))]
        self.size = size
        self.damaged: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def keys(self) -> list[str]:
        """The files' names, with their folders."""
        return [str(path) for path in self.paths]

    @property
    def labels(self) -> np.ndarray:
        """No labels: int64 (N,), all -1."""
        return np.full(len(self), -1, np.int64)

    def batches(self, indices: Sequence[int] | np.ndarray, batch: int, threads: int = 2) -> Iterator[Batch]:
        """Decode the pictures `indices` in this order, at most `batch` at a time; damaged ones are left out.

        Raises
        ------
        ZfnetError
            At the end, if not one of them could be decoded.
        """
        indices, found = np.array(indices, np.int64), 0
        with ThreadPoolExecutor(threads, "decode") as pool:
            for start in range(0, len(indices), batch):
                part = indices[start : start + batch]
                squares = {int(index): square for index, square in zip(part, pool.map(self._square, part), strict=True)}
                good = [index for index in part.tolist() if squares[index] is not None]
                found += len(good)
                if good:
                    yield _batch([squares[index] for index in good], good)
        if len(indices) and not found:
            raise ZfnetError(f"None of {len(indices)} pictures could be decoded, {self.paths[indices[0]]} the first.")

    def squares(self, indices: Sequence[int] | np.ndarray, threads: int = 2) -> torch.Tensor:
        """Centre squares of the pictures `indices`: uint8 (B, S, S, 3)."""
        return next(self.batches(indices, max(1, len(indices)), threads)).images

    def _square(self, index: int) -> np.ndarray | None:
        path = self.paths[index]
        try:
            return centre_square(short_side(decode(path.read_bytes(), path.name), self.size), self.size)
        except DamagedImage as damage:
            self._tell(path, damage.reason)
        except OSError as error:
            self._tell(path, error.strerror or str(error))
        return None

    def _tell(self, path: Path, reason: str) -> None:
        if self.damaged.setdefault(str(path), reason) is reason:
            print(f"zfnet: {path} is left out: {reason}.", file=sys.stderr)


def _pictures(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise ZfnetError(f"{place}: no such file or folder; expected a picture or a folder of pictures.")
    found = sorted(path for path in place.rglob("*") if is_image(path.name) and path.is_file())
    if not found:
        raise ZfnetError(f"{place}: holds no pictures ({', '.join(SUFFIXES)}).")
    return found


def _batch(squares: list[np.ndarray], indices: list[int]) -> Batch:
    images = torch.from_numpy(np.stack(squares))
    return Batch(images, torch.full((len(indices),), -1), torch.tensor(indices))
