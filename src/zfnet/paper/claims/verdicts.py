"""From intervals to verdicts (docs/claims.md).

A claim has one or more parts, each a paired difference with an interval. It holds if every part lies entirely on the
claim's side (an intersection-union test, which needs no correction), fails if one lies entirely on the other side after
Holm's correction over the parts, and is undecided otherwise. Fewer than three repetitions give no interval: such a
claim is undecided, and its difference is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from zfnet.paper.results import Results
from zfnet.paper.statistics import FEWEST, Interval, holm
from zfnet.settings import Paper

Outcome = Literal["holds", "fails", "undecided", "not run"]
IMAGENET = 1000, 1_200_000  # classes, and training images without near-duplicates and damaged ones


@dataclass(frozen=True)
class Evidence:
    """What decides claims: the results, and the settings with the intervals' level and the margins."""

    results: Results
    settings: Paper

    @property
    def level(self) -> float:
        """Level of the two-sided intervals."""
        return self.settings.confidence_level

    @cached_property
    def full_archive(self) -> bool:
        """Whether every net was trained on all of ImageNet."""
        metrics = [record for run in self.results.runs.values() if (record := self.results.of_run(run, "metrics"))]
        sizes = [(record.get("classes", 0), record.get("images", 0)) for record in metrics]
        return bool(sizes) and all(classes == IMAGENET[0] and images >= IMAGENET[1] for classes, images in sizes)

    @cached_property
    def full_size(self) -> bool:
        """Whether nets, images and classes have the papers' size, so that values count and not only directions."""
        run = next(iter(self.results.seeds("zf")), None)
        net = (self.results.of_run(run, "spec") or {}).get("net", {}) if run else {}
        return self.full_archive and (net.get("width"), net.get("crop")) == (1.0, 224)


@dataclass(frozen=True)
class Part:
    """One difference of a claim: its interval, the range in which the claim says it lies, and the p of the opposite."""

    name: str
    interval: Interval
    claimed: tuple[float, float]
    against: float
    digits: int = 1
    refutes: bool = True  # whether the opposite refutes the claim

    @property
    def supported(self) -> bool:
        """Whether the whole interval lies in the claimed range."""
        return self.claimed[0] < self.interval.low and self.interval.high < self.claimed[1]

    @property
    def opposed(self) -> bool:
        """Whether the whole interval lies outside the claimed range."""
        return self.interval.high <= self.claimed[0] or self.claimed[1] <= self.interval.low


@dataclass(frozen=True)
class Verdict:
    """A claim's outcome, our numbers, their intervals and the reason; and the differences behind them."""

    outcome: Outcome
    ours: str = ""
    interval: str = ""
    reason: str = ""
    parts: tuple[Part, ...] = ()


# ---- parts -----------------------------------------------------------------------------------------------------------
def directed(name: str, interval: Interval, above: bool, digits: int = 1) -> Part:
    """Return a part that claims a direction: the whole interval lies above (below) zero."""
    return Part(name, interval, (0, np.inf) if above else (-np.inf, 0), interval.p(not above), digits)


def equal(name: str, interval: Interval, margin: float, digits: int = 1) -> Part:
    """Return a part that claims 'makes little difference': two one-sided tests against ± margin (Schuirmann 1987).

    `interval` is at the tests' own level, 0.90 where others are at 0.95 (`equivalence_level`).
    """
    outside = min(interval.p(True, margin), interval.p(False, -margin))
    return Part(name, interval, (-margin, margin), outside, digits)


def equivalence_level(level: float) -> float:
    """Return the level of the interval that two one-sided tests use: 0.90 for 0.95."""
    return 2 * level - 1


def control(part: Part) -> Part:
    """Return the part as one that a claim needs to hold but that cannot refute it."""
    return replace(part, refutes=False)


def paired(a: pd.Series, b: pd.Series) -> np.ndarray:
    """Return the differences a - b of two series where both have a value."""
    return (a - b).dropna().to_numpy()


# ---- verdicts --------------------------------------------------------------------------------------------------------
def conclude(
    parts: Sequence[Part],
    level: float,
    reason: str = "",
    partial: str = "",
    nets: int | None = None,
    objection: str = "",
) -> Verdict:
    """Combine the parts of a claim.

    Parameters
    ----------
    level : of the two-sided intervals; a claim fails at the level of one side.
    reason : what to know about the comparison.
    partial : the part of the claim that this workflow does not measure; such a claim can fail but not hold.
    nets : how many nets a claim about what nets respond to was measured on; fewer than three decide nothing.
    objection : why the measurements decide nothing, whichever way they point.
    """
    refuted = _refuted(parts, level)
    holds = all(part.supported for part in parts) and not partial
    outcome: Outcome = "fails" if refuted.any() else "holds" if holds else "undecided"
    few = f"{nets} net{'s' * (nets > 1)}, where a claim needs three" if nets is not None and nets < FEWEST else ""
    why = [*_why(parts, outcome, refuted), partial, few, objection, reason]
    ours = "; ".join(f"{part.name} {part.interval.value:+.{part.digits}f}" for part in parts)
    intervals = "; ".join(f"{part.name} {part.interval.text(part.digits)}" for part in parts if part.interval.known)
    outcome = "undecided" if few or objection else outcome
    return Verdict(outcome, ours, intervals, "; ".join(filter(None, why)), tuple(parts))


def not_run(reason: str, ours: str = "") -> Verdict:
    """Return the verdict on a claim whose measurements are missing."""
    return Verdict("not run", ours, "", reason)


def _refuted(parts: Sequence[Part], level: float) -> np.ndarray:
    """Return which parts refute the claim, by Holm's correction over those that can: bool (parts,)."""
    can = np.array([part.refutes for part in parts])
    refuted = np.zeros(len(parts), dtype=bool)
    refuted[can] = holm([part.against for part in parts if part.refutes]) <= (1 - level) / 2
    return refuted


def _why(parts: Sequence[Part], outcome: Outcome, refuted: np.ndarray) -> list[str]:
    repetitions = f"n = {'/'.join(map(str, sorted({part.interval.n for part in parts})))}"
    if outcome == "fails":
        return [f"{repetitions}; against the claim: {_names(parts, refuted)}"]
    if outcome == "undecided" and not all(part.interval.known for part in parts):
        return [f"{repetitions}: fewer than three different repetitions give no interval"]
    outside = _names(parts, [part.opposed for part in parts])
    wide = _names(parts, [not part.supported and not part.opposed for part in parts])
    reasons = (repetitions, outside and f"not as claimed: {outside}", wide and f"too wide to decide: {wide}")
    return ["; ".join(filter(None, reasons))]


def _names(parts: Sequence[Part], chosen: Sequence[bool] | np.ndarray) -> str:
    return ", ".join(part.name for part, take in zip(parts, chosen, strict=True) if take)
