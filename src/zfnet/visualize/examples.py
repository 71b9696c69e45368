"""The images of Figures 5 and 7: clear examples of different classes.

The papers chose their examples by eye. Here, among a thousand random images, each class offers the one whose true class
gets the highest probability, and the classes with the highest are shown; misclassified images are used only if there
are too few others. Figure 7 asks for a probability near 0.7 instead, about that of the animals in the paper: where the
net is certain, the occluder changes nothing. The choice depends only on the seed and the net.
"""

import torch
from torch import Tensor

from zfnet.nets import Network
from zfnet.visualize.net_inputs import InputLoader, sample_indices

CANDIDATES = 1000


def choose_examples(loader: InputLoader, count: int, seed: int, target: float = 1.0) -> list[int]:
    """Choose `count` images, one per class at most, whose probability of the true class is nearest to `target`.

    Returns
    -------
    list of int
        Indices into the data set, fewer than `count` if there are fewer classes.
    """
    indices, labels, correct, true_probabilities = [], [], [], []
    for batch in loader.batches(sample_indices(len(loader), CANDIDATES, seed)):
        predicted = probabilities(loader.net, batch.inputs).cpu()  # (B, classes)
        indices += batch.indices.tolist()
        labels += batch.labels.tolist()
        correct += (predicted.argmax(1) == batch.labels).tolist()
        true_probabilities += predicted[torch.arange(len(predicted)), batch.labels].tolist()
    order = sorted(range(len(indices)), key=lambda i: (not correct[i], abs(target - true_probabilities[i]), indices[i]))
    best: dict[int, int] = {}
    for i in order:
        best.setdefault(labels[i], indices[i])
    return list(best.values())[:count]


@torch.no_grad()
def probabilities(net: Network, inputs: Tensor) -> Tensor:
    """Compute the softmax of the logits: float (B, classes)."""
    return net(inputs).softmax(1)
