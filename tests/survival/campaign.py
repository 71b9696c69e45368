"""Kill a small run again and again, start it by the same command, and compare the results with a run left in peace."""

import random
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.survival.small_run import MAIN_STAGES, essence, hidden, kill, start

LONGEST = 3600  # seconds that a run without kills may take


@dataclass
class Outcome:
    """What a campaign found."""

    kills: int = 0
    alone: int = 0  # of these, kills of snakemake alone
    runs: int = 0  # runs that came to their end
    seconds: list[float] = field(default_factory=list)  # from a start to its kill
    differences: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        verdict = "all bit-identical" if not self.differences else f"DIFFERENT: {'; '.join(self.differences)}"
        return f"{self.kills} kills ({self.alone} of snakemake alone) over {self.runs} runs: {verdict}"


def campaign(
    folder: Path,
    kills: int,
    targets: Sequence[str] = MAIN_STAGES,
    seed: int = 2013,
    say: Callable[[str], None] = print,
) -> Outcome:
    """Kill runs below `folder` at `kills` random moments; runs that end earlier are followed by fresh ones."""
    whole, draw, found = folder / "whole", random.Random(seed), Outcome()
    usual = _seconds_in_peace(whole, targets)
    say(f"left in peace it takes {usual:.0f} s")
    expected = essence(whole)
    while found.kills < kills:
        killed = folder / f"killed-{found.runs + 1}"
        while found.kills < kills and not _ended_before_its_kill(killed, targets, draw, found, usual / 4):
            say(f"kill {found.kills} of {kills}, {found.seconds[-1]:.1f} s after the start")
        finish(killed, targets)
        found.runs += 1
        found.differences += _differences(expected, killed)
        say(str(found))
    return found


def _seconds_in_peace(folder: Path, targets: Sequence[str]) -> float:
    """Return how long a run without kills takes; one that an earlier campaign in the same folder has made counts."""
    measured = folder / "seconds"
    if not measured.exists():
        began = time.monotonic()
        finish(folder, targets)
        measured.write_text(f"{time.monotonic() - began:.1f}")
    return float(measured.read_text())


def finish(folder: Path, targets: Sequence[str]) -> None:
    """Run to the end and require success."""
    code = start(folder, targets).wait(LONGEST)
    if code:
        raise AssertionError(f"exit {code}:\n" + (folder / "log").read_text(errors="replace")[-4000:])


def _ended_before_its_kill(
    folder: Path, targets: Sequence[str], draw: random.Random, found: Outcome, longest: float
) -> bool:
    process, after, everything = start(folder, targets), draw.uniform(0.2, longest), draw.random() < 0.5
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        kill(process, everything)
        found.kills, found.alone = found.kills + 1, found.alone + (not everything)
        found.seconds.append(after)
        return False
    if process.returncode:
        raise AssertionError(f"exit {process.returncode}:\n" + (folder / "log").read_text(errors="replace")[-4000:])
    return True


def _differences(expected: dict[str, str], folder: Path) -> list[str]:
    made = essence(folder)
    changed = sorted(name for name in expected.keys() | made.keys() if expected.get(name) != made.get(name))
    return [*changed, *hidden(folder)]
