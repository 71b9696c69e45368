"""From intervals to verdicts (docs/claims.md).

A claim has one or more parts, each a paired difference with an interval. It holds when every part lies wholly on the
claim's side (an intersection-union test, which needs no correction), fails when one lies wholly on the other side after
Holm's correction over the parts, and is undecided else. Fewer than three repetitions give no interval: such a claim is
undecided, and its difference is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np

from zfnet.paper.results import Results
from zfnet.paper.statistics import FEWEST, Interval, holm, nets_interval, t_interval, units_interval
from zfnet.settings import Paper

Verdict = Literal["holds", "fails", "undecided", "not run"]
IMAGENET = 1000, 1_200_000  # classes, and training pictures but for near-duplicates and damaged ones


@dataclass(frozen=True)
class Evidence:
    """What decides: the results, the level of the intervals, the margins."""

    results: Results
    settings: Paper

    @cached_property
    def full_archive(self) -> bool:
        """Whether every net was trained on all of ImageNet."""
        metrics = [found for run in self.results.runs.values() if (found := self.results.of_run(run, "metrics"))]
        seen = [(found.get("classes", 0), found.get("images", 0)) for found in metrics]
        return bool(seen) and all(classes == IMAGENET[0] and images >= IMAGENET[1] for classes, images in seen)

    @cached_property
    def full_size(self) -> bool:
        """Whether nets, pictures and classes are the papers', so that their values count and not directions alone."""
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
class Finding:
    """The row of a claim: its verdict, our numbers, their intervals and why; and the differences that they tell of."""

    verdict: Verdict
    ours: str = ""
    interval: str = ""
    reason: str = ""
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Contrast:
    """A paired difference before it is judged: one value per training or fold."""

    name: str
    values: Sequence[float] = field(default_factory=list)
    above: bool = True  # whether the claim says it is above zero
    test_share: float = 0.0  # Nadeau & Bengio's correction, 0 for independent trainings


def directed(name: str, interval: Interval, above: bool, digits: int = 1) -> Part:
    """A part that claims a direction: the whole interval lies above (below) zero."""
    return Part(name, interval, (0, np.inf) if above else (-np.inf, 0), interval.p(not above), digits)


def contrast(one: Contrast, level: float, digits: int = 1) -> Part:
    """A part that claims a direction, from paired values."""
    return directed(one.name, t_interval(one.values, level, one.test_share), one.above, digits)


def equal(name: str, interval: Interval, margin: float, digits: int = 1) -> Part:
    """A part that claims 'makes little difference': two one-sided tests against ± margin (Schuirmann 1987).

    `interval` is at the tests' own level, 0.90 where others are at 0.95 (`equivalence_level`).
    """
    outside = min(interval.p(True, margin), interval.p(False, -margin))
    return Part(name, interval, (-margin, margin), outside, digits)


def equivalence(one: Contrast, margin: float, level: float) -> Part:
    """A part that claims 'makes little difference', from paired values."""
    return equal(one.name, t_interval(one.values, equivalence_level(level), one.test_share), margin)


def equivalence_level(level: float) -> float:
    """Level of the interval that two one-sided tests look at: 0.90 for 0.95."""
    return 2 * level - 1


def conclude(parts: Sequence[Part], level: float, reason: str = "", partial: str = "") -> Finding:
    """Put the parts of a claim together.

    Parameters
    ----------
    level : of the two-sided intervals; a claim fails at the level of one side.
    reason : what to know about the comparison.
    partial : the part of the claim that this workflow does not measure; such a claim can fail but not hold.
    """
    opposed = _refuted(parts, level)
    holds = all(part.supported for part in parts) and not partial
    verdict: Verdict = "fails" if opposed.any() else "holds" if holds else "undecided"
    ours = "; ".join(f"{part.name} {part.interval.value:+.{part.digits}f}" for part in parts)
    intervals = "; ".join(f"{part.name} {part.interval.text(part.digits)}" for part in parts if part.interval.known)
    why = [*_why(parts, verdict, opposed), partial, reason]
    return Finding(verdict, ours, intervals, "; ".join(filter(None, why)), tuple(parts))


def of_nets(
    parts: Sequence[Part], level: float, nets: int, reason: str = "", partial: str = "", open: str = ""
) -> Finding:
    """Put together the parts of a claim about what nets see.

    What fewer than three nets show decides nothing, whichever way it points, nor does what `open` objects to.
    """
    few = f"{nets} net{'s' * (nets > 1)}, where a claim needs three" if nets < FEWEST else ""
    found = conclude(parts, level, "; ".join(filter(None, [few, open, reason])), partial)
    return replace(found, verdict="undecided") if few or open else found


def over_nets(
    name: str, values: Sequence[np.ndarray], above: bool, level: float, digits: int = 2, units: Sequence | None = None
) -> Part:
    """A part that claims a direction of a mean over what nets show.

    Parameters
    ----------
    values : one array (N,) per net.
    units : of each net, the units of its values, (N,) or (N, 2); without them every value is a unit of its own (maps).
    """
    flat = np.concatenate(values)
    shown = np.arange(flat.size) if units is None else np.concatenate(units)
    if len(values) < FEWEST:
        return directed(name, units_interval(flat, shown, level), above, digits)
    nets = np.repeat(np.arange(len(values)), [len(one) for one in values])
    return directed(name, nets_interval(flat, nets, shown, level), above, digits)


def _refuted(parts: Sequence[Part], level: float) -> np.ndarray:
    """Which parts refute the claim, by Holm's correction over those that can: bool (parts,)."""
    can = np.array([part.refutes for part in parts])
    found = np.zeros(len(parts), dtype=bool)
    found[can] = holm([part.against for part in parts if part.refutes]) <= (1 - level) / 2
    return found


def control(part: Part) -> Part:
    """A part that a claim needs to hold but that cannot refute it."""
    return replace(part, refutes=False)


def _why(parts: Sequence[Part], verdict: Verdict, opposed: np.ndarray) -> list[str]:
    shown = f"n = {'/'.join(map(str, sorted({part.interval.n for part in parts})))}"
    if verdict == "fails":
        return [f"{shown}; against the claim: {_names(parts, opposed)}"]
    unknown = [not part.interval.known for part in parts]
    if verdict == "undecided" and any(unknown):
        return [f"{shown}: fewer than three different repetitions give no interval"]
    outside = _names(parts, [part.opposed for part in parts])
    wide = _names(parts, [not part.supported and not part.opposed for part in parts])
    told = (shown, outside and f"not as claimed: {outside}", wide and f"too wide to decide: {wide}")
    return ["; ".join(filter(None, told))]


def _names(parts: Sequence[Part], chosen: Sequence[bool]) -> str:
    return ", ".join(part.name for part, take in zip(parts, chosen, strict=True) if take)


def not_run(reason: str, ours: str = "") -> Finding:
    """A claim whose measurements are missing."""
    return Finding("not run", ours, "", reason)


def paired(a, b) -> np.ndarray:
    """Differences a - b of two series where both have a value."""
    return (a - b).dropna().to_numpy()
