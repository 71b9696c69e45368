"""Decide every claim of the papers: our numbers, their interval and a verdict (docs/claims.md).

claims.yaml lists the claims. A function in one of the modules *_claims decides each claim that this workflow measures;
the others say what would have to be run. The papers' own numbers are context, not a target.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from zfnet.core.errors import ZfnetError
from zfnet.core.files import write_text
from zfnet.core.suggest import require_known
from zfnet.paper.claims import (
    caltech_claims,
    feature_claims,
    filter_claims,
    image_claims,
    imagenet_claims,
    krizhevsky_claims,
    voc_claims,
)
from zfnet.paper.claims.verdicts import Evidence, Part, Verdict, not_run
from zfnet.paper.results import Results
from zfnet.settings import Paper

MODULES = (
    imagenet_claims,
    krizhevsky_claims,
    caltech_claims,
    filter_claims,
    feature_claims,
    image_claims,
    voc_claims,
)
DECIDED = {name: decide for module in MODULES for name, decide in module.DECIDED.items()}
EFFECTS = (
    *("claim", "difference", "value", "low", "high", "n", "level"),
    *("claimed_above", "claimed_below", "p_against", "digits"),
)
FIELDS = ("item", "statement", "paper", "how")  # of every claim in claims.yaml
COLUMNS = ("claim", "item", "statement", "paper", "ours", "interval", "verdict", "reason", "how")


@cache
def statements() -> dict[str, dict[str, str]]:
    """Return all claims by id: item, statement, the paper's numbers, how they are decided, what is missing."""
    listed = yaml.safe_load(Path(__file__).with_name("claims.yaml").read_text(encoding="utf-8"))
    check_claims(listed)
    return listed


def check_claims(listed: dict[str, dict[str, str]]) -> None:
    """Check that every claim is complete, and either decided by a function or open for a stated reason.

    Raises
    ------
    ZfnetError
        A claim is not; the message names it and says what to add.
    """
    for name in DECIDED:
        require_known(name, listed, "claim in claims.yaml:")
    for name, claim in listed.items():
        lacking = [field for field in FIELDS if field not in claim]
        if lacking:
            raise ZfnetError(f"claims.yaml: {name} has no {', '.join(lacking)}; every claim needs {', '.join(FIELDS)}.")
        if (name in DECIDED) == ("missing" in claim):
            raise ZfnetError(
                f"claims.yaml: {name} needs a function, listed in DECIDED of a module *_claims.py, or `missing`, "
                "what would have to be trained or labelled to decide it."
            )


def decide(name: str, evidence: Evidence) -> Verdict:
    """Decide one claim, by its id in claims.yaml."""
    return DECIDED[name](evidence) if name in DECIDED else not_run(statements()[name]["missing"])


def verdicts(results: Results, settings: Paper) -> dict[str, Verdict]:
    """Decide all claims, in the order of their numbers."""
    evidence = Evidence(results, settings)
    return {name: decide(name, evidence) for name in statements()}


def explain() -> str:
    """Return how every claim is decided, as the Markdown table of docs/claims.md."""
    lines = ["| claim | item | statement | decided by |", "|---|---|---|---|"]
    for name, claim in statements().items():
        how = (
            claim["how"] if name in DECIDED else f"*not run:* {claim['missing']}. It would be decided by {claim['how']}"
        )
        lines.append(f"| {name} | {claim['item']} | {claim['statement']} | {how} |")
    return "\n".join(lines) + "\n"


def claims_frame(decided: dict[str, Verdict]) -> pd.DataFrame:
    """Return claims.csv: all claims with their verdicts, one per row."""
    rows = [
        {**statements()[name], "claim": name, **vars(verdict), "verdict": verdict.outcome}
        for name, verdict in decided.items()
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def effects_frame(decided: dict[str, Verdict]) -> pd.DataFrame:
    """Return claims-effects.csv: all differences behind claims with value, interval and claimed range, one per row.

    Ends are empty if there is no interval, bounds if the claimed range has none.
    """
    rows = [_effect(name, part) for name, verdict in decided.items() for part in verdict.parts]
    return pd.DataFrame(rows, columns=EFFECTS).replace([np.inf, -np.inf], np.nan)


def _effect(name: str, part: Part) -> dict[str, Any]:
    interval = part.interval
    return {
        "claim": name,
        "difference": part.name,
        **{key: getattr(interval, key) for key in ("value", "low", "high", "n")},
        "level": interval.level if interval.known else None,
        "claimed_above": part.claimed[0],
        "claimed_below": part.claimed[1],
        "p_against": part.against if interval.known else None,
        "digits": part.digits,
    }


def claims_stage(results: str | Path, settings: Paper, out: str | Path) -> pd.DataFrame:
    """Write claims.csv of a results folder, and claims-effects.csv, the differences with their intervals."""
    decided, out = verdicts(Results(results), settings), Path(out)
    frame = claims_frame(decided)
    effects = effects_frame(decided).to_csv(index=False, lineterminator="\n")
    write_text(out.with_name(f"{out.stem}-effects.csv"), effects)
    write_text(out, frame.to_csv(index=False, lineterminator="\n"))
    return frame
