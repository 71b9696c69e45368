"""Values per colour channel, given as three numbers."""

from collections.abc import Sequence

import torch
from torch import Tensor

from zfnet.core.errors import ZfnetError


def rgb_vector(values: Tensor | Sequence[float], what: str, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return three finite numbers, one per channel, as a tensor (3,).

    Raises
    ------
    ZfnetError
        There are not three of them, or one is not finite.
    """
    vector = torch.as_tensor(values, dtype=dtype)
    if vector.shape != (3,) or not vector.isfinite().all():
        raise ZfnetError(f"{what}: found {vector.tolist()}, expected three finite numbers, one for each of R, G and B.")
    return vector


def rgb_image(values: Tensor | Sequence[float], size: int, what: str) -> Tensor:
    """Return an image of one colour, float32 (3, size, size), from three numbers."""
    return rgb_vector(values, what)[:, None, None].expand(3, size, size)
