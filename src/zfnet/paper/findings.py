"""From intervals to verdicts (PAPER.md 12.1).

A claim has one or more parts, each a paired difference with an interval. It holds when every part lies wholly on the
claim's side, fails when one lies wholly on the other side, and is undecided else. One training of each kind gives no
interval: such a claim is undecided, and its difference is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from zfnet.paper.results import Results
from zfnet.paper.statistics import Interval, equivalence_level, holm, p_value, t_interval
from zfnet.settings import Paper

Verdict = Literal["holds", "fails", "undecided", "not run"]


@dataclass(frozen=True)
class Evidence:
    """What decides: the results, the level of the intervals and the number of bootstrap resamples."""

    results: Results
    settings: Paper


@dataclass(frozen=True)
class Part:
    """One difference of a claim, and the verdict its interval gives."""

    name: str
    interval: Interval
    verdict: Verdict
    digits: int = 1


@dataclass(frozen=True)
class Finding:
    """The row of a claim: its verdict, our numbers, their intervals and why."""

    verdict: Verdict
    ours: str = ""
    interval: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Contrast:
    """A paired difference before it is judged: one value per training or fold."""

    name: str
    values: Sequence[float] = field(default_factory=list)
    above: bool = True  # whether the claim says it is above zero
    test_share: float = 0.0  # Nadeau & Bengio's correction, 0 for independent trainings


def judge(interval: Interval, above: bool) -> Verdict:
    """The verdict of 'the difference is above (below) zero'."""
    if not interval.known:
        return "undecided"
    if (interval.low > 0) if above else (interval.high < 0):
        return "holds"
    return "fails" if ((interval.high < 0) if above else (interval.low > 0)) else "undecided"


def directed(name: str, interval: Interval, above: bool, digits: int = 1) -> Part:
    """A part that claims a direction."""
    return Part(name, interval, judge(interval, above), digits)


def contrast(one: Contrast, level: float) -> Part:
    """A part that claims a direction, from paired values."""
    return directed(one.name, t_interval(one.values, level, one.test_share), one.above)


def family(contrasts: Sequence[Contrast], level: float) -> list[Part]:
    """Many contrasts under one verdict: each must hold (or fail) after Holm's correction."""
    parts = [contrast(one, level) for one in contrasts]
    alpha = (1 - level) / 2
    for_it = holm([p_value(one.values, one.above, one.test_share) for one in contrasts])
    against = holm([p_value(one.values, not one.above, one.test_share) for one in contrasts])
    verdicts = [
        "holds" if p <= alpha else "fails" if q <= alpha else "undecided" for p, q in zip(for_it, against, strict=True)
    ]
    return [Part(part.name, part.interval, verdict) for part, verdict in zip(parts, verdicts, strict=True)]


def equivalence(one: Contrast, margin: float, level: float) -> Part:
    """A part that claims 'makes little difference': two one-sided tests against ± margin."""
    interval = t_interval(one.values, equivalence_level(level), one.test_share)
    if not interval.known:
        return Part(one.name, interval, "undecided")
    if -margin < interval.low and interval.high < margin:
        return Part(one.name, interval, "holds")
    return Part(one.name, interval, "fails" if interval.low > margin or interval.high < -margin else "undecided")


def conclude(parts: Sequence[Part], reason: str = "", partial: str = "") -> Finding:
    """Put the parts of a claim together.

    Parameters
    ----------
    reason : what to know about the comparison.
    partial : the part of the claim that this workflow does not measure; such a claim can fail but not hold.
    """
    verdicts = {part.verdict for part in parts}
    verdict: Verdict = "fails" if "fails" in verdicts else "holds" if verdicts == {"holds"} else "undecided"
    if partial and verdict == "holds":
        verdict = "undecided"
    ours = "; ".join(f"{part.name} {part.interval.value:+.{part.digits}f}" for part in parts)
    intervals = "; ".join(f"{part.name} {part.interval.text(part.digits)}" for part in parts if part.interval.known)
    return Finding(verdict, ours, intervals, "; ".join(filter(None, [*_why(parts, verdict), partial, reason])))


def _why(parts: Sequence[Part], verdict: Verdict) -> list[str]:
    counts = sorted({part.interval.n for part in parts})
    shown = f"n = {'/'.join(map(str, counts))}"
    if verdict == "undecided" and any(not part.interval.known for part in parts):
        return [f"{shown}: one repetition gives no interval"]
    wide = [part.name for part in parts if part.verdict == "undecided"]
    return [f"{shown}" + (f"; too wide to decide: {', '.join(wide)}" if verdict == "undecided" and wide else "")]


def not_run(reason: str, ours: str = "") -> Finding:
    """A claim whose measurements are missing."""
    return Finding("not run", ours, "", reason)


def paired(a, b) -> np.ndarray:
    """Differences a - b of two series where both have a value."""
    return (a - b).dropna().to_numpy()
