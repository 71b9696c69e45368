"""Table 6: PASCAL VOC 2012, average precision per class of a 20-way softmax on frozen features.

Ours are measured on the validation set, because the test labels are on the server (D25); the published ones on the
test set, so they are context and not a target. '# won' counts the classes in which ours is above the published [A]
and [B], as the arXiv version does with its three columns. Misprints are flagged (D26). The standard deviation of a
value is over resampled images of val (`zfnet.paper.resampled_ap`) with fixed heads.
"""

import numpy as np
import pandas as pd

from zfnet.paper import published
from zfnet.paper.resampled_ap import RESAMPLES, class_aps, weights_of
from zfnet.paper.results import Results
from zfnet.paper.tables.table import Cell, Measure, Measured, Table, assemble

MEASURES = {"ap": Measure("AP")}
OTHERS = {"sande": "[A] Sande et al.", "yan": "[B] Yan et al.", "oquab": "Oquab et al. (ECCV)"}
HEAD = "softmax"
SCORES = "transfer/voc/scores.safetensors"
RESAMPLED = f"± of all rows: standard deviation over {RESAMPLES:,} resamples of the images of val"


def build(results: Results) -> pd.DataFrame:
    """Set average precisions beside the published ones."""
    theirs = published.table(6)
    ap, spread = _precisions(results), _spreads(results)
    ours: dict[str, dict[str, Cell]] = {row: {"ap": _cell(ap, spread, row)} for row in theirs.index}
    if len(ap):
        ours["mean"] = {"ap": Measured(float(ap.mean()), spread.get("mean"))}
        ours["won"] = {"ap": Measured(int((ap > theirs[["sande", "yan"]].max(axis=1).reindex(ap.index)).sum()))}
    fewer = {} if len(ap) in (0, 20) else dict.fromkeys(("mean", "won"), f"over {len(ap)} classes")
    return assemble(6, MEASURES, ours, fewer, {"mean": RESAMPLED} if spread else {})


def _precisions(results: Results) -> pd.Series:
    """Return average precision in per cent by VOC class, without classes that have no positive image."""
    table = results.frame("transfer/voc/ap.csv")
    if table is None:
        return pd.Series(dtype=float)
    rows = table[(table["head"] == HEAD) & table["class"].isin(published.table(6).index[:20])]
    return rows.set_index("class")["ap"].dropna()


def _spreads(results: Results) -> dict[str, float]:
    """Return standard deviations over resampled images, by class and of the mean, in points; none without scores."""
    if not (results.root / SCORES).exists():
        return {}
    arrays, record = results.arrays(SCORES), results.frame("transfer/voc/ap.csv")
    if record is None:
        return {}
    weights = weights_of(len(arrays["truth"]), RESAMPLES)[1:]
    aps = class_aps(arrays[HEAD], arrays["truth"], weights)
    names = list(dict.fromkeys(record["class"]))  # in the order of the scores
    known = ~np.isnan(aps).all(1)
    spreads = dict(zip(np.array(names)[known], np.nanstd(aps[known], axis=1, ddof=1).tolist(), strict=True))
    return spreads | {"mean": float(np.nanmean(aps[known], axis=0).std(ddof=1))}


def _cell(ap: pd.Series, spread: dict[str, float], name: str) -> Cell:
    if name not in ap:
        return "no positive image on val, or transfer/voc was not run"
    return Measured(float(ap[name]), spread.get(name))


TABLE = Table(6, "Class", MEASURES, build, OTHERS, whole_rows=("won",))
