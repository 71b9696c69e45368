"""The commands in the rules: every sub-command and option that a rule uses is one that `zfnet` has."""

import re
from pathlib import Path

import pytest
import typer

from zfnet.cli import app

RULES = Path(__file__).parents[2] / "workflow" / "rules"
GROUP = typer.main.get_command(app)


def calls() -> list[tuple[str, set[str]]]:
    """Return (sub-command, options) of every `zfnet` call in the rules."""
    found = []
    for path in sorted(RULES.glob("*.smk")):
        for shell in re.findall(r'shell:\n((?:\s+"[^\n]*"\n)+)', path.read_text(encoding="utf-8")):
            text = " ".join(re.findall(r'"(.*)"', shell))
            if name := re.search(r"\bzfnet ([a-z-]+)", text):
                found.append((name[1], set(re.findall(r"(?<!\w)--[a-z-]+", text))))
    return found


def test_the_rules_call_commands():
    assert {"train", "shards", "claims"} <= {name for name, _ in calls()}


@pytest.mark.parametrize(("name", "options"), calls())
def test_a_rule_uses_options_that_exist(name, options):
    known = {option for parameter in GROUP.commands[name].params for option in parameter.opts}
    assert options - known == set()
