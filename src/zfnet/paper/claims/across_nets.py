"""What several seeds of one net respond to, and the parts of claims about it.

Intervals are over nets; images and animals that several nets share widen them (`zfnet.paper.statistics`). Fewer than
three nets decide nothing: their numbers are shown, with an interval over feature maps, images or animals.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
import pandas as pd

from zfnet.paper.claims.verdicts import Evidence, Part, control, directed
from zfnet.paper.claims.visual_measures import difference_terms
from zfnet.paper.statistics import FEWEST, nets_interval, units_interval


def tables(evidence: Evidence, name: str) -> list[pd.DataFrame]:
    """Return the table visualize/RUN/`name` of each net."""
    frames = [evidence.results.frame(f"visualize/{run.name}/{name}") for run in evidence.results.looked_at(name)]
    return cast(list[pd.DataFrame], frames)  # `looked_at` lists only runs that have the file


def arrays(evidence: Evidence, name: str) -> list[dict[str, np.ndarray]]:
    """Return the arrays of visualize/RUN/`name` of each net."""
    return [evidence.results.arrays(f"visualize/{run.name}/{name}") for run in evidence.results.looked_at(name)]


def untrained_arrays(controls: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the untrained net's arrays among the controls, under the names of the trained net's."""
    return {name.removeprefix("untrained/"): array for name, array in controls.items() if name.startswith("untrained/")}


def over_nets(
    level: float,
    name: str,
    values: Sequence[np.ndarray] | Sequence[pd.Series],
    above: bool = True,
    digits: int = 2,
) -> Part:
    """Return a part that claims that a mean over what nets show is above (below) zero.

    Parameters
    ----------
    level : of the interval.
    values : (N,) per net. The index of a series names the unit of each value (an image, or both animals of a pair),
        which several nets share; every value of an array is a unit of its own (a feature map).
    """
    flat = np.concatenate([np.asarray(own) for own in values])
    units = np.concatenate([_units(cast(pd.Series, own)) for own in values]) if _named(values) else np.arange(flat.size)
    if len(values) < FEWEST:
        return directed(name, units_interval(flat, units, level), above, digits)
    nets = np.repeat(np.arange(len(values)), [len(own) for own in values])
    return directed(name, nets_interval(flat, nets, units, level), above, digits)


def _named(values: Sequence[np.ndarray] | Sequence[pd.Series]) -> bool:
    return isinstance(values[0], pd.Series)


def _units(values: pd.Series) -> np.ndarray:
    """Return the units of values: (N,), or (N, 2) for pairs."""
    index = values.index
    return np.array(index.to_list()) if isinstance(index, pd.MultiIndex) else index.to_numpy(str)


def against_untrained(
    level: float,
    name: str,
    trained: Sequence[np.ndarray],
    untrained: Sequence[np.ndarray],
    above: bool = True,
) -> list[Part]:
    """Return the control of a mean over feature maps, trained minus untrained; empty if untrained maps are too few.

    That untrained nets show an effect as well leaves a claim open; it refutes nothing.
    """
    if len(untrained) != len(trained) or any(values.size < 2 for values in untrained):
        return []
    terms = [difference_terms(*pair) for pair in zip(trained, untrained, strict=True)]
    return [control(over_nets(level, f"{name}, trained - untrained", terms, above))]
