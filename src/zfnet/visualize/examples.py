"""Which pictures Figures 5 and 7 show: clear cases of different classes.

The papers chose their examples by eye. Here, of a random thousand pictures, each class offers the one that the net is
surest of, and the classes with the surest ones are shown; pictures that the net gets wrong come last, and only where
too few are right. Figure 7 asks for a probability of 0.7 instead, about that of its animals in the paper: where the net
is certain, covering things changes nothing. The choice depends on the seed and the net alone.
"""

import torch
from torch import Tensor

from zfnet.nets import Network
from zfnet.visualize.net_inputs import Gallery, some

CANDIDATES = 1000


def choose(gallery: Gallery, count: int, seed: int, chance: float = 1.0) -> list[int]:
    """Choose `count` pictures (fewer where there are fewer classes) whose P(true class) is nearest to `chance`."""
    indices, labels, right, chances = [], [], [], []
    for view in gallery.views(some(len(gallery), CANDIDATES, seed)):
        found = probabilities(gallery.net, view.inputs).cpu()
        indices += view.indices.tolist()
        labels += view.labels.tolist()
        right += (found.argmax(1) == view.labels).tolist()
        chances += found[torch.arange(len(found)), view.labels].tolist()
    order = sorted(range(len(indices)), key=lambda one: (not right[one], abs(chance - chances[one]), indices[one]))
    best = {}
    for one in order:
        best.setdefault(labels[one], indices[one])
    return list(best.values())[:count]


@torch.no_grad()
def probabilities(net: Network, inputs: Tensor) -> Tensor:
    """Softmax of the logits: float (B, classes)."""
    return net(inputs).softmax(1)
