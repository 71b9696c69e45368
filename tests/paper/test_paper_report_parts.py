"""Parts of the report: deviations, curves, the workflow's graph, decisions and their settings, costs and origins."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from zfnet.core.files import write_json, write_text
from zfnet.paper.items import find
from zfnet.paper.report import curves, effects
from zfnet.paper.report.comparison import table_view
from zfnet.paper.report.documents import Decision, citation, decisions, edges, explain_decisions, set_to
from zfnet.paper.report.embedded import downloads
from zfnet.paper.report.origins import cost, origins, stages, totals
from zfnet.paper.report.workflow_graph import layout, levels, reduced
from zfnet.paper.results import Results
from zfnet.settings import Settings

ROOT = Path(__file__).parents[2]


# ---- tables ----------------------------------------------------------------------------------------------------------
def test_deviations_say_direction_side_and_size_without_colours(results):
    table = find("table2", "tables")
    frame = table.build(Results(results))
    frame.loc["zf", ["ours_val_top1", "ours_val_top5"]] = [30.0, 16.6]
    row = next(row for row in table_view(frame, table)["rows"] if row["key"] == "zf")
    shown = [(pair.symbol, pair.difference, pair.side, pair.size) for pair in row["pairs"][:2]]
    assert shown == [("▼", "−8.4", "better", "off"), ("△", "+0.1", "worse", "near")]


def test_where_neither_is_better_nothing_is_coloured(results):
    table = find("table1", "tables")
    pairs = [pair for row in table_view(table.build(Results(results)), table)["rows"] for pair in row["pairs"]]
    assert {(pair.symbol, pair.side, pair.size) for pair in pairs} == {("", "", "")}


# ---- curves ----------------------------------------------------------------------------------------------------------
def test_every_training_with_a_history_is_drawn(results):
    found = Results(results)
    groups = curves.groups(found)
    drawn = {line.run for group in groups for panel in group.panels for line in panel.lines if line.points}
    assert drawn == set(found.runs)
    assert ("krizhevsky", 3) in {(net, trainings) for group in groups for net, trainings, _ in group.key}


def test_curves_keep_their_order_and_scale(results):
    group = curves.groups(Results(results))[0]
    loss = group.panels[0].lines[0]
    points = [tuple(map(float, point.split(","))) for point in loss.points.split()]
    assert len(points) == 8
    assert points[0][0] == curves.LEFT
    assert points[-1][0] == curves.WIDTH - curves.RIGHT
    assert points[0][1] < points[-1][1]  # the loss falls, and y grows downwards


def test_the_rate_falls_where_the_history_says(results):
    found = Results(results)
    assert curves.rate_falls(found.history(found.runs["zf-s1"])) == [6]
    assert curves.rate_falls([{"epoch": 1, "learning_rate": 0.1}, {"epoch": 2, "learning_rate": 0.1}]) == []


def test_the_curves_are_a_drawing_of_their_own(reported):
    drawing = ElementTree.parse(reported / "figures/curves.svg").getroot()
    assert drawing.tag == "{http://www.w3.org/2000/svg}svg"
    lines = drawing.findall(".//{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == sum(
        bool(line.points)
        for group in curves.groups(Results(reported))
        for panel in group.panels
        for line in panel.lines
    )


def test_labels_are_moved_apart_in_their_order():
    assert curves.spread({"a": 10, "b": 12, "c": 50}, 10, 60) == {"a": 2, "b": 12, "c": 50}
    assert curves.spread({"a": 58, "b": 59}, 10, 55) == {"a": 45, "b": 55}


@pytest.mark.parametrize(("low", "high", "expected"), [(1, 6, [1, 2, 3, 4, 5, 6]), (0, 2.2, [0, 0.5, 1, 1.5, 2])])
def test_ticks_are_round(low, high, expected):
    assert curves.ticks(low, high) == expected


# ---- workflow --------------------------------------------------------------------------------------------------------
DIAMOND = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("a", "d")]


def test_a_rule_stands_right_of_all_that_it_needs():
    assert levels(DIAMOND) == {"a": 0, "b": 1, "c": 1, "d": 2}
    drawn = layout(edges())
    places = {rule.name: rule.x for rule in drawn["rules"]}
    assert all(places[start] < places[end] for start, end in edges())
    assert len({(rule.x, rule.y) for rule in drawn["rules"]}) == len(places)


def test_arrows_that_a_longer_way_implies_are_left_out():
    assert reduced(DIAMOND) == DIAMOND[:-1]


def test_the_graph_is_that_of_the_documentation():
    assert ("report_page", "all") in edges()
    drawn = re.findall(r"(\w+) --> (\w+)", (ROOT / "docs/workflow.md").read_text())
    assert sorted(edges()) == sorted(drawn)


# ---- documents -------------------------------------------------------------------------------------------------------
def test_the_documented_decisions_are_those_of_the_report():
    """docs/decisions.md contains `zfnet.paper.report.documents.explain_decisions()`."""
    assert explain_decisions() in (ROOT / "docs/decisions.md").read_text(encoding="utf-8")


def test_all_decisions_are_read_and_their_settings_exist():
    found = decisions()
    assert [one.name for one in found] == [f"D{number}" for number in range(1, len(found) + 1)]
    fields = paths(Settings().model_dump())
    for one in found:
        for path in one.settings:
            assert set_to(Decision("", "", "", (path,)), fields), f"{one.name}: {path} is no setting"


def paths(values, prefix=""):
    """All settings by path."""
    flat = {}
    for key, value in values.items():
        flat |= paths(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": str(value)}
    return flat


def test_a_decision_shows_what_its_settings_were_set_to():
    decay = next(one for one in decisions() if one.name == "D8")
    assert decay.settings == ("training.*.weight_decay", "training.*.bias_lr_multiplier")
    values = {"training.zf.weight_decay": "0.1", "training.zf.bias_lr_multiplier": "2", "training.seeds": "5"}
    assert set_to(decay, values) == [("training.*.weight_decay", "0.1"), ("training.*.bias_lr_multiplier", "2")]
    values |= {"training.krizhevsky.weight_decay": "0.1", "training.krizhevsky.bias_lr_multiplier": "3"}
    assert set_to(decay, values) == [
        ("training.*.weight_decay", "0.1"),
        ("training.zf.bias_lr_multiplier", "2"),
        ("training.krizhevsky.bias_lr_multiplier", "3"),
    ]


def test_the_citation_names_the_papers():
    found = citation()
    assert found["references"][0].startswith("Matthew D. Zeiler, Rob Fergus (2014): Visualizing and Understanding")
    assert found["own"].startswith("The zfnet authors: ")


def test_the_package_carries_the_repository_s_citation():
    carried = ROOT / "src/zfnet/paper/report/citation.yaml"
    assert yaml.safe_load(carried.read_text()) == yaml.safe_load((ROOT / "CITATION.cff").read_text())


# ---- origins and cost ------------------------------------------------------------------------------------------------
def test_a_csv_is_explained_by_the_json_beside_it(results):
    (one,) = origins(Results(results), ["transfer/heads/caltech101.csv"])
    assert (one.file, one.commit, one.command) == ("transfer/heads/caltech101.csv", "0123456789abcdef", "zfnet test")


def test_hashes_of_all_inputs_are_shown(tmp_path):
    inputs = {"weights": {"path": "w", "sha256": "a" * 64}, "data": [{"path": "d", "sha256": "b" * 64}]}
    write_json(tmp_path / "visualize/filters.json", {"provenance": {"inputs": inputs}, "spec": "c" * 64})
    (one,) = origins(Results(tmp_path), ["visualize/filters.json"])
    assert one.hashes == (("data", "b" * 64), ("weights", "a" * 64), ("spec", "c" * 64))


def test_a_source_that_is_not_there_is_named(results):
    (one,) = origins(Results(results), ["visualize/nothing.csv"])
    assert not one.found


def test_cost_sums_only_what_every_training_measured(results):
    rows = cost(Results(results))
    assert totals(rows) == {"seconds": pytest.approx(4.8 * len(rows)), "cpu_seconds": None, "gpu_seconds": 0}


def test_the_time_of_other_stages_is_what_they_wrote(tmp_path):
    write_json(tmp_path / "transfer/voc/ap.json", {"provenance": {"seconds": 7.5, "device": "cpu"}})
    write_json(tmp_path / "visualize/zf-s1/features.json", {"provenance": {}})
    for run in ("a", "b"):
        write_json(tmp_path / f"runs/{run}/evaluation.json", {"seconds": 2.0, "provenance": {}, "val": {"images": 1}})
    assert stages(Results(tmp_path)) == [("transfer/voc/ap", 7.5, "cpu"), ("errors of 2 trainings", 4.0, "")]


def test_heavy_files_are_named_and_not_carried(tmp_path):
    (tmp_path / "figure2.pdf").write_bytes(b"x" * 20)
    assert downloads(tmp_path, "figure2", 20)[0]["url"].startswith("data:application/pdf;base64,")
    assert downloads(tmp_path, "figure2", 10) == [{"name": "figure2.pdf", "folder": tmp_path.name, "url": None}]


def test_a_difference_is_drawn_where_its_numbers_lie(tmp_path):
    write_text(
        tmp_path / "claims-effects.csv",
        "claim,difference,value,low,high,n,level,claimed_above,claimed_below,p_against,digits\n"
        "C1,top-1,-2.0,-3.0,-1.0,3,0.95,,0.0,0.99,1\n"
        "C1,within,0.5,-1.0,2.0,3,0.9,-1.5,1.5,0.3,2\n"
        "C2,one,4.0,,,1,,0.0,,,1\n",
    )
    found = effects.effects(Results(tmp_path))
    below, within = found["C1"]
    (single,) = found["C2"]
    assert [one.value for one in (below, within)] == pytest.approx(
        [sum(one.interval) / 2 for one in (below, within)], abs=0.1
    )
    assert below.interval[1] < below.zero == sum(below.claimed)
    assert below.supported and not within.supported  # 2.0 lies beyond the margin
    assert within.claimed[0] < within.interval[0] and sum(within.claimed) < within.interval[1]
    assert single.interval is None and not single.supported and single.value > single.zero == single.claimed[0]
    assert below.alt == "top-1: -2.0 [-3.0, -1.0], n = 3, claimed below 0"
    assert single.numbers == "+4.0 no interval, n = 1"
