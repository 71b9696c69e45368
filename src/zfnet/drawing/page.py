"""Pages: things placed in inches, text as vectors, images at their native pixels, the same bytes every time."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zfnet.core.files import atomic

WIDTH = 9.0  # inches
DPI = 200
INK = "#222222"
STYLE = {
    "text.parse_math": False,  # names of files and classes may have dollars
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
    """A page on which things are placed in inches from its top left corner."""

    def __init__(self, height: float, width: float = WIDTH) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width, height), facecolor="white")

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Empty axes of this size."""
        bottom = self.height - top - height
        return self.figure.add_axes((left / self.width, bottom / self.height, width / self.width, height / self.height))

    def picture(self, pixels: np.ndarray, left: float, top: float, width: float, **options: object) -> Axes:
        """A picture (h, w) or (h, w, 3) of this width, its height follows; no ticks, no frame."""
        axes = self.axes(left, top, width, width / aspect(pixels))
        axes.imshow(pixels, aspect="auto", **options)
        axes.set_axis_off()
        return axes

    def text(self, text: str, left: float, top: float, **options: object) -> None:
        """A text whose baseline stands `top` inches below the upper edge."""
        self.figure.text(left / self.width, 1 - top / self.height, text, **options)


def aspect(pixels: np.ndarray) -> float:
    """Width of a picture divided by its height."""
    return pixels.shape[1] / pixels.shape[0]


def row_height(pictures: Sequence[np.ndarray], width: float, gap: float) -> float:
    """Common height of pictures that fill a row of this width with `gap` between them, inches."""
    return (width - gap * (len(pictures) - 1)) / sum(map(aspect, pictures))


def save_figure(figure: Figure, out: str | Path) -> None:
    """Write a figure as PNG (smoothed where it is shrunk) and PDF (native pixels), without dates."""
    out = Path(out)
    _smooth(figure, "antialiased")
    with atomic(out.with_suffix(".png")) as beside:
        figure.savefig(beside, dpi=DPI, metadata={"Software": None}, pil_kwargs={"compress_level": 4})
    _smooth(figure, "none")
    with atomic(out.with_suffix(".pdf")) as beside:
        figure.savefig(beside, metadata={"CreationDate": None, "Producer": None, "Creator": "zfnet"})


def _smooth(figure: Figure, interpolation: str) -> None:
    for axes in figure.axes:
        for image in axes.images:
            image.set_interpolation(interpolation)
