"""Claims about filters: Figure 6 and Krizhevsky's Figure 3. The unit is a net; two designs are paired by seed.

Claim C46 uses the filters themselves: it compares the net with two groups to a net without, and the groups to random
halves.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from zfnet.paper.claims.verdicts import Evidence, Part, Verdict, conclude, directed, not_run, paired
from zfnet.paper.claims.visual_measures import colour_fraction, group_excess
from zfnet.paper.results import Run
from zfnet.paper.statistics import t_interval

FILTERS = "visualize/filters.csv"


def smaller_filters_are_more_distinctive(evidence: Evidence) -> Verdict:
    """C12: our first layer has more energy at middle frequencies and fewer dead filters than Krizhevsky's."""
    filters = _filters(evidence)
    if filters is None:
        return not_run(f"needs {FILTERS}")
    filters["middle fraction"] = filters["middle"] / (filters["low"] + filters["middle"] + filters["high"])
    filters["dead fraction"] = filters["dead"] / filters["filters"]
    parts = [
        _part(
            evidence, "middle frequencies, ours - Krizhevsky", filters, "middle fraction", ("zf", "krizhevsky"), True
        ),
        _part(evidence, "dead fraction, ours - Krizhevsky", filters, "dead fraction", ("zf", "krizhevsky"), False),
    ]
    return conclude(parts, evidence.level, partial=_unmeasured(filters, "middle fraction"))


def stride_four_aliases(evidence: Evidence) -> Verdict:
    """C13: periodic energy of conv2 projections and their change under a 1-px shift, stride 4 minus stride 2."""
    filters = _filters(evidence)
    if filters is None:
        return not_run(f"needs {FILTERS}")
    names = {"aliasing": "block artefacts", "shift": "change under a 1-px shift"}
    parts = [
        _part(evidence, f"{name}, stride 4 - stride 2", filters, column, ("krizhevsky", "zf"), True, 3)
        for column, name in names.items()
    ]
    return conclude(parts, evidence.level, partial=_unmeasured(filters, *names))


def clipping_prevents_dominance(evidence: Evidence) -> Verdict:
    """C14: largest over median filter norm, and variance of the strongest filters, without minus with clipping."""
    filters = _filters(evidence, "zf-unclipped")
    if filters is None:
        return not_run(f"needs {FILTERS} with the net without clipping")
    filters["ratio"] = filters["norm_max"] / filters["norm_median"]
    names = {"ratio": "max/median", "dominance": "variance share of the strongest 5"}
    parts = [
        _part(evidence, f"{name}, without - with", filters, column, ("zf-unclipped", "zf"), True)
        for column, name in names.items()
    ]
    return conclude(parts, evidence.level, partial=_unmeasured(filters, *names))


def groups_specialise(evidence: Evidence) -> Verdict:
    """C46: the groups' colour fractions differ more than random halves', and more than in a net without groups."""
    grouped, dense = (_excesses(evidence, variant) for variant in ("krizhevsky", "zf"))
    if not len(grouped) or not len(dense):
        return not_run("needs trained nets with and without groups")
    level = evidence.level
    own = t_interval(grouped["excess"], level)
    control = t_interval(paired(grouped["excess"], dense["excess"]), level)
    parts = [
        directed("difference of groups - of random halves", own, True, 3),
        directed("the same, net with groups - net without", control, True, 3),
    ]
    clear = grouped["p"] < 1 - level
    reason = f"mean fraction of energy that is colour; p < {1 - level:.2g} in {clear.sum()} of {len(grouped)} nets"
    return conclude(parts, level, reason, partial="" if clear.all() else "the claim is about every net")


DECIDED: dict[str, Callable[[Evidence], Verdict]] = {
    "C12": smaller_filters_are_more_distinctive,
    "C13": stride_four_aliases,
    "C14": clipping_prevents_dominance,
    "C46": groups_specialise,
}


def _filters(evidence: Evidence, other: str = "krizhevsky") -> pd.DataFrame | None:
    """Return the numbers of Figure 6 by variant and seed, None without our net or the `other`."""
    table, runs = evidence.results.frame(FILTERS), evidence.results.runs
    if table is None:
        return None
    table = table[table["run"].isin(runs)]
    table = table.assign(
        variant=[runs[run].variant for run in table["run"]], seed=[runs[run].seed for run in table["run"]]
    ).set_index(["variant", "seed"])
    return table if {"zf", other} <= set(table.index.get_level_values("variant")) else None


def _part(
    evidence: Evidence,
    name: str,
    filters: pd.DataFrame,
    column: str,
    nets: tuple[str, str],
    above: bool,
    digits: int = 2,
) -> Part:
    """Compare two nets in one column, over seeds: first minus second."""
    first, second = (filters[column].loc[variant] for variant in nets)
    return directed(name, t_interval(paired(first, second), evidence.level), above, digits)


def _unmeasured(filters: pd.DataFrame, *columns: str) -> str:
    """Return a note on nets left out because their first layer is dead; such a claim cannot hold."""
    lost = sorted(filters.loc[filters[list(columns)].isna().any(axis=1), "run"])
    return f"nothing can be measured on {', '.join(lost)}" if lost else ""


def _excesses(evidence: Evidence, variant: str) -> pd.DataFrame:
    """Return how much the halves of layer 1 differ in colour beyond chance, and the p-value: rows seeds."""
    runs = [run for run in evidence.results.seeds(variant) if (run.folder / "weights.safetensors").exists()]
    rows = {run.seed: _excess(evidence, run) for run in runs}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["excess", "p"])


def _excess(evidence: Evidence, run: Run) -> tuple[float, float]:
    filters = evidence.results.arrays(f"runs/{run.name}/weights.safetensors")["conv1.weight"]  # (maps, 3, k, k)
    return group_excess(colour_fraction(np.asarray(filters)), evidence.settings.resamples)
