"""Embed images and files in the report as data: URLs."""

import base64
import io
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

LOSSLESS = 300_000  # bytes, up to which an image is a drawing and embedded losslessly
TYPES = {".csv": "text/csv", ".md": "text/markdown", ".tex": "application/x-tex", ".pdf": "application/pdf"}


class Weight(NamedTuple):
    """Limits of a page: a figure's width in pixels, the quality of WebP, and the bytes of an embedded file."""

    widest: int
    quality: int
    heaviest: int


USUAL, LIGHT = Weight(1800, 84, 1_000_000), Weight(720, 60, 8_000)


def embedded(path: Path, weight: Weight) -> dict[str, Any]:
    """Return an image as a data: URL in WebP with its size in pixels; drawings are lossless."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    if image.width > weight.widest:
        height = round(image.height * weight.widest / image.width)
        image = image.resize((weight.widest, height), Image.Resampling.LANCZOS)
    is_drawing = path.stat().st_size <= LOSSLESS
    data = _webp(image, lossless=True) if is_drawing else _webp(image, quality=weight.quality)
    return {"url": _url("image/webp", data), "width": image.width, "height": image.height}


def _webp(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", method=4, **options)
    return buffer.getvalue()


def downloads(folder: Path, stem: str, heaviest: int) -> list[dict[str, Any]]:
    """Return the existing formats of a table or figure (CSV, LaTeX, PDF …); `url` is None if one is too large."""
    paths = [path for suffix in TYPES if (path := folder / f"{stem}{suffix}").exists()]
    return [{"name": path.name, "folder": folder.name, "url": _carried(path, heaviest)} for path in paths]


def _carried(path: Path, heaviest: int) -> str | None:
    return _url(TYPES[path.suffix], path.read_bytes()) if path.stat().st_size <= heaviest else None


def _url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
