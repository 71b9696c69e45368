"""Validation error during training: central crops only, for the history and for annealing."""

import numpy as np
import torch
from torch import Tensor

from zfnet.data.loader import Shards
from zfnet.nets import Network
from zfnet.settings import Recipe
from zfnet.training.step import autocast
from zfnet.training.views import centre_views


@torch.inference_mode()
def validate(
    net: Network, shards: Shards, indices: np.ndarray, recipe: Recipe, threads: int
) -> tuple[float, float] | tuple[None, None]:
    """Give top-1 and top-5 error in per cent over `indices`; (None, None) where there are none."""
    if len(indices) == 0:
        return None, None
    net.eval()
    wrong = torch.zeros(2, dtype=torch.int64, device=net.mean.device)
    for batch in shards.batches(indices, recipe.batch, threads):
        images, labels = batch.images.to(wrong.device), batch.labels.to(wrong.device)
        with autocast(wrong.device, recipe.precision):
            logits = net(centre_views(images, net))
        wrong += missed(logits.float(), labels)
    top1, top5 = (100 * wrong.double() / len(indices)).tolist()
    return top1, top5


def missed(logits: Tensor, labels: Tensor) -> Tensor:
    """Count the rows whose label is not the strongest, and not among the five strongest: int64 (2,)."""
    ranked = logits.topk(min(5, logits.shape[1])).indices  # (B, 5), strongest first
    hit = ranked == labels[:, None]
    return torch.stack([(~hit[:, 0]).sum(), (~hit.any(1)).sum()])
