"""Image files as a data set: files and folders of images, without shards, labels or an archive.

For the user's own images. They are decoded on demand (`zfnet.data.own_images`: upright, in many formats) and prepared
as shards are (shorter side to S, centre square). Files that are left out, or cannot be decoded, are reported once.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from zfnet.core.errors import ZfnetError
from zfnet.data.image_search import FoundImages
from zfnet.data.loader import Batch
from zfnet.data.own_images import SUFFIXES, decode_own, readable
from zfnet.data.readers.images import DamagedImage
from zfnet.data.resize import centre_square, short_side


class ImageFolder:
    """Image files with the interface of `Shards`.

    Parameters
    ----------
    places : files, of any name, and folders, searched recursively for images by their suffixes.
    size : side S of the squares, pixels.

    Attributes
    ----------
    paths : every file, in the order of the places; those of a folder are sorted.
    left_out : file or folder -> reason, for what the folders hold besides images.
    damaged : file -> reason, for the files that could not be decoded so far.

    Raises
    ------
    ZfnetError
        A place does not exist, or a folder holds no image.
    """

    def __init__(self, places: Iterable[str | Path], size: int) -> None:
        self.size = size
        self.left_out: dict[str, str] = {}
        self.paths = [path for place in places for path in self._find(Path(place))]
        self.damaged: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def keys(self) -> list[str]:
        """Path of each file, as readable text."""
        return [readable(path) for path in self.paths]

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
            raise ZfnetError(f"None of {len(indices)} images could be decoded, first {self.keys[indices[0]]}.")

    def squares(self, indices: Sequence[int] | np.ndarray, threads: int = 2) -> torch.Tensor:
        """Return the centre squares of the images `indices`: uint8 (B, S, S, 3)."""
        return next(self.batches(indices, max(1, len(indices)), threads)).images

    def _square(self, index: int) -> np.ndarray | None:
        path = self.paths[index]
        try:
            return centre_square(short_side(decode_own(path, self.size), self.size), self.size)
        except DamagedImage as damage:
            self._report(path, damage.reason)
        except OSError as error:
            self._report(path, error.strerror or str(error))
        return None

    def _report(self, path: Path, reason: str) -> None:
        name = readable(path)
        if name not in self.damaged:
            self.damaged[name] = reason
            print(f"zfnet: {name} is skipped: {reason}.", file=sys.stderr)

    def _find(self, place: Path) -> list[Path]:
        if place.is_dir():
            found = FoundImages(place)
            self.left_out |= found.left_out
            _report_left_out(place, found.left_out)
            if found.paths:
                return found.paths
            raise ZfnetError(f"{readable(place)}: holds no images ({', '.join(sorted(SUFFIXES))}).")
        if not place.exists():
            raise ZfnetError(f"{readable(place)}: no such file or folder; expected an image or a folder of images.")
        return [place]


def _report_left_out(place: Path, left_out: Mapping[str, str]) -> None:
    """Print a line for each reason, with the number of files and the first of them."""
    for reason, count in Counter(left_out.values()).items():
        first = next(name for name, found in left_out.items() if found == reason)
        more = f" and {count - 1} more" if count > 1 else ""
        print(f"zfnet: {readable(place)}: left out {first}{more}: {reason}.", file=sys.stderr)


def _batch(squares: list[np.ndarray], indices: list[int]) -> Batch:
    images = torch.from_numpy(np.stack(squares))
    return Batch(images, torch.full((len(indices),), -1), torch.tensor(indices))
