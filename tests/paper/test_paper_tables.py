"""Tables: ours are what was measured, the paper's are exactly what is published, nothing is copied."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest

from zfnet.core.errors import ZfnetError
from zfnet.paper import published
from zfnet.paper.items import find
from zfnet.paper.results import Results
from zfnet.paper.tables import table
from zfnet.paper.tables.latex import escaped
from zfnet.paper.tables.table import Measured, measured
from zfnet.transfer.metrics import average_precision


def spec(number: int) -> table.Table:
    """Return Table `number` of the paper."""
    return find(f"table{number}", "tables")


@pytest.mark.parametrize("number", range(1, 8))
def test_every_published_number_stands_in_the_table(results, number):
    frame, theirs = spec(number).build(Results(results)), published.table(number)
    for column in theirs.columns.drop(["label", "flag"]):
        pd.testing.assert_series_equal(frame[f"paper_{column}"], theirs[column], check_names=False)


@pytest.mark.parametrize("number", range(1, 8))
def test_nothing_run_leaves_ours_empty_with_a_reason_in_every_own_row(empty, number):
    frame = spec(number).build(Results(empty))
    ours = [f"ours_{name}" for name in spec(number).measures]
    assert frame[ours].isna().all(axis=None)
    assert (frame["reason"] != "").all()
    assert (frame["reason"] != table.PUBLISHED_ONLY).any()


def test_published_means_of_table_6_differ_from_the_rows_as_flagged():
    classes = published.table(6).iloc[:20]
    assert classes[["sande", "yan", "oquab", "ap"]].mean().round(2).tolist() == [74.03, 82.33, 81.63, 79.0]
    won = classes.index[classes["ap"] > classes[["sande", "yan"]].max(axis=1)]
    assert won.tolist() == ["bird", "boat", "cat", "dog", "sheep"]


def test_misprints_are_flagged():
    flags = published.table(6)["flag"].dropna()
    assert set(flags.index) == {"boat", "diningtable", "mean", "won"}
    assert flags[["boat", "diningtable", "mean"]].str.startswith("D26").all()


def test_figure_9_ends_in_table_5():
    curve, table = published.figure9(), published.table(5)
    sizes = [15, 30, 45, 60]
    columns = [f"size{size}" for size in sizes]
    assert curve.loc[sizes, "ours"].tolist() == table.loc["pretrained", columns].tolist()
    assert curve.loc[sizes, "bo"].tolist() == table.loc["bo", columns].tolist()
    assert curve.loc[sizes, "sohn"].tolist() == table.loc["sohn", columns].tolist()


def test_single_nets_are_the_mean_and_standard_deviation_over_seeds(results):
    found = Results(results)
    errors = [found.error(run, "val_top5") for run in found.seeds("zf")]
    row = spec(2).build(found).loc["zf"]
    assert row["ours_val_top5"] == pytest.approx(np.mean(errors))
    assert row["ours_val_top5_spread"] == pytest.approx(np.std(errors, ddof=1))
    assert row["ours_val_top5_n"] == 3


def test_runs_left_by_other_settings_do_not_count(tmp_path):
    for run in ("zf-s1", "zf-s2"):
        (tmp_path / "runs" / run).mkdir(parents=True)
    assert [run.name for run in Results(tmp_path).seeds("zf")] == ["zf-s1", "zf-s2"]
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings" / "runs.json").write_text('["zf-s1"]')
    assert [run.name for run in Results(tmp_path).seeds("zf")] == ["zf-s1"]


def test_ensembles_average_probabilities_and_say_how_many_nets(results):
    found = Results(results)
    probabilities, labels = zip(*(found.predictions(run) for run in found.seeds("zf")), strict=True)
    wrong = np.mean(probabilities, axis=0).argmax(1) != labels[0]
    row = spec(2).build(found).loc["zf5"]
    assert row["ours_val_top1"] == pytest.approx(wrong.mean() * 100)
    assert row["ours_label"] == "3 convnets – (a)"


def test_one_net_and_the_wide_one_are_no_ensemble_of_six(results, tmp_path):
    for name in ("zf-s1", "zf-wide"):
        shutil.copytree(results / "runs" / name, tmp_path / "runs" / name)
    row = spec(2).build(Results(tmp_path)).loc["zf5-wide"]
    assert pd.isna(row["ours_val_top5"])
    assert "at least two trainings" in row["reason"]


def test_a_mean_over_fewer_classes_says_so(results, tmp_path):
    (tmp_path / "transfer/voc").mkdir(parents=True)
    found = pd.read_csv(results / "transfer/voc/ap.csv")
    found[found["class"] != "bird"].to_csv(tmp_path / "transfer/voc/ap.csv", index=False)
    frame = spec(6).build(Results(tmp_path))
    assert frame.loc["mean", "ours_label"] == frame.loc["won", "ours_label"] == "over 19 classes"
    assert "no positive image" in frame.loc["bird", "reason"]
    assert spec(6).build(Results(results))["ours_label"].isna().all()


def test_average_precisions_have_the_deviation_over_resampled_images(results):
    frame = spec(6).build(Results(results))
    arrays = Results(results).arrays("transfer/voc/scores.safetensors")
    rng, names = np.random.default_rng(5), list(published.table(6).index[:20])
    drawn = [rng.integers(0, 160, 160) for _ in range(300)]
    aps = [[average_precision(arrays["softmax"][some, k], arrays["truth"][some, k]) for k in (0, 1)] for some in drawn]
    expected = np.std(aps, axis=0, ddof=1)
    assert frame.loc[names[:2], "ours_ap_spread"].to_numpy(float) == pytest.approx(expected, rel=0.2)
    assert 0 < frame.loc["mean", "ours_ap_spread"] < min(expected)
    assert "1,000 resamples" in frame.loc["mean", "reason"]


def test_the_test_column_of_table_2_is_empty_and_says_why(results):
    frame = spec(2).build(Results(results))
    own = frame["reason"] != table.PUBLISHED_ONLY
    assert frame["ours_test_top5"].isna().all()
    assert frame.loc[own, "reason"].str.contains("server").all()


def test_the_wide_fully_connected_variant_is_not_taken_for_the_wide_one(results):
    assert [run.name for run in Results(results).seeds("zf-wide")] == ["zf-wide"]


def test_measured_of_one_value_has_no_spread_and_of_none_gives_the_reason():
    assert measured([3.0], "why") == Measured(3.0, None, 1)
    assert measured([], "why") == "why"


def test_a_table_is_written_in_three_forms(results, tmp_path):
    frame = table.table_stage("table4", results, tmp_path / "table4.csv")
    again = pd.read_csv(tmp_path / "table4.csv", index_col="row")
    assert again.loc["pretrained", "ours_size30"] == pytest.approx(frame.loc["pretrained", "ours_size30"])
    assert "| ImageNet-pretrained convnet |" in (tmp_path / "table4.md").read_text()
    latex = (tmp_path / "table4.tex").read_text()
    assert "86.5 $\\pm$ 0.5" in latex
    assert "\\toprule" in latex
    assert "(\\%)" in latex


@pytest.mark.parametrize("number", range(1, 8))
def test_latex_rows_have_as_many_cells_as_columns(results, tmp_path, number):
    table.table_stage(f"table{number}", results, tmp_path / f"table{number}.csv")
    text = (tmp_path / f"table{number}.tex").read_text()
    columns = 1 + len(re.search(r"linewidth\}(r+)\}\n", text)[1])
    rows = [line for line in text.splitlines() if line.endswith("\\\\")]
    assert len(rows) > 4
    for row in rows:
        spanned = row.count("\\multicolumn{2}")
        assert len(re.findall(r"(?<!\\)&", row)) + 1 + spanned == columns, row
    assert len(re.findall(r"(?<!\\)\{", text)) == len(re.findall(r"(?<!\\)\}", text))
    assert text.count("\\begin{") == text.count("\\end{") == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("100 % of A_1 & $2", r"100 \% of A\_1 \& \$2"),
        ("a\\b{c}", r"a\textbackslash{}b\{c\}"),
        ("[A] Sande", "{}[A] Sande"),
        ("-3.1 ± 1.9, p < 0.05", r"$-$3.1 $\pm$ 1.9, p $<$ 0.05"),
        ("top-5, 1–2", "top-5, 1--2"),
    ],
)
def test_texts_are_escaped_for_latex(text, expected):
    assert escaped(text) == expected


def test_published_deviations_keep_their_digits(results):
    shown = table.readable(spec(4).build(Results(results)), spec(4))
    assert shown.loc["bo", "30 per class, paper"] == "81.4 ± 0.33"
    assert shown.loc["scratch", "15 per class, paper"] == "22.8 ± 1.5"


def test_a_cause_that_concerns_all_rows_is_told_once(results):
    notes = table.footnotes(spec(2).build(Results(results)))
    assert notes[0] == "Ours: test labels are on the challenge's server (D28)"
    assert sum("ImageNet 2011" in note for note in notes) == 1


def test_a_cut_off_line_of_the_history_is_left_out(results, tmp_path):
    shutil.copytree(results / "runs" / "zf-s1", tmp_path / "runs" / "zf-s1")
    with (tmp_path / "runs/zf-s1/history.jsonl").open("a") as file:
        file.write('{"epoch": 9, "lo')
    found = Results(tmp_path)
    assert [record["epoch"] for record in found.history(found.runs["zf-s1"])] == list(range(1, 9))


def test_an_unknown_table_and_a_missing_folder_are_sentences(tmp_path):
    with pytest.raises(ZfnetError, match="no table 'table8'; choose one of table1, "):
        find("table8", "tables")
    with pytest.raises(ZfnetError, match="no such results folder"):
        Results(tmp_path / "nowhere")


def test_a_table_without_its_columns_is_a_sentence_that_names_them(tmp_path):
    (tmp_path / "transfer/voc").mkdir(parents=True)
    (tmp_path / "transfer/voc/ap.csv").write_text("class,head\nbird,softmax\n")
    with pytest.raises(ZfnetError, match=r"ap\.csv: damaged \(column ap is missing\)"):
        spec(6).build(Results(tmp_path))
