"""Pictures and files that travel inside the report, as data: URLs."""

import base64
import io
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

LOSSLESS = 300_000  # bytes of a drawing, which is embedded without loss
TYPES = {".csv": "text/csv", ".md": "text/markdown", ".tex": "application/x-tex", ".pdf": "application/pdf"}


class Weight(NamedTuple):
    """How heavy a page may be: pixels of the width of a figure, bytes of a file that it carries; others it names."""

    widest: int
    heaviest: int


USUAL, LIGHT = Weight(1800, 1_000_000), Weight(1000, 20_000)


def embedded(path: Path, widest: int) -> dict[str, Any]:
    """A picture as data: URL in WebP, with its size in pixels; drawings without loss."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    if image.width > widest:
        image = image.resize((widest, round(image.height * widest / image.width)), Image.Resampling.LANCZOS)
    data = _webp(image, lossless=True) if path.stat().st_size <= LOSSLESS else _webp(image, quality=84)
    return {"url": _url("image/webp", data), "width": image.width, "height": image.height}


def _webp(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", method=4, **options)
    return buffer.getvalue()


def downloads(folder: Path, stem: str, heaviest: int) -> list[dict[str, Any]]:
    """The forms of a table or figure (CSV, LaTeX, PDF …) that are there; `url` is None where one is too heavy."""
    paths = [path for suffix in TYPES if (path := folder / f"{stem}{suffix}").exists()]
    return [{"name": path.name, "folder": folder.name, "url": _carried(path, heaviest)} for path in paths]


def _carried(path: Path, heaviest: int) -> str | None:
    return _url(TYPES[path.suffix], path.read_bytes()) if path.stat().st_size <= heaviest else None


def _url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
