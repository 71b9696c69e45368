"""The update as the trainer calls it: sums, parts of a minibatch, and the state that a checkpoint holds."""

import pytest
import torch

from zfnet.core.seeds import generator
from zfnet.nets import build
from zfnet.settings import Recipe
from zfnet.training.init_weights import initialise
from zfnet.training.optim import answer, optimiser, update
from zfnet.training.train_step import ALONE, Learner, Part
from zfnet.training.views import draw_views, training_views

COVARIANCE = 400 * torch.eye(3)


def learner(recipe, part=ALONE, seed=1):
    net = build("zf", classes=10, width=1 / 16, crop=64, dropout=recipe.dropout)
    initialise(net, recipe, seed)
    net.mean.fill_(128)
    return Learner(net, recipe, recipe.learning_rate, COVARIANCE, part)


def minibatch(count=6, step=0):
    images = torch.randint(256, (count, 73, 73, 3), generator=generator("images", step), dtype=torch.uint8)
    return images, torch.arange(count) % 10


def test_it_is_the_plain_update_of_random_views():
    recipe = Recipe(init_std=0.05, learning_rate=0.1, dropout=0.0, pca_noise=0.1)
    ours, plain = learner(recipe), learner(recipe).net
    sgd, sums = optimiser(plain, recipe, recipe.learning_rate), torch.zeros(2, dtype=torch.float64)
    for step in range(3):
        images, labels = minibatch(step=step)
        ours.learn(images, labels, (1, 0, step), 0.0)
        drawn = draw_views(images, labels, plain, recipe, COVARIANCE, (1, 0, step), 0.0)
        loss, wrong = answer(plain, training_views(drawn, plain), labels, recipe.precision)
        update(plain, sgd, loss, recipe)
        sums += torch.tensor([6 * loss.detach().double(), wrong])
    assert all(map(torch.equal, ours.net.parameters(), plain.parameters()))
    assert torch.equal(ours.sums, sums) and sums[0] > 0
    ours.clear()
    assert ours.sums.tolist() == [0, 0]


def test_a_state_goes_on_as_the_learner_it_was_taken_from():
    recipe = Recipe(init_std=0.05, learning_rate=0.1)
    first, second = learner(recipe), learner(recipe, seed=2)
    first.learn(*minibatch(), (1, 0, 0), 0.0)
    first.set_rate(0.01)
    second.load_state({name: tensor.clone() for name, tensor in first.state().items()}, 0.01)
    for one in (first, second):
        one.learn(*minibatch(step=1), (1, 1, 0), 0.5)
    assert all(torch.equal(tensor, second.state()[name]) for name, tensor in first.state().items())


def test_a_state_can_be_taken_before_the_first_update_and_without_momentum():
    recipe = Recipe(momentum=0.0)
    first = learner(recipe)
    first.load_state(first.state(), 0.1)
    first.learn(*minibatch(), (1, 0, 0), 0.0)
    assert set(first.state()) >= {"net.conv1.weight", "net.mean", "momentum.conv1.weight"}


@pytest.mark.parametrize("crops", ["random", "ten"])
def test_a_pictures_view_does_not_depend_on_the_number_of_parts(crops):
    recipe = Recipe(pca_noise=0.1, crops=crops)
    net, (images, labels) = learner(recipe).net, minibatch()

    def views(rows, *part):
        drawn = draw_views(rows, labels[: len(rows)], net, recipe, COVARIANCE, (1, 0, 0), 0.0, *part)
        return training_views(drawn, net)

    for ranks in (2, 3):
        parts = [views(rows, rank, ranks) for rank, rows in enumerate(images.chunk(ranks))]
        assert torch.equal(torch.cat(parts), views(images))


def test_parts_see_their_own_views_and_dropout():
    recipe = Recipe(init_std=0.05, learning_rate=0.1)
    images, labels = minibatch(1)
    alone, first, second = (learner(recipe, Part(*part)) for part in ((0, 1), (0, 2), (1, 2)))
    for one in (alone, first, second):
        one.learn(images, labels, (1, 0, 0), 0.0)
    assert len({one._dropout_seed((1, 0, 0)) for one in (alone, first, second)}) == 2
    assert not torch.equal(first.net.fc7.weight, second.net.fc7.weight)


def test_another_module_may_be_called_in_the_nets_place():
    """As a DistributedDataParallel is, which has the net inside it."""
    recipe, calls = Recipe(init_std=0.05, learning_rate=0.1), []
    plain, wrapped = learner(recipe), learner(recipe)

    class Wrapper(torch.nn.Sequential):
        def forward(self, images):
            calls.append(len(images))
            return super().forward(images)

    wrapped.module = Wrapper(wrapped.net)
    for one in (wrapped, plain):
        one.learn(*minibatch(), (1, 0, 0), 0.0)
    assert calls == [6]
    assert all(map(torch.equal, wrapped.net.parameters(), plain.net.parameters()))
