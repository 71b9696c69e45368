"""Table 6: PASCAL VOC 2012, average precision per class of a 20-way softmax on frozen features.

Ours are measured on the validation part, because the test labels are on the server (D25); the printed ones on the
test set, so they are context and not a pass mark. '# won' counts the classes in which ours is above the printed [A]
and [B], as the arXiv version does with its three columns. Printed misprints are flagged (D26).
"""

import pandas as pd

from zfnet.paper import printed
from zfnet.paper.results import Results
from zfnet.paper.tables import Cell, Measure, Measured, assemble

TITLE = "Table 6. PASCAL VOC 2012: average precision (%); ours on val, paper's on test"
LABEL = "Class"
MEASURES = {"ap": Measure("AP")}
OTHERS = {"sande": "[A] Sande et al.", "yan": "[B] Yan et al.", "oquab": "Oquab et al. (ECCV)"}
WHOLE = ("won",)  # rows of whole numbers
HEAD = "softmax"


def table(results: Results) -> pd.DataFrame:
    """Set average precisions beside the printed ones."""
    theirs = printed.table(6)
    ap = _precisions(results)
    ours: dict[str, dict[str, Cell]] = {row: {"ap": _cell(ap, row)} for row in theirs.index}
    if len(ap):
        ours["mean"] = {"ap": Measured(float(ap.mean()))}
        ours["won"] = {"ap": Measured(int((ap > theirs[["sande", "yan"]].max(axis=1).reindex(ap.index)).sum()))}
    fewer = {} if len(ap) in (0, 20) else dict.fromkeys(("mean", "won"), f"over {len(ap)} classes")
    return assemble(6, MEASURES, ours, fewer)


def _precisions(results: Results) -> pd.Series:
    """Average precision in per cent by VOC's class name, classes without a positive picture left out."""
    found = results.frame("transfer/voc/ap.csv")
    if found is None:
        return pd.Series(dtype=float)
    found = found[(found["head"] == HEAD) & found["class"].isin(printed.table(6).index[:20])]
    return found.set_index("class")["ap"].dropna()


def _cell(ap: pd.Series, name: str) -> Cell:
    return Measured(float(ap[name])) if name in ap else "no positive picture on val, or transfer/voc was not run"
