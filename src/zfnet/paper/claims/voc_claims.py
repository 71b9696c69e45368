"""Claim C23: would a loss that permits several objects per image improve PASCAL? Independent sigmoids minus softmax.

The unit is a validation image: a resample draws images with replacement, that is, gives each a weight, and mean average
precision is computed with these weights for both heads. The features are those of one pre-trained net.
"""

from collections.abc import Callable

from zfnet.paper.claims.verdicts import Evidence, Verdict, conclude, directed, not_run
from zfnet.paper.resampled_ap import mean_aps, weights_of
from zfnet.paper.statistics import Interval


def several_labels_help(evidence: Evidence) -> Verdict:
    """C23: mAP of the sigmoids minus mAP of the softmax is above zero."""
    if not (evidence.results.root / "transfer/voc/scores.safetensors").exists():
        return not_run("needs transfer/voc/scores.safetensors")
    arrays = evidence.results.arrays("transfer/voc/scores.safetensors")
    truth = arrays["truth"]
    count = len(truth)
    weights = weights_of(count, evidence.settings.resamples)
    differences = mean_aps(arrays["sigmoid"], truth, weights) - mean_aps(arrays["softmax"], truth, weights)
    error = float(differences[1:].std(ddof=1))
    interval = Interval(float(differences[0]), count, ((error, count - 1),), evidence.level)
    part = directed("mAP, sigmoids - softmax", interval, above=True, digits=2)
    return conclude([part], evidence.level, "images resampled", nets=1)


DECIDED: dict[str, Callable[[Evidence], Verdict]] = {"C23": several_labels_help}
