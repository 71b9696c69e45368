"""Both nets at the published size and the 224 crop leave chance within a bounded number of steps.

ZF as published; the replica with biases of 0.1 instead of 1 and half the learning rate. docs/recipes.md lists what
else was tried.
"""

from math import log

import numpy as np
import pytest

from zfnet.data.augment import epoch_order
from zfnet.data.loader import Shards
from zfnet.data.readers import datasets
from zfnet.data.shards.writer import write_shards
from zfnet.nets import build
from zfnet.settings import Data, KrizhevskyRecipe, Recipe, Subset
from zfnet.training.init_weights import initialise
from zfnet.training.learner import Learner

BATCH, LAST, ENOUGH = 32, 20, 0.96  # chance is left when the mean loss of the last updates is below 0.96 ln(classes)
RECIPES = {
    "zf": (Recipe(precision="bf16"), 120),
    "krizhevsky": (KrizhevskyRecipe(init_bias=0.1, learning_rate=0.005, precision="bf16"), 60),
}


@pytest.fixture(scope="module")
def photographs(real_data, tmp_path_factory) -> Shards:
    """Prepare five classes of 320 images as squares of 256 pixels."""
    data = Data(imagenet=Subset(classes=5))
    archives = [real_data / "imagenet" / name for name in ("ILSVRC2012_img_train.tar", "ILSVRC2012_devkit_t12.tar.gz")]
    path = tmp_path_factory.mktemp("photographs") / "manifest.json"
    write_shards(datasets.source("imagenet-train", archives, data), data, path, square=True, threads=2)
    return Shards(path)


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("name", RECIPES)
def test_a_net_of_full_size_leaves_chance(photographs, name):
    recipe, updates = RECIPES[name]
    net = build(name, classes=len(photographs.classes), size=photographs.size, dropout=recipe.dropout)
    initialise(net, recipe, seed=1)
    net.mean.copy_(photographs.mean)
    learner = Learner(net, recipe, recipe.learning_rate, photographs.covariance)
    loss = np.mean(losses(learner, photographs, updates)[-LAST:])
    assert loss < ENOUGH * log(5), f"{name}: {loss:.3f} after {updates} updates, chance is {log(5):.3f}"


def losses(learner: Learner, shards: Shards, updates: int) -> list[float]:
    """Return the mean loss of each of the first steps."""
    per_epoch = len(shards) // BATCH
    orders = [epoch_order(len(shards), 1, epoch)[: per_epoch * BATCH] for epoch in range(1 + updates // per_epoch)]
    means = []
    for step, batch in enumerate(shards.batches(np.concatenate(orders)[: updates * BATCH], BATCH)):
        learner.train_step(batch.images, batch.labels, (1, step // per_epoch, step), epochs_done=0)
        means.append(learner.sums[0].item() / BATCH)
        learner.reset_sums()
    return means
