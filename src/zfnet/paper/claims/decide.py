"""What reproduced: every claim of the papers with our numbers, their interval and a verdict (docs/claims.md).

The claims stand in claims.yaml; a function in one of the modules claims_* decides each one that this workflow measures.
The rest says what would have to be run. The papers' own numbers are context, no pass mark.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from zfnet.core.files import write_text
from zfnet.paper.claims import caltech_claims, feature_claims, filter_claims, image_claims, imagenet_claims, voc_claims
from zfnet.paper.claims.verdicts import Evidence, Finding, Part, not_run
from zfnet.paper.results import Results
from zfnet.settings import Paper

MODULES = (imagenet_claims, caltech_claims, filter_claims, feature_claims, image_claims, voc_claims)
DECIDED = {name: decides for module in MODULES for name, decides in module.DECIDED.items()}
EFFECTS = (
    *("claim", "difference", "value", "low", "high", "n", "level"),
    *("claimed_above", "claimed_below", "p_against", "digits"),
)
COLUMNS = ("claim", "item", "statement", "paper", "ours", "interval", "verdict", "reason", "how")


@cache
def statements() -> dict[str, dict[str, str]]:
    """All claims by their id: item, statement, the paper's numbers, how they are decided, what is missing."""
    return yaml.safe_load(Path(__file__).with_name("claims.yaml").read_text(encoding="utf-8"))


def decide(name: str, evidence: Evidence) -> Finding:
    """Decide one claim (C1-C55)."""
    if name not in DECIDED:
        return not_run(statements()[name]["missing"])
    return DECIDED[name](evidence)


def explain() -> str:
    """How every claim is decided, as the Markdown table of docs/claims.md."""
    lines = ["| claim | item | statement | decided by |", "|---|---|---|---|"]
    for name, claim in statements().items():
        how = (
            claim["how"] if name in DECIDED else f"*not run:* {claim['missing']}. It would be decided by {claim['how']}"
        )
        lines.append(f"| {name} | {claim['item']} | {claim['statement']} | {how} |")
    return "\n".join(lines) + "\n"


def findings(results: Results, settings: Paper) -> dict[str, Finding]:
    """What is found of every claim, in the order of their numbers."""
    evidence = Evidence(results, settings)
    return {name: decide(name, evidence) for name in statements()}


def table(found: dict[str, Finding]) -> pd.DataFrame:
    """All claims with their verdicts, a row each."""
    rows = [_row(name, statements()[name], finding) for name, finding in found.items()]
    return pd.DataFrame(rows, columns=COLUMNS)


def effects(found: dict[str, Finding]) -> pd.DataFrame:
    """All differences that claims are about, a row each: value, interval, and the range that is claimed.

    Ends are empty where there is no interval, bounds where the claimed range has none.
    """
    rows = [_effect(name, part) for name, finding in found.items() for part in finding.parts]
    return pd.DataFrame(rows, columns=EFFECTS).replace([np.inf, -np.inf], np.nan)


def _row(name: str, claim: dict[str, str], finding: Finding) -> dict[str, str]:
    return {
        "claim": name,
        **{key: claim[key] for key in ("item", "statement", "paper", "how")},
        **{key: getattr(finding, key) for key in ("ours", "interval", "verdict", "reason")},
    }


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
    """Write claims.csv of a results folder, and beside it claims-effects.csv, the differences with their intervals."""
    found, out = findings(Results(results), settings), Path(out)
    frame = table(found)
    write_text(out.with_name(f"{out.stem}-effects.csv"), effects(found).to_csv(index=False, lineterminator="\n"))
    write_text(out, frame.to_csv(index=False, lineterminator="\n"))
    return frame
