"""Figures as files: one page each, text as vectors, pictures at their native pixels, the same bytes every time.

Each module figure2 … figure9, methods and near_duplicates has a function `draw(results)` that reads arrays and gives a
matplotlib figure.
"""

from importlib import import_module
from pathlib import Path
from types import ModuleType

import matplotlib

from zfnet.core.errors import ZfnetError
from zfnet.drawing.page import STYLE, save_figure
from zfnet.paper.results import Results

NAMES = (*(f"figure{number}" for number in range(2, 10)), "methods", "near_duplicates")


def module(name: str) -> ModuleType:
    """The module of a figure."""
    if name not in NAMES:
        raise ZfnetError(f"There is no figure {name!r} (figure1 is a diagram); choose one of {', '.join(NAMES)}.")
    return import_module(f"zfnet.paper.figures.{name}")


def figure_stage(name: str, results: str | Path, out: str | Path) -> None:
    """Draw a figure of the results folder as `out` with the endings .png and .pdf."""
    drawn = module(name)
    with matplotlib.rc_context(STYLE):
        save_figure(drawn.draw(Results(results)), out)
