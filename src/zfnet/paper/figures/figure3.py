"""Figure 3: the architecture as trained here, drawn from its description, with sizes at the actual width and crop."""

import re
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import Polygon

from zfnet.core.errors import ZfnetError
from zfnet.drawing.figure_page import INK, WIDTH, Page
from zfnet.nets.architecture import Architecture, OpSpec, describe
from zfnet.paper.figures.figure import Figure
from zfnet.paper.items import SHOWN
from zfnet.paper.results import Results

HEIGHT = 2.9
FRONT, TOP, SIDE = "#dce9f5", "#eef5fb", "#b9d2e8"  # faces of a block
FULL = ("#f6e3cf", "#fbf1e6", "#e8cba9")  # of a fully connected layer
SYMBOLS = {"relu": "ReLU", "norm": "contrast norm", "dropout": "dropout"}


class Stage(NamedTuple):
    """A layer of the paper: its operations in words, and the shape of its output."""

    name: str
    words: list[str]
    shape: tuple[int, ...]  # (maps, side, side) or (units,)


def draw(results: Results) -> Page:
    """Draw the net of the first training as per Figure 3."""
    page = Page(HEIGHT)
    axes = page.axes(0, 0, WIDTH, HEIGHT)
    axes.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
    axes.set_axis_off()
    net = architecture(results)
    drawn = stages(net)
    step = WIDTH / len(drawn)
    for index, stage in enumerate(drawn):
        _stage(axes, stage, step * (index + 0.5), step, net.crop, max(s.shape[0] for s in drawn[1:6]))
    for index in range(len(drawn) - 1):
        axes.annotate(
            "",
            (step * (index + 1) + 0.05, 1.82),
            (step * (index + 1) - 0.1, 1.82),
            arrowprops={"arrowstyle": "->", "lw": 0.8},
        )
    return page


def architecture(results: Results) -> Architecture:
    """Return the architecture of the first training, with as many classes as its predictions have."""
    name = results.first(SHOWN)
    run = results.runs.get(name)
    spec = results.of_run(run, "spec") if run else None
    if run is None or spec is None:
        raise ZfnetError(f"{results.root}/runs/{name}/spec.json: no such file; start the workflow, which writes it.")
    predictions = results.predictions(run)
    classes = {} if predictions is None else {"classes": predictions[0].shape[1]}
    net = spec.get("net") or {}
    options = {key: net[key] for key in ("width", "crop", "norm_alpha") if net.get(key) is not None}
    return describe(net.get("name") or SHOWN, **options, **classes)


def stages(net: Architecture) -> list[Stage]:
    """Return the input, layers 1-7 and the classifier."""
    drawn = [Stage("Input", ["image crop", "per-pixel mean", "subtracted"], (3, net.crop, net.crop))]
    plan = [spec for spec in net.plan() if spec.kind not in ("pad", "flatten")]
    numbers = dict.fromkeys(int(digits[0]) for spec in plan if (digits := re.search(r"\d+$", spec.name)))
    for number in numbers:
        own = [spec for spec in plan if spec.name.endswith(str(number))]
        name = "Output" if number == max(numbers) else f"Layer {number}"
        drawn.append(Stage(name, [_words(spec) for spec in own] + ["softmax"] * (name == "Output"), own[-1].shape))
    return drawn


def _words(spec: OpSpec) -> str:
    options, side = spec.options, spec.shape[-1]
    if spec.kind == "conv":
        return f"{options['kernel_size']}×{options['kernel_size']}, stride {options['stride']} → {side}"
    if spec.kind == "pool":
        return f"max pool {options['kernel_size']}/{options['stride']} → {side}"
    return "fully connected" if spec.kind == "linear" else SYMBOLS[spec.kind]


def _stage(axes: Axes, stage: Stage, centre: float, step: float, crop: int, most: int) -> None:
    flat = len(stage.shape) == 1
    side = 1.1 if flat else 0.18 + 0.5 * (stage.shape[1] / crop) ** 0.5
    depth = 0.1 if flat else 0.05 + 0.2 * stage.shape[0] / max(most, 1)
    _block(axes, centre - 0.03, 1.82, 0.1 if flat else side, side, depth, FULL if flat else (FRONT, TOP, SIDE))
    axes.text(centre, 2.68, stage.name, ha="center", weight="bold")
    size = f"{stage.shape[0]} units" if flat else f"{stage.shape[1]}×{stage.shape[2]}×{stage.shape[0]}"
    axes.text(centre, 1.0, size.replace("units", "classes" if stage.name == "Output" else "units"), ha="center")
    for line, words in enumerate(stage.words):
        axes.text(centre, 0.78 - 0.17 * line, words, ha="center", size=7, color="#555555")


def _block(axes: Axes, x: float, y: float, width: float, height: float, depth: float, colours: tuple[str, ...]) -> None:
    """Draw a box seen from the front right, centred at (x, y)."""
    left, right, low, high = x - (width + depth) / 2, x + (width - depth) / 2, y - height / 2, y + height / 2
    up = depth * 0.6
    faces = (
        [(left, low), (right, low), (right, high), (left, high)],
        [(left, high), (right, high), (right + depth, high + up), (left + depth, high + up)],
        [(right, low), (right + depth, low + up), (right + depth, high + up), (right, high)],
    )
    for corners, colour in zip(faces, colours, strict=True):
        axes.add_patch(Polygon(corners, facecolor=colour, edgecolor=INK, lw=0.6))


FIGURE = Figure("figure3", draw)
