"""Claim C23: would a loss that permits several objects per picture improve PASCAL? Independent sigmoids minus softmax.

The unit is a validation picture: a resample draws pictures with replacement, that is, gives each a weight, and mean
average precision is computed with these weights for both heads. The features are those of one pre-trained net.
"""

from collections.abc import Callable

from zfnet.paper.claims.verdicts import Evidence, Finding, directed, not_run, of_nets
from zfnet.paper.resampled_ap import mean_aps, weights_of
from zfnet.paper.statistics import Interval


def several_labels_help(evidence: Evidence) -> Finding:
    """C23: mAP of the sigmoids minus mAP of the softmax is above zero."""
    if not (evidence.results.root / "transfer/voc/scores.safetensors").exists():
        return not_run("needs transfer/voc/scores.safetensors")
    arrays = evidence.results.arrays("transfer/voc/scores.safetensors")
    settings, truth = evidence.settings, arrays["truth"]
    count = len(truth)
    weights = weights_of(count, settings.resamples)
    differences = mean_aps(arrays["sigmoid"], truth, weights) - mean_aps(arrays["softmax"], truth, weights)
    error = float(differences[1:].std(ddof=1))
    interval = Interval(float(differences[0]), count, ((error, count - 1),), settings.confidence_level)
    part = directed("mAP, sigmoids - softmax", interval, above=True, digits=2)
    return of_nets([part], settings.confidence_level, nets=1, reason="pictures resampled")


DECIDED: dict[str, Callable[[Evidence], Finding]] = {"C23": several_labels_help}
