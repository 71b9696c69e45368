"""The register of claims: every claim is listed, explained and decided, or open for a stated reason."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from claim_results import SETTINGS, decided

from zfnet.core.errors import ZfnetError
from zfnet.core.files import write_json
from zfnet.paper.claims import decide, feature_claims, image_claims
from zfnet.paper.results import Results


def test_all_claims_are_listed_once_and_every_open_one_says_what_is_missing():
    listed = decide.statements()
    assert list(listed) == [f"C{number}" for number in range(1, len(listed) + 1)]
    assert {name for name, claim in listed.items() if "missing" not in claim} == set(decide.DECIDED)
    assert len(decide.DECIDED) == sum(len(module.DECIDED) for module in decide.MODULES)  # no claim is decided twice


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ({"item": "ZF-T1", "statement": "", "how": ""}, "C56 has no paper; every claim needs item, "),
        (dict.fromkeys(decide.FIELDS, ""), "C56 needs a function, listed in DECIDED"),
    ],
)
def test_an_incomplete_claim_is_a_sentence(claim, message):
    with pytest.raises(ZfnetError, match=message):
        decide.check_claims(decide.statements() | {"C56": claim})


def test_a_function_of_no_listed_claim_is_a_sentence():
    with pytest.raises(ZfnetError, match=r"no claim in claims\.yaml: 'C1'"):
        decide.check_claims({name: claim for name, claim in decide.statements().items() if name != "C1"})


def test_the_documented_claims_are_the_claims():
    """docs/claims.md ends with `zfnet.paper.claims.decide.explain()`."""
    text = (Path(__file__).parents[2] / "docs/claims.md").read_text(encoding="utf-8")
    assert text.endswith(decide.explain())


def test_nothing_run_decides_nothing(empty):
    frame = decide.claims_frame(decide.verdicts(Results(empty), SETTINGS))
    assert set(frame["verdict"]) == {"not run"}
    assert (frame["reason"] != "").all()


def test_every_claim_of_a_full_tree_has_a_verdict_and_no_interval_without_numbers(results, tmp_path):
    frame = decide.claims_stage(results, SETTINGS, tmp_path / "claims.csv")
    assert set(frame["verdict"]) <= {"holds", "fails", "undecided", "not run"}
    assert (frame.loc[frame["verdict"].isin(["holds", "fails"]), "interval"] != "").all()
    again = pd.read_csv(tmp_path / "claims.csv").fillna("")
    pd.testing.assert_frame_equal(again, frame, check_dtype=False)


def test_the_differences_of_every_verdict_are_written_with_their_intervals(results, tmp_path):
    frame = decide.claims_stage(results, SETTINGS, tmp_path / "claims.csv").set_index("claim")
    effects = pd.read_csv(tmp_path / "claims-effects.csv").set_index("claim")
    inside = (effects["claimed_above"].fillna(-np.inf) < effects["low"]) & (
        effects["high"] < effects["claimed_below"].fillna(np.inf)
    )
    verdicts = frame["verdict"]
    counted = {"C20"}  # shares with exact intervals, not differences
    assert set(verdicts.index[verdicts != "not run"]) - counted == set(effects.index)
    assert inside[effects.index.isin(set(verdicts.index[verdicts == "holds"]))].all()
    assert not inside.groupby(level=0).all()[sorted(set(verdicts.index[verdicts == "fails"]) - counted)].any()
    known = effects["low"].notna()
    assert (effects.loc[known, "low"] < effects.loc[known, "value"]).all()
    assert effects.loc[~known, ["high", "level", "p_against"]].isna().all(axis=None)


def test_every_claim_about_what_nets_see_takes_three_nets(results, tmp_path):
    shutil.copytree(results, tmp_path / "all")
    seen = tmp_path / "all/visualize"
    for seed in (2, 3):
        shutil.copytree(seen / "zf-s1", seen / f"zf-s{seed}")
    for name in feature_claims.DECIDED | image_claims.DECIDED:
        found = decided(name, tmp_path / "all")
        assert found.outcome != "not run", name
        assert "3" in found.reason.split(";")[0] and "where a claim needs three" not in found.reason, name
    write_json(tmp_path / "all/settings/looked-at.json", ["zf-s1"])  # the others are left from other settings
    assert "1 net, where a claim needs three" in decided("C26", tmp_path / "all").reason
