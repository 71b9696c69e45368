"""One picture of an archive: its record, and its decoding to RGB.

Pictures are untrusted input: their size is read from the header before any pixel is decoded, only four formats are
tried, and whatever cannot be decoded is reported, never guessed. As in the original work the EXIF orientation is *not*
applied, colour profiles are not used, and an alpha channel is dropped rather than blended.
"""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from posixpath import basename
from typing import Any

import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError

from zfnet.settings import Data

PIXEL_LIMIT = Data().max_pixels
SUFFIXES = (".jpg", ".jpeg", ".png")
FORMATS = ("JPEG", "PNG", "GIF", "BMP")  # by content: ImageNet has a PNG named .JPEG


class DamagedImage(Exception):  # noqa: N818 - a finding about one picture, to be counted, not a failure of the work
    """A picture that cannot be decoded. `reason` says why, in words that fit behind a colon."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class EncodedImage:
    """One picture as it is in its archive.

    key : unique within a data set, [A-Za-z0-9_/-]+, such as "n01440764/n01440764_10026"
    label : index into the classes of its source; -1 where there is none
    data : the encoded bytes, untouched
    source : "archive.tar: member", for messages
    annotation : what JSON can hold (the objects of PASCAL VOC)
    """

    key: str
    label: int
    data: bytes
    source: str
    annotation: dict[str, Any] | None = None


@dataclass
class Source:
    """A data set in its official archives.

    classes : id of each label (WordNet id, folder name); words : id -> name for people
    archives : the files and folders it is read from
    pictures : each call reads the archives once, in their own order
    expected : number of pictures, where it is told beforehand (for ImageNet by the devkit): exact, since a folder that
        was copied in part shows in nothing else
    """

    name: str
    classes: list[str]
    words: dict[str, str]
    archives: list[Path]
    pictures: Callable[[], Iterator[EncodedImage]]
    expected: int | None = None


def is_image(name: str) -> bool:
    """Tell by its name whether an archive's member is a picture (and not one of the hidden twins macOS writes)."""
    return name.lower().endswith(SUFFIXES) and not basename(name).startswith(".")


def make_key(*parts: str) -> str:
    """Join `parts` by "/", with every character a key may not have replaced by "_"."""
    return "/".join(re.sub(r"[^A-Za-z0-9_-]", "_", part) for part in parts)


def decode(data: bytes, name: str = "picture", pixel_limit: int = PIXEL_LIMIT) -> np.ndarray:
    """Decode an encoded picture.

    Parameters
    ----------
    data : JPEG, PNG, GIF (first frame) or BMP; grey, palette, 16-bit and CMYK ones become RGB
    name : what to call the picture in the reason
    pixel_limit : pictures whose header promises more pixels are refused before decoding

    Returns
    -------
    uint8 (H, W, 3), RGB

    Raises
    ------
    DamagedImage
        `data` is empty, of no known format, cut off, or too large.
    """
    if not data:
        raise DamagedImage(f"{name} is empty")
    try:
        return _decode_jpeg(data, name, pixel_limit)
    except ValueError:  # not a JPEG, not an ordinary one, or one with flaws: PIL knows more kinds and flaws
        return _decode_any(data, name, pixel_limit)


def read_size(data: bytes, name: str = "picture", pixel_limit: int = PIXEL_LIMIT) -> tuple[int, int]:
    """Read height and width of an encoded picture from its header, as `decode` would find them.

    Raises
    ------
    DamagedImage
        `data` is empty, of no known format or too large; what is wrong behind the header only `decode` can tell.
    """
    if not data:
        raise DamagedImage(f"{name} is empty")
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        with _opened(data, name, pixel_limit) as image:
            return image.height, image.width
    _check_size(height, width, name, pixel_limit)
    return height, width


def _decode_jpeg(data: bytes, name: str, pixel_limit: int) -> np.ndarray:
    """Decode an ordinary JPEG: twice as fast as PIL, without the interpreter's lock, and equal to it bit for bit."""
    height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    _check_size(height, width, name, pixel_limit)
    if colours in ("CMYK", "YCCK"):
        raise ValueError(colours)  # Adobe writes these inverted, which PIL knows
    return simplejpeg.decode_jpeg(data, "RGB")


def _decode_any(data: bytes, name: str, pixel_limit: int) -> np.ndarray:
    with _opened(data, name, pixel_limit) as image:
        return _to_rgb(image)


@contextmanager
def _opened(data: bytes, name: str, pixel_limit: int) -> Iterator[Image.Image]:
    """Open with PIL. Its plugins raise almost anything on hostile input, so almost anything is caught."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(image.height, image.width, name, pixel_limit)
            yield image
    except (DamagedImage, MemoryError):
        raise
    except Exception as error:
        raise DamagedImage(f"{name} cannot be decoded ({_reason(error)})") from None


def _to_rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I"):  # 16-bit grey, which PIL would clip at 255
        grey = (np.asarray(image) >> 8).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    return np.asarray(image.convert("RGB"))


def _check_size(height: int, width: int, name: str, pixel_limit: int) -> None:
    if height * width > pixel_limit:
        raise DamagedImage(f"{name} would have {width} x {height} pixels, more than the limit of {pixel_limit}")


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):  # its text shows the address of a buffer
        return f"its bytes are none of {', '.join(FORMATS)}"
    return str(error) or type(error).__name__
