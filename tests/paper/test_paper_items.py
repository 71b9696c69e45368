"""The register of tables and figures: every item has its module, and inputs name the right files."""

import pytest

from zfnet.paper.figures.figure import Figure
from zfnet.paper.items import claim_inputs, input_paths, items
from zfnet.paper.tables.table import Table

RUNS = ["zf-s1", "zf-s2", "zf-wide", "zf-wide-s2", "krizhevsky-s1"]


@pytest.mark.parametrize("name", items())
def test_every_item_is_an_object_of_its_own_name(name):
    item = items()[name]
    made = item.load()
    assert isinstance(made, Table if item.folder == "tables" else Figure)
    assert made.name == name
    assert item.category.lower() == item.folder
    assert item.label == f"{item.folder[:3]}:{name}"


def test_a_net_in_braces_is_its_first_training_and_with_a_star_each_of_them():
    assert input_paths({"files": ["visualize/{zf}/a.csv", "b.csv"]}, RUNS) == ["visualize/zf-s1/a.csv", "b.csv"]
    assert input_paths({"files": ["{zf-wide*}"]}, RUNS) == ["zf-wide", "zf-wide-s2"]
    assert input_paths({"files": ["{looked-at}/c.csv"]}, RUNS, ["zf-s1", "zf-s2"]) == ["zf-s1/c.csv", "zf-s2/c.csv"]


def test_evaluations_are_errors_and_predictions_of_all_trainings():
    assert sorted(input_paths({"evaluations": ["zf"]}, RUNS)) == [
        f"runs/zf-s{seed}/{file}" for seed in (1, 2) for file in ("evaluation.json", "predictions.safetensors")
    ]


def test_a_net_without_trainings_is_named_as_its_first_one_would_be():
    assert input_paths({"files": ["{zf}", "{zf-unclipped}", "{krizhevsky*}"]}, []) == [
        "zf-s1", "zf-unclipped", "krizhevsky-s1",
    ]  # fmt: skip


def test_inputs_have_no_other_key():
    """A misspelt key would be ignored, and the item computed before its inputs are there."""
    for inputs in [claim_inputs(), *(item.inputs for item in items().values())]:
        assert set(inputs) <= {"files", "evaluations"}
