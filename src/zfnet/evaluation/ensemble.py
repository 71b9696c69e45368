"""Several nets as one: the mean of their probabilities (Table 2, "5 convnets"; D22)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from zfnet.core.errors import ZfnetError


def combine(probabilities: Sequence[ArrayLike]) -> np.ndarray:
    """Mean over nets, each with the same weight, whatever its size.

    Parameters
    ----------
    probabilities : one (N, C) per net, ten-crop means, pictures in the same order.

    Returns
    -------
    np.ndarray
        float32 (N, C).
    """
    members = [np.asarray(one) for one in probabilities]
    shapes = {member.shape for member in members}
    if len(shapes) != 1:
        found = ", ".join(map(str, sorted(shapes))) or "none at all"
        raise ZfnetError(f"An ensemble needs nets with predictions of one shape (pictures, classes); found {found}.")
    return np.mean(members, axis=0, dtype=np.float64).astype(np.float32)
