"""Top-k error, the measure of Tables 2 and 3.

A picture counts as an error when fewer than k classes may stand behind its label, ties counting against the net: a
net that gives all classes the same probability is always wrong, and so is one that gives NaN.
"""

import numpy as np
from numpy.typing import ArrayLike

from zfnet.core.errors import ZfnetError


def top_error(probabilities: ArrayLike, labels: ArrayLike, k: int) -> float:
    """Share of pictures whose label is not among the k most probable classes, in per cent.

    Parameters
    ----------
    probabilities : (N, C), array or CPU tensor; any scores that rise with the probability, such as logits, will do.
    labels : int (N,), 0 … C - 1.
    k : how many guesses are allowed. With k >= C no picture is an error.

    Raises
    ------
    ZfnetError
        No pictures, shapes that do not fit, or a label that is no class.
    """
    return 100.0 * float(missed(probabilities, labels, k).mean())


def missed(probabilities: ArrayLike, labels: ArrayLike, k: int) -> np.ndarray:
    """Which pictures are errors: bool (N,); same arguments as `top_error`. Paired comparisons of nets start here."""
    probabilities, labels = _checked(np.asarray(probabilities), np.asarray(labels))
    own = probabilities[np.arange(len(labels)), labels]  # (N,)
    rivals = (~(probabilities < own[:, None])).sum(1) - 1  # without the label itself; NaN is below nothing
    return (rivals >= k) & (k < probabilities.shape[1])


def _checked(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not len(labels):
        raise ZfnetError(
            f"Probabilities {probabilities.shape} and labels {labels.shape} do not fit; "
            "expected (pictures, classes) and (pictures,), at least one picture."
        )
    wrong = labels[(labels < 0) | (labels >= probabilities.shape[1])]
    if len(wrong):
        raise ZfnetError(f"Label {wrong[0]} is none of the {probabilities.shape[1]} classes of the net.")
    return probabilities, labels
