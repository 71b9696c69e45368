"""The register of tables and figures: every item has its module, and inputs name the right files."""

import pytest

from zfnet.core.errors import ZfnetError
from zfnet.paper import items as registry
from zfnet.paper import published
from zfnet.paper.figures.figure import Figure
from zfnet.paper.items import claim_inputs, input_paths, items, require_trained
from zfnet.paper.tables.table import Table
from zfnet.settings import Settings
from zfnet.training.experiments import specs, variant_of

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


def test_an_evaluation_that_only_some_settings_train_is_an_input_only_there():
    inputs = {"evaluations_if_trained": ["krizhevsky-half"]}
    assert input_paths(inputs, ["krizhevsky-s1"]) == []
    assert input_paths(inputs, ["krizhevsky-s1", "krizhevsky-half"]) == [
        "runs/krizhevsky-half/evaluation.json",
        "runs/krizhevsky-half/predictions.safetensors",
    ]


def test_inputs_have_no_other_key():
    """A misspelt key would be ignored, and the item computed before its inputs are there."""
    for inputs in [claim_inputs(), *(item.inputs for item in items().values())]:
        assert set(inputs) <= {"files", "evaluations", "evaluations_if_trained"}


def test_the_rows_of_table_3_are_the_nets_that_it_is_made_from():
    """A row without an input would stay empty; an input without a row would be trained and not shown."""
    assert sorted(items()["table3"].inputs["evaluations"]) == sorted(published.table(3).index)


def test_every_net_that_an_item_or_a_claim_needs_is_trained():
    runs = specs(Settings())
    require_trained(runs)
    with pytest.raises(ZfnetError, match=r"no net in the inputs of figure6, items\.yaml: 'zf-unclipped'; there are zf"):
        require_trained([run for run in runs if variant_of(run) != "zf-unclipped"])


ENTRY = dict.fromkeys(
    ("module", "title", "caption", "look", "chapter", "category", "label", "decisions", "inputs", "sources"), ""
)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (ENTRY | {"captoin": ""}, "no field of new in items.yaml 'captoin'; .*did you mean 'caption'"),
        ({"module": "figures.new:FIGURE", **{key: "" for key in [*ENTRY][3:]}}, "new has no title, caption; "),
    ],
)
def test_an_entry_with_a_wrong_or_missing_field_is_a_sentence(entry, message):
    with pytest.raises(ZfnetError, match=message):
        registry._item("new", entry)


@pytest.mark.parametrize("module", ["figures.unwritten:FIGURE", "figures.figure2:FIGRUE"])
def test_an_item_without_its_module_is_a_sentence(module):
    with pytest.raises(ZfnetError, match=f"items.yaml: new: module {module} cannot be loaded"):
        registry._item("new", ENTRY | {"module": module}).load()
