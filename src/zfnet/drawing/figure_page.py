"""Pages with placement in inches, vector text and images at their native resolution, byte for byte reproducible."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zfnet.core.files import atomic

WIDTH = 9.0  # inches
DPI = 200
INK = "#222222"
STYLE: dict[Any, Any] = {
    "text.parse_math": False,  # file and class names may contain dollar signs
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.edgecolor": "#888888",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.titlesize": 9,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "pdf.fonttype": 42,
    "figure.dpi": DPI,
}


class Page:
    """A page whose items are placed in inches from its top left corner."""

    def __init__(self, height: float, width: float = WIDTH) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width, height), facecolor="white")

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Add empty axes of this size."""
        bottom = self.height - top - height
        return self.figure.add_axes((left / self.width, bottom / self.height, width / self.width, height / self.height))

    def image(self, pixels: np.ndarray, left: float, top: float, width: float, **options: Any) -> Axes:
        """Add an image (h, w) or (h, w, 3) of this width, without ticks or frame; its height keeps the proportions."""
        axes = self.axes(left, top, width, width / aspect(pixels))
        axes.imshow(pixels, aspect="auto", **options)
        axes.set_axis_off()
        return axes

    def text(self, text: str, left: float, top: float, **options: Any) -> None:
        """Add text whose baseline is `top` inches below the upper edge."""
        self.figure.text(left / self.width, 1 - top / self.height, text, **options)


def aspect(pixels: np.ndarray) -> float:
    """Return the width of an image divided by its height."""
    return pixels.shape[1] / pixels.shape[0]


def row_height(images: Sequence[np.ndarray], width: float, gap: float) -> float:
    """Return the common height, in inches, of images that fill a row of this width with `gap` between them."""
    return (width - gap * (len(images) - 1)) / sum(map(aspect, images))


def save_figure(figure: Figure, out: str | Path) -> None:
    """Write a figure as PNG (antialiased where it is shrunk) and PDF (native pixels), without dates."""
    out = Path(out)
    _set_interpolation(figure, "antialiased")
    with atomic(out.with_suffix(".png")) as temporary:
        figure.savefig(temporary, dpi=DPI, metadata={"Software": None}, pil_kwargs={"compress_level": 4})
    _set_interpolation(figure, "none")
    with atomic(out.with_suffix(".pdf")) as temporary:
        figure.savefig(temporary, metadata={"CreationDate": None, "Producer": None, "Creator": "zfnet"})


def _set_interpolation(figure: Figure, interpolation: str) -> None:
    for axes in figure.axes:
        for image in axes.images:
            image.set_interpolation(interpolation)
