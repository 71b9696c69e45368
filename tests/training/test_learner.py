"""Training steps as the trainer calls them: sums, ranks, and the state that a checkpoint holds."""

import pytest
import torch

from zfnet.core.seeds import generator
from zfnet.nets import build
from zfnet.settings import Recipe
from zfnet.training.distributed import SINGLE_PROCESS, Rank
from zfnet.training.init_weights import initialise
from zfnet.training.learner import Learner
from zfnet.training.optim import make_optimizer
from zfnet.training.train_step import forward_loss, optimizer_step
from zfnet.training.views import draw_views, training_views

COVARIANCE = 400 * torch.eye(3)


def learner(recipe, rank=SINGLE_PROCESS, seed=1):
    net = build("zf", classes=10, width=1 / 16, crop=64, dropout=recipe.dropout)
    initialise(net, recipe, seed)
    net.mean.fill_(128)
    return Learner(net, recipe, recipe.learning_rate, COVARIANCE, rank)


def minibatch(count=6, step=0):
    images = torch.randint(256, (count, 73, 73, 3), generator=generator("images", step), dtype=torch.uint8)
    return images, torch.arange(count) % 10


def test_a_step_is_the_plain_step_on_random_views():
    recipe = Recipe(init_std=0.05, learning_rate=0.1, dropout=0.0, pca_noise=0.1)
    ours, plain = learner(recipe), learner(recipe).net
    sgd, sums = make_optimizer(plain, recipe, recipe.learning_rate), torch.zeros(2, dtype=torch.float64)
    for step in range(3):
        images, labels = minibatch(step=step)
        ours.train_step(images, labels, (1, 0, step), 0.0)
        drawn = draw_views(images, labels, plain, recipe, COVARIANCE, (1, 0, step), 0.0)
        loss, errors = forward_loss(plain, plain, recipe.precision, drawn)
        optimizer_step(plain, sgd, loss, recipe)
        sums += torch.tensor([6 * loss.detach().double(), errors])
    assert all(map(torch.equal, ours.net.parameters(), plain.parameters()))
    assert torch.equal(ours.sums, sums) and sums[0] > 0
    ours.reset_sums()
    assert ours.sums.tolist() == [0, 0]


def test_a_restored_state_trains_on_as_the_learner_it_was_taken_from():
    recipe = Recipe(init_std=0.05, learning_rate=0.1)
    first, second = learner(recipe), learner(recipe, seed=2)
    first.train_step(*minibatch(), (1, 0, 0), 0.0)
    first.set_lr(0.01)
    second.load_state({name: tensor.clone() for name, tensor in first.state().items()}, 0.01)
    for either in (first, second):
        either.train_step(*minibatch(step=1), (1, 1, 0), 0.5)
    assert all(torch.equal(tensor, second.state()[name]) for name, tensor in first.state().items())


def test_a_state_can_be_taken_before_the_first_step_and_without_momentum():
    recipe = Recipe(momentum=0.0)
    first = learner(recipe)
    first.load_state(first.state(), 0.1)
    first.train_step(*minibatch(), (1, 0, 0), 0.0)
    assert set(first.state()) >= {"net.conv1.weight", "net.mean", "momentum.conv1.weight"}


@pytest.mark.parametrize("crops", ["random", "ten"])
def test_an_images_view_does_not_depend_on_the_number_of_processes(crops):
    recipe = Recipe(pca_noise=0.1, crops=crops)
    net, (images, labels) = learner(recipe).net, minibatch()

    def views(rows, *rank):
        drawn = draw_views(rows, labels[: len(rows)], net, recipe, COVARIANCE, (1, 0, 0), 0.0, Rank(*rank))
        return training_views(drawn, net)

    for world_size in (2, 3):
        shards = [views(rows, rank, world_size) for rank, rows in enumerate(images.chunk(world_size))]
        assert torch.equal(torch.cat(shards), views(images))


def test_ranks_have_their_own_views_and_dropout():
    recipe = Recipe(init_std=0.05, learning_rate=0.1)
    images, labels = minibatch(1)
    single, first, second = (learner(recipe, Rank(*rank)) for rank in ((0, 1), (0, 2), (1, 2)))
    for each in (single, first, second):
        each.train_step(images, labels, (1, 0, 0), 0.0)
    assert len({each._dropout_seed((1, 0, 0)) for each in (single, first, second)}) == 2
    assert not torch.equal(first.net.fc7.weight, second.net.fc7.weight)


def test_a_wrapper_may_be_called_in_place_of_the_net():
    """DistributedDataParallel is such a wrapper."""
    recipe, calls = Recipe(init_std=0.05, learning_rate=0.1), []
    plain = learner(recipe)

    class Wrapper(torch.nn.Sequential):
        def forward(self, images):
            calls.append(len(images))
            return super().forward(images)

    net = learner(recipe).net
    wrapped = Learner(net, recipe, recipe.learning_rate, COVARIANCE, module=Wrapper(net))
    for either in (wrapped, plain):
        either.train_step(*minibatch(), (1, 0, 0), 0.0)
    assert calls == [6]
    assert all(map(torch.equal, wrapped.net.parameters(), plain.net.parameters()))
