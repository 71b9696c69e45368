"""Image files as a data set: files and folders of images, without shards, labels or an archive.

For the user's own images. They are decoded on demand and prepared as shards are (shorter side to S, centre square).
Files that cannot be decoded are reported once and skipped.
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
    """Image files with the interface of `Shards`.

    Parameters
    ----------
    places : files, of any name, and folders, searched recursively for images by their file names.
    size : side S of the squares, pixels.

    Attributes
    ----------
    paths : every file, in the order of the places; those of a folder are sorted.
    damaged : file -> reason, for the files that could not be decoded so far.

    Raises
    ------
    ZfnetError
        A place does not exist, or a folder holds no image.
    """

    def __init__(self, places: Iterable[str | Path], size: int) -> None:
        self.paths = [path for place in places for path in _image_files(Path(place))]
        self.size = size
        self.damaged: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def keys(self) -> list[str]:
        """Path of each file."""
        return [str(path) for path in self.paths]

    @property
    def labels(self) -> np.ndarray:
        """Label of each image: int64 (N,), all -1, which means none."""
        return np.full(len(self), -1, np.int64)

    def batches(self, indices: Sequence[int] | np.ndarray, batch: int, threads: int = 2) -> Iterator[Batch]:
        """Decode the images `indices` in this order, at most `batch` at a time; damaged ones are skipped.

        Raises
        ------
        ZfnetError
            At the end, if none of them could be decoded.
        """
        indices, decoded = np.array(indices, np.int64), 0
        with ThreadPoolExecutor(threads, "decode") as pool:
            for start in range(0, len(indices), batch):
                part = indices[start : start + batch]
                results = zip(part.tolist(), pool.map(self._square, part), strict=True)
                good = [(index, square) for index, square in results if square is not None]
                decoded += len(good)
                if good:
                    yield _batch([square for _, square in good], [index for index, _ in good])
        if len(indices) and not decoded:
            raise ZfnetError(f"None of {len(indices)} images could be decoded, first {self.paths[indices[0]]}.")

    def squares(self, indices: Sequence[int] | np.ndarray, threads: int = 2) -> torch.Tensor:
        """Return the centre squares of the images `indices`: uint8 (B, S, S, 3)."""
        return next(self.batches(indices, max(1, len(indices)), threads)).images

    def _square(self, index: int) -> np.ndarray | None:
        path = self.paths[index]
        try:
            return centre_square(short_side(decode(path.read_bytes(), path.name), self.size), self.size)
        except DamagedImage as damage:
            self._report(path, damage.reason)
        except OSError as error:
            self._report(path, error.strerror or str(error))
        return None

    def _report(self, path: Path, reason: str) -> None:
        if self.damaged.setdefault(str(path), reason) is reason:
            print(f"zfnet: {path} is skipped: {reason}.", file=sys.stderr)


def _image_files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise ZfnetError(f"{place}: no such file or folder; expected an image or a folder of images.")
    files = sorted(path for path in place.rglob("*") if is_image(path.name) and path.is_file())
    if not files:
        raise ZfnetError(f"{place}: holds no images ({', '.join(SUFFIXES)}).")
    return files


def _batch(squares: list[np.ndarray], indices: list[int]) -> Batch:
    images = torch.from_numpy(np.stack(squares))
    return Batch(images, torch.full((len(indices),), -1), torch.tensor(indices))
