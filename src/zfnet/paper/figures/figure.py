"""Write figures as files: one page each, text as vectors, images at native resolution, identical bytes every time."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib

from zfnet.drawing.figure_page import STYLE, Page, save_figure
from zfnet.paper.items import find
from zfnet.paper.results import Results


@dataclass(frozen=True)
class Figure:
    """A figure of the paper; items.yaml holds its title, inputs and caption."""

    name: str  # in items.yaml
    draw: Callable[[Results], Page]


def figure_stage(name: str, results: str | Path, out: str | Path) -> None:
    """Draw the figure `name` of the results folder as `out` with the endings .png and .pdf."""
    figure = find(name, "figures")
    with matplotlib.rc_context(STYLE):
        save_figure(figure.draw(Results(results)).figure, out)
