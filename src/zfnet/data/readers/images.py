"""One image of an archive: its record, and its decoding to RGB.

Images are untrusted input: their size is read from the header before any pixel is decoded, only four formats are
accepted, and anything that cannot be decoded is reported. As in the original work, the EXIF orientation is *not*
applied, colour profiles are not used, and an alpha channel is dropped rather than blended.
"""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import basename
from typing import Any

import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError

from zfnet.core.parsing import reason
from zfnet.data.readers import limits
from zfnet.data.readers.names import key_part
from zfnet.data.readers.skipped import Skipped
from zfnet.settings import Data

MAX_PIXELS = Data().max_pixels
SUFFIXES = (".jpg", ".jpeg", ".png")
MAX_SIDE = limits.MAX_SIDE
ORIENTATION = 0x0112  # EXIF tag
FORMATS = ("JPEG", "PNG", "GIF", "BMP")  # by content: ImageNet has a PNG named .JPEG
JPEG, START_OF_SCAN = b"\xff\xd8", b"\xff\xda"  # markers
_LARGE = threading.Lock()
Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit, lower than data.max_pixels may be; `decode` checks before decoding


class DamagedImage(Exception):  # noqa: N818 - counted, not a failure of the program
    """An image that cannot be decoded; `reason` says why."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class EncodedImage:
    """One image as stored in its archive.

    key : unique within a data set, [A-Za-z0-9_/-]+, such as "n01440764/n01440764_10026"
    label : index into the classes of its source; -1 where there is none
    data : the encoded bytes, unchanged
    source : "archive.tar: member", for messages
    annotation : JSON-serialisable (the objects of PASCAL VOC)
    """

    key: str
    label: int
    data: bytes
    source: str
    annotation: dict[str, Any] | None = None


@dataclass
class Source:
    """A data set in its official archives.

    classes : id of each label (WordNet id, folder name); words : id -> readable name
    archives : the files and folders it is read from
    images : reads the archives once per call, in their own order
    expected : exact number of images, if known beforehand (for ImageNet from the devkit); nothing else reveals a
        folder that was copied only in part
    skipped : what the last complete pass of `images` passed over
    """

    name: str
    classes: list[str]
    words: dict[str, str]
    archives: list[Path]
    images: Callable[[], Iterator[EncodedImage]]
    expected: int | None = None
    skipped: Skipped = field(default_factory=Skipped)


def is_image(name: str) -> bool:
    """Return whether a file name is that of an image, and not of a hidden companion written by macOS."""
    return name.lower().endswith(SUFFIXES) and not basename(name).startswith(".")


def make_key(*parts: str) -> str:
    """Join names with "/" to a key; `zfnet.data.readers.names` says what becomes of strange characters."""
    return "/".join(map(key_part, parts))


def decode(data: bytes, name: str = "image", max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode an image to RGB.

    Parameters
    ----------
    data : JPEG, PNG, GIF (first frame) or BMP; grey, palette, 16-bit and CMYK images become RGB
    name : what the reason calls the image
    max_pixels : images whose header announces more pixels are refused before decoding

    Returns
    -------
    uint8 (H, W, 3), RGB

    Raises
    ------
    DamagedImage
        `data` is empty, of an unknown format, truncated, or too large.
    """
    if not data:
        raise DamagedImage(f"{name} is empty")
    try:
        return _decode_jpeg(data, name, max_pixels)
    except DamagedImage:
        raise
    except Exception:  # not a JPEG, or an unusual or flawed one: PIL handles more of them
        return _decode_any(data, name, max_pixels)


def read_size(data: bytes, name: str = "image", max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Return height and width of an encoded image from its header, as `decode` would return them.

    Raises
    ------
    DamagedImage
        `data` is empty, of an unknown format or too large. Damage after the header is found only by `decode`.
    """
    if not data:
        raise DamagedImage(f"{name} is empty")
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(data)
    except Exception:  # an unknown subsampling is a KeyError
        with _opened(data, name, max_pixels) as image:
            return image.height, image.width
    _check_size(height, width, name, max_pixels)
    return height, width


def is_turned(data: bytes) -> bool:
    """Return whether EXIF says that the stored image is to be turned or mirrored before it is shown."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return image.getexif().get(ORIENTATION, 1) not in (0, 1)
    except Exception:  # damaged EXIF says nothing
        return False


def _decode_jpeg(data: bytes, name: str, max_pixels: int) -> np.ndarray:
    """Decode an ordinary JPEG: twice as fast as PIL, releasing the GIL, and bit-identical to it."""
    height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    _check_size(height, width, name, max_pixels)
    _check_scans(data, height * width, name, max_pixels)
    if colours in ("CMYK", "YCCK"):
        raise ValueError(colours)  # Adobe inverts these, which PIL handles
    with _turn(height * width):
        return simplejpeg.decode_jpeg(data, "RGB")


def _decode_any(data: bytes, name: str, max_pixels: int) -> np.ndarray:
    with _opened(data, name, max_pixels) as image:
        _check_scans(data, image.height * image.width, name, max_pixels)
        with _turn(image.height * image.width):
            return _to_rgb(image)


def _turn(pixels: int) -> AbstractContextManager[Any]:
    """Let one large image be decoded at a time, so that the memory of several threads does not add up."""
    return _LARGE if pixels > limits.LARGE_IMAGE else nullcontext()


@contextmanager
def _opened(data: bytes, name: str, max_pixels: int) -> Iterator[Image.Image]:
    """Open with PIL, whose plugins may raise almost anything on hostile input."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(image.height, image.width, name, max_pixels)
            yield image
    except DamagedImage:
        raise
    except Exception as error:
        raise DamagedImage(f"{name} cannot be decoded ({_reason(error)})") from None


def _to_rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I"):  # 16-bit grey, which PIL would clip at 255
        grey = np.array(image)
        grey >>= 8
        return np.repeat(grey.clip(0, 255, out=grey).astype(np.uint8)[..., None], 3, axis=2)
    return np.asarray(image.convert("RGB"))


def _check_size(height: int, width: int, name: str, max_pixels: int) -> None:
    if height * width > max_pixels:
        raise DamagedImage(f"{name} would have {width} x {height} pixels, more than the limit of {max_pixels}")
    if max(height, width) > MAX_SIDE:
        raise DamagedImage(f"{name} would have {width} x {height} pixels, more than {MAX_SIDE} on a side")


def _check_scans(data: bytes, pixels: int, name: str, max_pixels: int) -> None:
    """Refuse a JPEG whose progressive scans would take minutes: each may visit every pixel again.

    Within the data of a scan no marker can occur; a thumbnail in the header adds a few.
    """
    scans = data.count(START_OF_SCAN) if data.startswith(JPEG) else 0
    if scans > limits.SCANS or scans * pixels > limits.SCANNED * max_pixels:
        raise DamagedImage(f"{name} has {scans} scans, more than any encoder writes for {pixels} pixels")


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):  # its message contains the address of a buffer
        return f"its format is none of {', '.join(FORMATS)}"
    return reason(error)
