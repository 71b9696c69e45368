"""Check, before a training starts, that its GPU has room for it and for the trainings that will share the GPU."""

from math import prod

import torch

from zfnet.core import memory
from zfnet.core.errors import ZfnetError
from zfnet.nets import Network, parameters
from zfnet.settings import Recipe

CONTEXT = 1 << 30  # bytes: CUDA's context, the kernels, and the workspaces of cuDNN and cuBLAS
COPIES = 5  # float32 copies of the weights: weights, gradients, momenta, and two saved while the step is compiled
TYPE_BYTES = {"fp32": 4, "bf16": 2}
ALTERNATIVE = "use a GPU with more, wait until other jobs have left it, or lower jobs.trainings_per_gpu"


def require_room(net: Network, recipe: Recipe, batch: int, share: int, device: torch.device) -> None:
    """Check that a GPU has room for `share` trainings like this one, and free memory for this one now.

    Parameters
    ----------
    batch : images of a minibatch on this device.
    share : number of trainings that may run on the GPU at once. Each is checked against an equal part of the GPU, since
        trainings that start together would all find it free.

    Raises
    ------
    ZfnetError
        It has not.
    """
    if device.type != "cuda":
        return
    needed, what = training_bytes(net, recipe, batch), f"a training with {batch} images at once"
    total = torch.cuda.get_device_properties(device).total_memory
    if share * needed > total:
        raise ZfnetError(
            f"{what}: {share} of them (jobs.trainings_per_gpu) need about {share * needed / memory.GIB:.1f} GiB of "
            f"memory on {device}, which has {total / memory.GIB:.1f}; {ALTERNATIVE}."
        )
    memory.require(needed, what, device, ALTERNATIVE)


def training_bytes(net: Network, recipe: Recipe, batch: int) -> int:
    """Estimate the memory of a training, bytes: more than it needs, since not all of this exists at the same time."""
    assert net.architecture is not None  # an adapted net is not trained here
    outputs = sum(prod(spec.shape) for spec in net.architecture.plan())
    views = 4 * 3 * net.crop**2 + 3 * net.size**2  # float32 crops and uint8 squares
    per_image = 2 * TYPE_BYTES[recipe.precision] * outputs + 3 * views  # outputs and their gradients; three uploads
    return CONTEXT + 4 * COPIES * parameters(net) + batch * per_image
