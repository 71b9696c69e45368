"""Compare methods within folds, for Tables 4, 5 and 7: pre-trained and from scratch, layer by layer, SVM and softmax.

All methods use the same folds, so their difference is taken within each fold. Its mean has a 95 % interval by the
corrected resampled t-test (Nadeau & Bengio 2003): with k folds, n training and m test images,

    mean ± t(k - 1) · sd · sqrt(1/k + m/n).

The plain paired t-test would divide by k alone, as if folds were independent. But their training sets are drawn from
the same images and overlap, so its intervals are too narrow.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pandas as pd

from zfnet.core.errors import ZfnetError
from zfnet.paper.results import Results
from zfnet.paper.statistics import t_interval

LEVEL = 0.95
COLUMNS = ["comparison", "set", "size", "difference", "low", "high", "folds"]
LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc7")  # of Table 7
HEADING = (
    "Paired differences over identical folds, in points, with 95 % intervals by the corrected resampled t "
    "(Nadeau & Bengio 2003), since training sets of folds overlap; none is widened for the number of comparisons."
)


def head_folds(results: Results, dataset: str, head: str, layer: str, size: int) -> pd.Series:
    """Return the accuracy in per cent of one head at one training size, by fold (empty if it was not trained)."""
    heads = results.frame(f"transfer/heads/{dataset}.csv")
    if heads is None:
        return pd.Series(dtype=float)
    chosen = heads[(heads["head"] == head) & (heads["layer"] == layer) & (heads["size"] == size)]
    return chosen.set_index("fold")["accuracy"].sort_index()


def scratch_folds(results: Results, dataset: str, size: int) -> pd.Series:
    """Return the accuracy in per cent of nets trained from scratch, by fold (empty if none were trained)."""
    scratch = results.frame(f"transfer/scratch/{dataset}.csv")
    if scratch is None:
        return pd.Series(dtype=float)
    return scratch[scratch["size"] == size].set_index("fold")["accuracy"].sort_index()


def against_scratch(results: Results, dataset: str, sizes: Iterable[int]) -> pd.DataFrame:
    """Compare pre-trained and from scratch (Tables 4 and 5) at every size that both have, over the same folds."""
    check_folds(results, dataset)
    rows = [
        _row(
            results,
            ("pre-trained - from scratch", dataset, size),
            head_folds(results, dataset, "softmax", "fc7", size),
            scratch_folds(results, dataset, size),
        )
        for size in sizes
    ]
    return _frame(rows)


def check_folds(results: Results, dataset: str) -> None:
    """Refuse to pair heads with nets from scratch that were trained and tested on other images."""
    records = [results.json(f"transfer/{stage}/{dataset}.json") or {} for stage in ("heads", "scratch")]
    heads, scratch = (record.get("folds") for record in records)
    if heads and scratch and heads != scratch:
        raise ZfnetError(
            f"{results.root}/transfer: heads and nets from scratch on {dataset} have different folds and cannot be "
            f"paired; make transfer/heads/{dataset}.csv and transfer/scratch/{dataset}.csv again."
        )


def layers_and_heads(results: Results, sizes: dict[str, int]) -> pd.DataFrame:
    """Compare each layer with the one before, and on conv5 and fc7 softmax with SVM, at one size per set (Table 7)."""
    pairs = [(("svm", high), ("svm", low)) for low, high in pairwise(LAYERS)] + [
        (("softmax", "fc7"), ("softmax", "conv5"))
    ]
    pairs += [(("softmax", layer), ("svm", layer)) for layer in ("conv5", "fc7")]
    rows = [
        _row(
            results,
            (f"{_name(first)} - {_name(second)}", dataset, size),
            *(head_folds(results, dataset, *which, size) for which in (first, second)),
        )
        for dataset, size in sizes.items()
        for first, second in pairs
    ]
    return _frame(rows)


def markdown(frame: pd.DataFrame) -> str:
    """Return the comparisons as a Markdown list."""
    lines = []
    row: Any  # a named tuple with the columns of `frame`
    for row in frame.itertuples():
        interval = "too few folds for an interval" if pd.isna(row.low) else f"[{row.low:+.1f}, {row.high:+.1f}]"
        lines.append(
            f"- {row.comparison}, {row.set}, {row.size} per class: {row.difference:+.1f} {interval}, n = {row.folds}"
        )
    return "\n".join([HEADING, "", *lines]) + "\n" if lines else ""


def _name(which: tuple[str, str]) -> str:
    return f"{which[0]} ({which[1]})"


def _row(results: Results, names: tuple[str, str, int], first: pd.Series, second: pd.Series) -> list | None:
    differences = (first - second).dropna()
    if not len(differences):
        return None
    interval = t_interval(differences.to_numpy(), LEVEL, test_train_ratio(results, *names[1:]))
    ends = [round(end, 4) for end in (interval.low, interval.high)] if interval.known else [None, None]
    return [*names, round(interval.value, 4), *ends, interval.n]


def test_train_ratio(results: Results, dataset: str, size: int) -> float:
    """Return test images divided by training images at one size; 0 if no head was trained."""
    heads = results.frame(f"transfer/heads/{dataset}.csv")
    if heads is None:
        return 0.0
    chosen = heads[heads["size"] == size]
    return float((chosen["test_images"] / chosen["train_images"]).mean()) if len(chosen) else 0.0


def no_comparisons(results: Results) -> pd.DataFrame:
    """Return the empty frame of a table without comparisons."""
    return _frame([])


def _frame(rows: Iterable[list | None]) -> pd.DataFrame:
    return pd.DataFrame([row for row in rows if row is not None], columns=COLUMNS)
