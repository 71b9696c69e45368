"""Pictures for the transfer tests."""

import io

import numpy as np
from PIL import Image


def scene(seed: int, height: int = 60, width: int = 80) -> np.ndarray:
    """Draw a smooth random picture, uint8 (height, width, 3)."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (7, 9, 3), dtype=np.uint8))
    return np.asarray(coarse.resize((width, height), Image.BICUBIC))


def encoded(image: np.ndarray, quality: int = 92) -> bytes:
    """Encode as JPEG."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return file.getvalue()


def recompressed(image: np.ndarray, size: tuple[int, int], quality: int = 60) -> np.ndarray:
    """Resize to (width, height), encode badly, decode."""
    small = np.asarray(Image.fromarray(image).resize(size, Image.BILINEAR))
    return np.asarray(Image.open(io.BytesIO(encoded(small, quality))))


def cropped(image: np.ndarray, share: float = 0.04) -> np.ndarray:
    """Cut a share of height and width off each side."""
    top, left = round(image.shape[0] * share), round(image.shape[1] * share)
    return image[top : len(image) - top, left : image.shape[1] - left]
