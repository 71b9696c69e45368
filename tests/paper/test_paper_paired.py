"""Paired comparisons: by hand, against the formula, and on a whole results folder."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from zfnet.core.errors import ZfnetError
from zfnet.core.files import write_json
from zfnet.paper.results import Results
from zfnet.paper.tables import table4, table5, table7
from zfnet.paper.tables.paired import COLUMNS
from zfnet.paper.tables.table import table_stage


def write_csv(path, rows, names):
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=names.split()).to_csv(path, index=False)


@pytest.fixture
def folds(tmp_path):
    """Five folds of which pre-trained wins by 50, 52, 54, 56 and 58 points; 30 training and 60 test images."""
    names = "set head layer size fold accuracy c classes train_images test_images"
    heads = [("caltech101", "softmax", "fc7", 15, k, 80 + 2 * k, 1, 2, 30, 60) for k in range(5)]
    write_csv(tmp_path / "transfer/heads/caltech101.csv", heads, names)
    scratch = [("caltech101", 15, k, 30.0) for k in reversed(range(5))]
    write_csv(tmp_path / "transfer/scratch/caltech101.csv", scratch, "set size fold accuracy")
    write_json(tmp_path / "transfer/heads/caltech101.json", {"too_few": {"ant": 7, "wasp": 9}, "left_out": []})
    return Results(tmp_path)


def test_the_interval_is_the_corrected_resampled_t(folds):
    frame = table4.paired(folds)
    assert list(frame.columns) == COLUMNS and len(frame) == 1
    row = frame.iloc[0]
    half = stats.t.ppf(0.975, 4) * np.std([50, 52, 54, 56, 58], ddof=1) * np.sqrt(1 / 5 + 60 / 30)
    assert (row["difference"], row["folds"]) == (54, 5)
    assert (row["low"], row["high"]) == pytest.approx((54 - half, 54 + half), abs=1e-3)


def test_how_far_nets_from_scratch_learnt_stands_below_the_table(folds, tmp_path):
    rows = [("caltech101", 15, k, 30.0, loss, 51) for k, loss in enumerate((1.0, 1.5, 2.0, 1.5, 1.5))]
    write_csv(tmp_path / "transfer/scratch/caltech101.csv", rows, "set size fold accuracy loss classes")
    reason = table4.build(Results(tmp_path)).loc["scratch", "reason"]
    assert "final training loss 1.50 at 15 per class, where chance is 3.93" in reason


def test_classes_with_too_few_images_are_named_below_the_table(folds, tmp_path):
    table_stage("table4", folds.root, tmp_path / "tables" / "table4.csv")
    text = (tmp_path / "tables" / "table4.md").read_text()
    assert "without classes with too few images: ant (7 images), wasp (9 images)" in text
    assert "pre-trained - from scratch, caltech101, 15 per class: +54.0 [" in text and "Nadeau" in text


def test_other_folds_cannot_be_paired(folds):
    for stage, key in (("heads", "a"), ("scratch", "b")):
        write_json(folds.root / f"transfer/{stage}/caltech101.json", {"folds": [{"train": [key], "test": ["c"]}]})
    with pytest.raises(ZfnetError, match="on caltech101 have different folds and cannot be paired"):
        table4.paired(folds)


def test_layers_and_heads_are_compared_on_both_sets(results):
    frame = table7.paired(Results(results))
    for _, rows in frame.groupby("set"):
        assert rows["comparison"].tolist() == [
            "svm (conv2) - svm (conv1)", "svm (conv3) - svm (conv2)", "svm (conv4) - svm (conv3)",
            "svm (conv5) - svm (conv4)", "svm (fc7) - svm (conv5)",
            "softmax (fc7) - softmax (conv5)", "softmax (conv5) - svm (conv5)", "softmax (fc7) - svm (fc7)",
        ]  # fmt: skip
    assert frame["set"].nunique() == 2 and (frame["low"] < frame["difference"]).all()
    assert table5.paired(Results(results))["size"].tolist() == [15, 30, 45, 60]


def test_nothing_run_compares_nothing(empty, tmp_path):
    for number in (2, 7):
        table_stage(f"table{number}", empty, tmp_path / f"table{number}.csv")
        assert (tmp_path / f"table{number}-paired.csv").read_text() == ",".join(COLUMNS) + "\n"
