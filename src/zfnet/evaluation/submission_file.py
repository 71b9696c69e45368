"""The text file that the ILSVRC-2012 evaluation server takes, since the labels of its test set are hidden (D28).

One line per test picture, in order of the file names ILSVRC2012_test_00000001.JPEG …; on each line five class
numbers, the most probable first, separated by blanks. Class numbers are the ILSVRC2012_ID of the devkit (1 … 1000 for
the 1000 classes of the challenge), not the labels of the net.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from zfnet.core.errors import ZfnetError

GUESSES = 5


def submission(probabilities: ArrayLike, ids: Sequence[int]) -> str:
    """The text of a submission.

    Parameters
    ----------
    probabilities : (N, C), pictures in order of their file names.
    ids : the ILSVRC2012_ID of each of the C classes, in order of the net's labels.

    Examples
    --------
    >>> submission([[0.1, 0.3, 0.2, 0.15, 0.05, 0.2]], ids=[1, 2, 3, 4, 5, 6])
    '2 3 6 4 1\\n'
    """
    probabilities = np.asarray(probabilities)
    _check(probabilities, ids)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :GUESSES]  # (N, 5); equal ones in order of the labels
    return "".join(" ".join(map(str, line)) + "\n" for line in np.asarray(ids)[best].tolist())


def _check(probabilities: np.ndarray, ids: Sequence[int]) -> None:
    if probabilities.ndim != 2 or probabilities.shape[1] < GUESSES:
        raise ZfnetError(f"Probabilities {probabilities.shape}: expected (pictures, classes), at least 5 classes.")
    if len(ids) != probabilities.shape[1] or len(set(ids)) != len(ids):
        raise ZfnetError(
            f"{len(set(ids))} different class numbers for {probabilities.shape[1]} classes; expected one each."
        )
    if not np.isfinite(probabilities).all():
        raise ZfnetError("The probabilities are not all finite; the net is broken, train it again.")
