"""`zfnet maximize`: the pictures units like best (Yosinski et al. 2015; class models: Simonyan et al. 2013)."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from zfnet.core.errors import ZfnetError
from zfnet.core.progress import track
from zfnet.explore.opened_net import Opened
from zfnet.explore.outputs import ROWS, Panel, Row, class_name, page_name, write_results, write_sheet
from zfnet.visualize.activation_maximization import NAMED, find_settings, maximise
from zfnet.visualize.saliency import class_model

COLUMNS = ("layer", "unit", "setting", "seed", "steps", "activation", "step", "sheet")
CLASS_MODEL = "class-model"
MODEL_STEPS = 200


class _Climbed(NamedTuple):
    activation: float
    step: int  # at which the picture was met
    picture: Tensor  # uint8 (crop, crop, 3)


def maximize_units(
    opened: Opened, layer: str, units: Sequence[int], settings: Sequence[str], seed: int, steps: int | None, out: Path
) -> None:
    """Write maximize.png with a row for every unit and a column for every setting, maximize.csv and maximize.json.

    More units than fit on a sheet go on in maximize-2.png and so on; each is written when it is full.

    Parameters
    ----------
    settings : names of `zfnet.visualize.activation_maximization.NAMED`, or "class-model".
    steps : of each ascent; None: as published (class models: 200).

    Raises
    ------
    ZfnetError
        There is no such setting, or no unit is given.
    """
    if not units:
        raise ZfnetError("Give at least one unit, such as --unit 3 or --unit 0-9.")
    for name in set(settings) - {CLASS_MODEL}:
        if name not in NAMED:
            raise ZfnetError(f"There is no setting {name!r}; choose of {', '.join([*NAMED, CLASS_MODEL])}.")
    rows, lines = [], []
    for number, unit in enumerate(track(units, "Maximisation, units", len(units)), 1):
        sheet = page_name("maximize", (number - 1) // ROWS)
        panels = []
        for name in settings:
            count = steps or (MODEL_STEPS if name == CLASS_MODEL else find_settings(name).steps)
            found = _climb(opened, layer, unit, name, seed, count)
            panels.append(Panel(found.picture.numpy(), f"{name}: {found.activation:.4g} after {found.step} steps"))
            lines.append((layer, unit, name, seed, count, found.activation, found.step, sheet))
        rows.append(Row(f"{layer}, {class_name(opened, layer, unit)}", panels))
        if number % ROWS == 0 or number == len(units):
            write_sheet(out / sheet, f"{layer}: what units like best", rows)
            rows = []
    write_results(out, "maximize", opened, COLUMNS, lines)


def _climb(opened: Opened, layer: str, unit: int, name: str, seed: int, steps: int) -> _Climbed:
    if name == CLASS_MODEL:
        model = class_model(opened.net, unit, layer, steps=steps)
        return _Climbed(model.activation, steps, model.picture)
    best = maximise(opened.net, layer, unit, find_settings(name)._replace(steps=steps), seed)
    return _Climbed(best.activation, best.step, best.picture)
