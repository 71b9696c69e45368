"""Images of one's own: photographs of phones, screenshots, downloads. More formats than in the archives, and upright.

The archives are decoded as in 2012 (`zfnet.data.readers.images`). Images of one's own are shown as their owner sees
them: turned as their EXIF orientation says, transparent ones laid on white, of several frames or pages the first.
Files are untrusted input: sizes are checked in the header before any pixel is decoded.
"""

import io
import os
import stat
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, features

from zfnet.core.errors import first_line
from zfnet.data.readers.images import MAX_PIXELS, DamagedImage, decode

FORMATS = tuple(
    name
    for name, module in (
        *((name, None) for name in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "PPM")),
        *(("WEBP", "webp"), ("AVIF", "avif"), ("JPEG2000", "jpg_2000")),
    )
    if module is None or features.check(module)
)
SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".avif"),
    *(".jp2", ".ppm", ".pgm"),
}
UNREADABLE = {  # suffix -> what to do
    **dict.fromkeys((".heic", ".heif"), "HEIC, the format of iPhones, cannot be read; export it as JPEG"),
    **dict.fromkeys((".svg", ".pdf", ".eps"), "a drawing, not pixels; export it as PNG"),
    **dict.fromkeys((".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".psd"), "a raw format; export it as JPEG"),
}
BACKGROUND = (255, 255, 255)  # under transparent pixels
MAX_SIDE = 65_500  # pixels, of the image and after resizing
MAX_BYTES = 1 << 30  # of a file
_TURNS = {  # EXIF orientation -> quarter turns against the clock after a mirroring left to right
    **{2: (0, True), 3: (2, False), 4: (2, True)},
    **{5: (1, True), 6: (3, False), 7: (3, True), 8: (1, False)},
}


def decode_own(path: Path, size: int) -> np.ndarray:
    """Decode a file for a shorter side of `size` pixels: uint8 (H, W, 3), RGB, upright, at its own size.

    Raises
    ------
    DamagedImage
        It is no image that can be read, damaged, or too large.
    OSError
        The file cannot be read.
    """
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise DamagedImage("it is no file")
    if state.st_size > MAX_BYTES:
        raise DamagedImage(f"it is larger than {MAX_BYTES >> 20} MB")
    data = path.read_bytes()
    if not data:
        raise DamagedImage("it is empty")
    try:
        return _decode(data, size)
    except DamagedImage:
        raise
    except Exception as error:  # Pillow's plugins raise almost anything
        raise DamagedImage(UNREADABLE.get(path.suffix.lower()) or _reason(error)) from None


def _decode(data: bytes, size: int) -> np.ndarray:
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        _check_size(image.width, image.height, size)
        if image.format != "JPEG":
            return _to_rgb(image)
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    quarters, mirrored = _TURNS.get(orientation, (0, False))
    pixels = decode(data)
    return np.ascontiguousarray(np.rot90(pixels[:, ::-1] if mirrored else pixels, quarters))


def _check_size(width: int, height: int, size: int) -> None:
    if width * height > MAX_PIXELS:
        raise DamagedImage(f"it would have {width} x {height} pixels, more than the limit of {MAX_PIXELS}")
    if max(width, height) > MAX_SIDE:
        raise DamagedImage(f"it would have {width} x {height} pixels, more than {MAX_SIDE} on a side")
    if max(width, height) * size > MAX_SIDE * min(width, height):
        raise DamagedImage(f"it is too narrow ({width} x {height}) for a shorter side of {size} pixels")


def _to_rgb(image: Image.Image) -> np.ndarray:
    if image.mode == "F":
        raise DamagedImage("its pixels are floating-point numbers without a range; save it with 8 or 16 bits")
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow would clip at 255
        grey = (np.asarray(ImageOps.exif_transpose(image)) >> 8).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    upright = ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        layer = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", layer.size, (*BACKGROUND, 255)), layer)
    return np.array(upright.convert("RGB"))


def _reason(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):  # its message contains the address of a buffer
        return f"its format is none of {', '.join(FORMATS)}"
    return "it needs too much memory" if isinstance(error, MemoryError) else first_line(error)[:200]


def readable(path: str | Path) -> str:
    r"""Return a path as text for tables and terminals: bytes that are no UTF-8, and control characters, as \xe9."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
