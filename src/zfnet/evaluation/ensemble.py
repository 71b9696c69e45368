"""Ensembles: the mean of the probabilities of several nets (Table 2, "5 convnets"; D22)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from zfnet.core.errors import ZfnetError


def combine(probabilities: Sequence[ArrayLike]) -> np.ndarray:
    """Return the mean over nets, all with the same weight.

    Parameters
    ----------
    probabilities : one (N, C) per net, ten-crop means, images in the same order.

    Returns
    -------
    np.ndarray
        float32 (N, C).
    """
    members = [np.asarray(member) for member in probabilities]
    shapes = {member.shape for member in members}
    if len(shapes) != 1:
        received = ", ".join(map(str, sorted(shapes))) or "none"
        raise ZfnetError(f"an ensemble needs predictions of one shape (images, classes); received {received}.")
    return np.asarray(np.mean(members, axis=0, dtype=np.float64), dtype=np.float32)
