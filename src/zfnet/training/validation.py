"""Validation error during training: central crops only, for the history and for annealing."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from zfnet.core.device import autocast
from zfnet.data.loader import Shards
from zfnet.nets import Network
from zfnet.settings import Recipe
from zfnet.training.distributed import Ranks
from zfnet.training.views import centre_views


@torch.inference_mode()
def validate(
    net: Network,
    shards: Shards,
    indices: np.ndarray,
    recipe: Recipe,
    threads: int,
    ranks: Ranks | None = None,
    pause: Callable[[], None] = lambda: None,
) -> tuple[float, float] | tuple[None, None]:
    """Give top-1 and top-5 error in per cent over `indices`; (None, None) where there are none.

    Parameters
    ----------
    ranks : the processes that share the work; None is this one alone.
    pause : called after every minibatch that all processes have; may raise to end the validation.
    """
    ranks = ranks or Ranks()
    if len(indices) == 0:
        return None, None
    net.eval()
    wrong = torch.zeros(2, dtype=torch.int64, device=net.mean.device)
    own = indices[ranks.part.rank :: ranks.part.ranks]
    common = len(indices) // (ranks.part.ranks * recipe.batch_size)
    for number, batch in enumerate(shards.batches(own, recipe.batch_size, threads)):
        images, labels = batch.images.to(wrong.device), batch.labels.to(wrong.device)
        with autocast(wrong.device, recipe.precision):
            logits = net(centre_views(images, net))
        wrong += missed(logits.float(), labels)
        if number < common:
            pause()
    top1, top5 = (100 * ranks.total(wrong).double() / len(indices)).tolist()
    return top1, top5


def missed(logits: Tensor, labels: Tensor) -> Tensor:
    """Count the rows whose label is not the strongest, and not among the five strongest: int64 (2,)."""
    ranked = logits.topk(min(5, logits.shape[1])).indices  # (B, 5), strongest first
    hit = ranked == labels[:, None]
    return torch.stack([(~hit[:, 0]).sum(), (~hit.any(1)).sum()])
