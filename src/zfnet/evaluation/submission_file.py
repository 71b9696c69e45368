"""The text file that the ILSVRC-2012 evaluation server accepts; the labels of the test set are hidden (D28).

One line per test image, in order of the file names ILSVRC2012_test_00000001.JPEG …; on each line five class numbers,
the most probable first, separated by spaces. Class numbers are the ILSVRC2012_ID of the devkit (1 … 1000 for
the 1000 classes of the challenge), not the labels of the net.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from zfnet.core.errors import ZfnetError

GUESSES = 5


def submission(probabilities: ArrayLike, ids: Sequence[int]) -> str:
    """Return the text of a submission.

    Parameters
    ----------
    probabilities : (N, C), images in order of their file names.
    ids : the ILSVRC2012_ID of each of the C classes, in order of the net's labels.

    Examples
    --------
    >>> submission([[0.1, 0.3, 0.2, 0.15, 0.05, 0.2]], ids=[1, 2, 3, 4, 5, 6])
    '2 3 6 4 1\\n'
    """
    probabilities = np.asarray(probabilities)
    _check(probabilities, ids)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :GUESSES]  # (N, 5); ties in order of the labels
    return "".join(" ".join(map(str, line)) + "\n" for line in np.asarray(ids)[best].tolist())


def _check(probabilities: np.ndarray, ids: Sequence[int]) -> None:
    if probabilities.ndim != 2 or probabilities.shape[1] < GUESSES:
        raise ZfnetError(f"probabilities {probabilities.shape}: expected (images, classes) with at least 5 classes.")
    if len(ids) != probabilities.shape[1] or len(set(ids)) != len(ids):
        raise ZfnetError(
            f"{len(set(ids))} different class numbers for {probabilities.shape[1]} classes; expected one per class."
        )
    if not np.isfinite(probabilities).all():
        raise ZfnetError("the probabilities are not all finite, so the net's weights are damaged; train it again.")
