"""`zfnet maximize`: images that maximise units (Yosinski et al. 2015; class models: Simonyan et al. 2013)."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from zfnet.core.errors import ZfnetError
from zfnet.core.progress_bar import track
from zfnet.explore.opened_net import OpenedNet
from zfnet.explore.outputs import ROWS, Panel, Row, page_name, unit_name, write_results, write_sheet
from zfnet.visualize.activation_maximization import PUBLISHED, find_settings, maximize
from zfnet.visualize.saliency import class_model

COLUMNS = ("layer", "unit", "setting", "seed", "steps", "activation", "step", "sheet")
CLASS_MODEL = "class-model"
MODEL_STEPS = 200


class _Maximum(NamedTuple):
    activation: float
    step: int  # at which the image was reached
    image: Tensor  # uint8 (crop, crop, 3)


def maximize_units(
    opened: OpenedNet,
    layer: str,
    units: Sequence[int],
    settings: Sequence[str],
    seed: int,
    steps: int | None,
    out: Path,
) -> None:
    """Write maximize.png with a row for every unit and a column for every setting, maximize.csv and maximize.json.

    Units that do not fit on one sheet continue on maximize-2.png and so on; each sheet is written when it is full.

    Parameters
    ----------
    settings : names of `zfnet.visualize.activation_maximization.PUBLISHED`, or "class-model".
    seed : seed of the initial noise.
    steps : steps of each ascent; None: as published (class models: 200).

    Raises
    ------
    ZfnetError
        There is no such setting, or no unit is given.
    """
    if not units:
        raise ZfnetError("Give at least one unit, such as --unit 3 or --unit 0-9.")
    for name in set(settings) - {CLASS_MODEL}:
        if name not in PUBLISHED:
            raise ZfnetError(f"There is no setting {name!r}; choose from {', '.join([*PUBLISHED, CLASS_MODEL])}.")
    rows, lines = [], []
    for number, unit in enumerate(units, 1):
        sheet = page_name("maximize", (number - 1) // ROWS)
        panels = []
        for name in settings:
            count = steps or (MODEL_STEPS if name == CLASS_MODEL else find_settings(name).steps)
            best = _maximize(opened, layer, unit, name, seed, count)
            panels.append(Panel(best.image.numpy(), f"{name}: {best.activation:.4g} after {best.step} steps"))
            lines.append((layer, unit, name, seed, count, best.activation, best.step, sheet))
        rows.append(Row(f"{layer}, {unit_name(opened, layer, unit)}", panels))
        if number % ROWS == 0 or number == len(units):
            write_sheet(out / sheet, f"{layer}: images that maximise units", rows)
            rows = []
    write_results(out, "maximize", opened, COLUMNS, lines)


def _maximize(opened: OpenedNet, layer: str, unit: int, name: str, seed: int, steps: int) -> _Maximum:
    watch = partial(track, description=f"{layer}, unit {unit}, {name}: steps", total=steps)
    if name == CLASS_MODEL:
        model = class_model(opened.net, unit, layer, steps=steps, watch=watch)
        return _Maximum(model.activation, steps, model.image)
    best = maximize(opened.net, layer, unit, find_settings(name)._replace(steps=steps), seed, watch)
    return _Maximum(best.activation, best.step, best.image)
