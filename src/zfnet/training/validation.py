"""Validation error during training: centre crops only, for the history and for the learning rate schedule."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from zfnet.core.device import autocast
from zfnet.core.ranking import is_top_k_error
from zfnet.data.loader import Shards
from zfnet.nets import Network
from zfnet.settings import Recipe
from zfnet.training.distributed import SINGLE_PROCESS, Rank
from zfnet.training.views import centre_views


@torch.inference_mode()
def validate(
    net: Network,
    shards: Shards,
    indices: np.ndarray,
    recipe: Recipe,
    threads: int,
    rank: Rank = SINGLE_PROCESS,
    on_minibatch: Callable[[], None] = lambda: None,
) -> tuple[float, float] | tuple[None, None]:
    """Return top-1 and top-5 error in per cent over `indices`; (None, None) if there are none.

    Parameters
    ----------
    rank : this process among those that share the work.
    on_minibatch : called after every minibatch that all processes have; may raise to end the validation.
    """
    if len(indices) == 0:
        return None, None
    net.eval()
    errors = torch.zeros(2, dtype=torch.int64, device=net.mean.device)  # top-1, top-5
    local_indices = indices[rank.rank :: rank.world_size]
    common = len(indices) // (rank.world_size * recipe.batch_size)  # minibatches that every process has
    for number, batch in enumerate(shards.batches(local_indices, recipe.batch_size, threads)):
        images, labels = batch.images.to(errors.device), batch.labels.to(errors.device)
        with autocast(errors.device, recipe.precision):
            logits = net(centre_views(images, net))  # (B, classes)
        errors += count_errors(logits.float(), labels)
        if number < common:
            on_minibatch()
    top1, top5 = (100 * rank.all_reduce_sum(errors).double() / len(indices)).tolist()
    return top1, top5


def count_errors(logits: Tensor, labels: Tensor) -> Tensor:
    """Count top-1 and top-5 errors of logits (B, C) against labels (B,): int64 (2,); ties count as errors."""
    label_scores = logits.gather(1, labels[:, None])[:, 0]  # (B,)
    return torch.stack([is_top_k_error(logits, label_scores, k).sum() for k in (1, 5)])
