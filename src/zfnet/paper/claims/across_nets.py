"""What several random states of one net saw, and how claims about it are put together.

Intervals are over nets; pictures and animals that several nets saw widen them (`zfnet.paper.statistics`). Fewer than
three nets decide nothing: their numbers are given, with an interval over maps, pictures or animals.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from zfnet.paper.claims.verdicts import Evidence, Finding, Part, control, of_nets, over_nets
from zfnet.paper.claims.visual_measures import difference_terms


def tables(evidence: Evidence, what: str) -> list[pd.DataFrame]:
    """The table visualize/RUN/`what`, net by net."""
    return [evidence.results.frame(f"visualize/{run.name}/{what}") for run in evidence.results.looked_at(what)]


def arrays(evidence: Evidence, what: str) -> list[dict[str, np.ndarray]]:
    """The arrays of visualize/RUN/`what`, net by net."""
    return [evidence.results.arrays(f"visualize/{run.name}/{what}") for run in evidence.results.looked_at(what)]


def of_untrained(found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of the untrained net among those of the controls, under the names that the trained net's have."""
    return {name.removeprefix("untrained/"): one for name, one in found.items() if name.startswith("untrained/")}


def over_maps(evidence: Evidence, name: str, values: Sequence[np.ndarray], above: bool = True, digits: int = 2) -> Part:
    """A mean that is claimed above (below) zero, of one value per map and net."""
    return over_nets(name, values, above, evidence.settings.confidence_level, digits)


def over_pictures(evidence: Evidence, name: str, values: Sequence[pd.Series]) -> Part:
    """A mean that is claimed above zero, of one value per picture and net; the index names the pictures."""
    units = [one.index.to_numpy(str) for one in values]
    return over_nets(name, [one.to_numpy() for one in values], True, evidence.settings.confidence_level, units=units)


def against_untrained(
    evidence: Evidence, name: str, trained: Sequence[np.ndarray], bare: Sequence[np.ndarray], above: bool = True
) -> list[Part]:
    """The control of a mean over maps: trained minus untrained; empty where an untrained net has too few maps.

    What untrained nets show as well stays open; it refutes nothing.
    """
    if len(bare) != len(trained) or any(one.size < 2 for one in bare):
        return []
    terms = [difference_terms(*pair) for pair in zip(trained, bare, strict=True)]
    return [control(over_maps(evidence, f"{name}, trained - untrained", terms, above))]


def decided(evidence: Evidence, parts: Sequence[Part], nets: int, reason: str = "", partial: str = "") -> Finding:
    """Put together the parts of a claim about what `nets` nets saw."""
    return of_nets(parts, evidence.settings.confidence_level, nets, reason, partial)
