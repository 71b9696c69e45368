"""Top-k error, the measure of Tables 2 and 3; ties count against the net (see zfnet.core.ranking)."""

import numpy as np
from numpy.typing import ArrayLike

from zfnet.core.errors import ZfnetError
from zfnet.core.ranking import is_top_k_error


def top_error(probabilities: ArrayLike, labels: ArrayLike, k: int) -> float:
    """Return the percentage of images whose label is not among the k most probable classes.

    Parameters
    ----------
    probabilities : (N, C), array or CPU tensor; any scores that rise with the probability, such as logits, will do.
    labels : int (N,), 0 … C - 1.
    k : number of guesses allowed. With k >= C no image is an error.

    Raises
    ------
    ZfnetError
        No images, shapes that do not match, or a label that is not a class.
    """
    return 100.0 * float(missed(probabilities, labels, k).mean())


def missed(probabilities: ArrayLike, labels: ArrayLike, k: int) -> np.ndarray:
    """Return which images are errors: bool (N,), for paired comparisons of nets; arguments as for `top_error`."""
    probabilities, labels = _checked(np.asarray(probabilities), np.asarray(labels))
    return is_top_k_error(probabilities, probabilities[np.arange(len(labels)), labels], k)


def _checked(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not len(labels):
        raise ZfnetError(
            f"probabilities {probabilities.shape} and labels {labels.shape} do not match; "
            "expected (images, classes) and (images,), with at least one image."
        )
    wrong = labels[(labels < 0) | (labels >= probabilities.shape[1])]
    if len(wrong):
        raise ZfnetError(f"label {wrong[0]} is not one of the net's {probabilities.shape[1]} classes.")
    return probabilities, labels
