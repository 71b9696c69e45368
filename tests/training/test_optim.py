"""Initial weights, filter rescaling and one training step, against their formulas."""

from math import log, sqrt

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from zfnet.core.errors import ZfnetError
from zfnet.core.seeds import derive_seed, generator
from zfnet.evaluation.top_k import missed as evaluation_errors
from zfnet.nets import build
from zfnet.settings import Recipe
from zfnet.training.filter_norm import conv_filters, rescale_filters
from zfnet.training.health import at_chance, check_finite, check_stuck, warn_if_at_chance
from zfnet.training.init_weights import initial_gains, initialise
from zfnet.training.optim import change_lr, load_momentum_buffers, make_optimizer, momentum_buffers
from zfnet.training.train_step import forward_loss, optimizer_step
from zfnet.training.validation import count_errors, validate
from zfnet.training.views import centre_views, draw_views, training_views


def small(name="zf", **changes):
    return build(name, classes=10, width=1 / 8, crop=64, **changes)


def minibatch(net, seed=0, count=4):
    """Return views of random squares, labelled 0, 1, 2 …"""
    draw = generator("squares", seed)
    squares = torch.randint(256, (count, net.size, net.size, 3), generator=draw, dtype=torch.uint8)
    return draw_views(squares, torch.arange(count), net, Recipe(), torch.eye(3), (1, 0, seed), 0.0)


def train(net, sgd, batch, recipe):
    loss, errors = forward_loss(net, net, recipe.precision, batch)
    optimizer_step(net, sgd, loss, recipe)
    return loss.detach(), errors


def test_at_full_size_the_published_deviation_stays():
    with torch.device("meta"):
        net = build("krizhevsky")
    assert set(initial_gains(net).values()) == {1.0}


def test_a_reduced_net_keeps_the_gain_of_the_published_one():
    net = small()
    initialise(net, Recipe(), seed=1)
    full = {"conv1": 147, "conv2": 2400, "conv3": 2304, "fc6": 9216, "fc7": 4096, "fc8": 4096}  # fan-ins
    for layer, published in full.items():
        weight = net.get_parameter(f"{layer}.weight").detach()
        gain = weight.std().item() * sqrt(weight[0].numel())  # of a signal of unit variance
        assert gain == pytest.approx(0.01 * sqrt(published), rel=5 / sqrt(weight.numel())), layer


def test_biases_are_raised_where_krizhevsky_raises_them():
    net = small("krizhevsky")
    initialise(net, Recipe(init_bias=1.0), seed=1)
    raised = {name.split(".")[0] for name, p in net.named_parameters() if name.endswith("bias") and (p == 1).all()}
    zero = {name.split(".")[0] for name, p in net.named_parameters() if name.endswith("bias") and (p == 0).all()}
    assert (raised, zero) == ({"conv2", "conv4", "conv5", "fc6", "fc7"}, {"conv1", "conv3", "fc8"})


def test_variants_start_from_the_same_weights_where_shapes_agree():
    base, variant = small(), small(remove=(3, 4))
    for net in (base, variant):
        initialise(net, Recipe(), seed=3)
    assert torch.equal(base.conv2.weight, variant.conv2.weight)
    assert torch.equal(base.fc7.weight, variant.fc7.weight)


def test_seeds_and_layers_differ():
    assert len({derive_seed(*place) for place in [("a", 1), ("a", 2), ("b", 1), ("a", 1, 0), ("a1",)]}) == 5


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**31), st.floats(0.01, 10), st.sampled_from([1e-4, 0.1, 3.0]))
def test_rescaling_is_a_projection_on_filters_of_rms_at_most_the_limit(seed, limit, scale):
    weight = scale * torch.randn(5, 3, 4, 4, generator=generator(seed), dtype=torch.float64)
    weight[0] = 0
    before = weight.clone()
    rescale_filters([weight], limit)
    rms_before = before.square().mean((1, 2, 3)).sqrt()
    torch.testing.assert_close(weight.square().mean((1, 2, 3)).sqrt(), rms_before.clamp(max=limit), rtol=1e-12, atol=0)
    keep = rms_before <= limit
    assert torch.equal(weight[keep], before[keep])
    rescaled = weight.clone()
    rescale_filters([weight], limit)
    torch.testing.assert_close(weight, rescaled, rtol=1e-12, atol=0)


def test_rescaling_is_the_maximum_norm_of_the_papers_table():
    """A maximum L2 norm of 0.1 sqrt(147) = 1.2124 for the filters of conv1."""
    conv1 = torch.randn(96, 3, 7, 7)
    rescale_filters([conv1], 0.1)
    torch.testing.assert_close(conv1.flatten(1).norm(dim=1), torch.full((96,), 1.2124), rtol=1e-4, atol=0)


def test_only_convolutions_are_rescaled():
    assert [tuple(w.shape[:1]) for w in conv_filters(small())] == [(12,), (32,), (48,), (48,), (32,)]


def test_updates_are_krizhevskys_formula_also_where_the_learning_rate_drops():
    """v <- 0.9 v - weight_decay lr w - lr gradient; w <- w + v; biases at twice the rate without decay."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).double()
    recipe = Recipe(momentum=0.9, weight_decay=0.05, max_filter_rms=None)
    sgd = make_optimizer(net, recipe, 0.1)
    weight, bias = (p.detach().clone() for p in (net[1].weight, net[1].bias))
    v_weight, v_bias = torch.zeros_like(weight), torch.zeros_like(bias)
    draw = generator("test")
    for lr in (0.1, 0.1, 0.01, 0.01, 0.001):
        images = torch.randn(6, 3, 2, 2, generator=draw, dtype=torch.float64)
        labels = torch.randint(3, (6,), generator=draw)
        if lr != sgd.param_groups[0]["lr"]:
            change_lr(sgd, lr)
        x = images.flatten(1)
        error = torch.softmax(x @ weight.T + bias, 1) - nn.functional.one_hot(labels, 3)  # d loss / d logits
        v_weight = 0.9 * v_weight - 0.05 * lr * weight - lr * error.T @ x / 6
        v_bias = 0.9 * v_bias - 2 * lr * error.mean(0)
        weight, bias = weight + v_weight, bias + v_bias
        optimizer_step(net, sgd, nn.functional.cross_entropy(net(images), labels), recipe)
        torch.testing.assert_close(net[1].weight.detach(), weight, rtol=1e-6, atol=1e-8)
        torch.testing.assert_close(net[1].bias.detach(), bias, rtol=1e-6, atol=1e-8)


def test_updates_do_not_depend_on_the_layout_in_memory():
    """Fused SGD assumes the same memory layout for weights, gradients and momentum buffers."""
    weights = []
    for layout in (torch.contiguous_format, torch.channels_last):
        net, recipe = small().to(memory_format=layout).eval(), Recipe(learning_rate=0.1, init_std=0.05)
        initialise(net, recipe, seed=1)
        sgd = make_optimizer(net, recipe, recipe.learning_rate)
        for step in range(3):
            train(net, sgd, minibatch(net, step), recipe)
            buffers = {name: buffer.contiguous() for name, buffer in momentum_buffers(sgd, net).items()}
            load_momentum_buffers(sgd, net, buffers)
        weights.append(net.conv2.weight.detach())
    torch.testing.assert_close(*weights, rtol=1e-4, atol=1e-5)


def test_a_step_reports_the_loss_before_it_and_rescales_filters():
    net = small()
    initialise(net, Recipe(init_std=1.0), seed=1)
    recipe = Recipe(dropout=0.0, learning_rate=1e-6, max_filter_rms=0.1)
    net.fc8.weight.detach().zero_()
    loss, errors = train(net, make_optimizer(net, recipe, recipe.learning_rate), minibatch(net), recipe)
    assert loss.item() == pytest.approx(log(10), rel=1e-5)
    assert 0 <= errors.item() <= 4
    for weight in conv_filters(net):
        assert weight.square().mean((1, 2, 3)).sqrt().max() <= 0.1 + 1e-6


def test_bf16_steps_agree_with_fp32():
    losses = {}
    for precision in ("fp32", "bf16"):
        net, recipe = small(), Recipe(precision=precision, init_std=0.02)
        initialise(net, recipe, seed=1)
        net.eval()
        optimizer = make_optimizer(net, recipe, recipe.learning_rate)
        losses[precision] = train(net, optimizer, minibatch(net), recipe)[0]
        assert net.conv1.weight.dtype == torch.float32
    torch.testing.assert_close(losses["bf16"], losses["fp32"], rtol=2e-2, atol=0)


def views(net, place=(1, 0, 0), done=0.0, **recipe):
    images = torch.randint(256, (6, 73, 73, 3), generator=generator("images"), dtype=torch.uint8)
    drawn = draw_views(images, torch.zeros(6), net, Recipe(**recipe), 400 * torch.eye(3), place, done)
    return training_views(drawn, net)


def test_views_are_set_by_their_place_alone():
    net = small()
    assert torch.equal(views(net), views(net))
    assert not torch.equal(views(net), views(net, place=(1, 0, 1)))


def test_colour_noise_ends_after_its_fraction_of_the_epochs():
    net = small()
    plain, coloured = views(net), views(net, pca_noise=0.1, pca_noise_until=0.5, done=0.4)
    offsets = (coloured - plain).flatten(2)
    torch.testing.assert_close(offsets, offsets[:, :, :1].expand_as(offsets), rtol=0, atol=1e-4)
    assert offsets.abs().max() > 0.1
    assert torch.equal(views(net, pca_noise=0.1, pca_noise_until=0.5, done=0.5), plain)


def test_the_ten_crops_are_the_only_ones_with_crops_ten():
    net = small()
    seen = {tuple(view.flatten()[:4].tolist()) for step in range(20) for view in views(net, (1, 0, step), crops="ten")}
    assert 30 <= len(seen) <= 60  # six images, ten crops each


def test_crops_centre_are_those_of_validation():
    net = small()
    assert torch.equal(views(net, (1, 0, 0), crops="centre"), views(net, (1, 0, 1), crops="centre"))


def test_centre_views_are_the_middle():
    net = small()
    images = torch.zeros(1, 73, 73, 3, dtype=torch.uint8)
    images[0, 4, 4] = 9
    assert centre_views(images, net)[0, :, 0, 0].tolist() == [9, 9, 9]


def test_errors_are_counted_as_top_1_and_top_5():
    logits = torch.tensor([[9.0, 8, 7, 6, 5, 4], [4, 5, 6, 7, 8, 9], [9, 8, 7, 6, 5, 4]])
    assert count_errors(logits, torch.tensor([0, 0, 4])).tolist() == [2, 1]
    assert count_errors(logits[:, :3], torch.tensor([0, 0, 1])).tolist() == [2, 0]


def test_ties_count_as_errors_as_they_do_in_the_evaluation():
    draw = generator("ties")
    logits = torch.randint(4, (50, 8), generator=draw).float()  # few values, so that ties are common
    labels = torch.randint(8, (50,), generator=draw)
    logits[0] = float("nan")
    expected = [evaluation_errors(logits, labels, k).sum() for k in (1, 5)]
    assert count_errors(logits, labels).tolist() == expected
    assert expected[0] > sum(label not in row.topk(1).indices for row, label in zip(logits, labels, strict=True))


def test_a_net_with_constant_logits_is_always_wrong(val_set):
    net = build("zf", classes=10, width=1 / 16, crop=64, size=val_set.size)
    net.fc8.weight.detach().zero_()
    net.fc8.bias.detach().zero_()
    assert validate(net, val_set, np.arange(8), Recipe(batch_size=4), 1) == (100.0, 100.0)
    net.fc8.bias.detach()[:5] = 1  # the labels 0 … 3 tie with each other and a fifth class for the five guesses
    assert validate(net, val_set, np.arange(8), Recipe(batch_size=4), 1) == (100.0, 0.0)


def test_validation_without_images_is_none(val_set):
    assert validate(small(), val_set, np.arange(0), Recipe(), 1) == (None, None)


def test_a_loss_that_is_not_finite_is_reported_with_its_step():
    with pytest.raises(ZfnetError, match=r"zf-s1: the loss became nan in epoch 3, .* step 17, with learning rate 0.01"):
        check_finite(float("nan"), "zf-s1", 3, 17, 0.01)
    check_finite(3.0, "zf-s1", 3, 17, 0.01)


def test_chance_is_the_logarithm_of_the_classes():
    assert at_chance(log(50), 50)
    assert at_chance(0.995 * log(50), 50)
    assert not at_chance(0.98 * log(50), 50)


def test_a_loss_at_chance_is_reported_early_and_once(capsys):
    for previous, steps in ((1900, 1950), (1950, 2000), (2000, 2050)):
        warn_if_at_chance(log(50), 50, "k", steps, previous)
        warn_if_at_chance(3.0, 50, "k", steps, previous)
    assert capsys.readouterr().out.count("k: after 2000 steps the loss is 3.912, no better than chance") == 1


def test_a_stuck_training_stops_or_warns(capsys):
    stop, warn = (Recipe(epochs=10, if_stuck=kind, stuck_after=0.3) for kind in ("stop", "warn"))
    assert not check_stuck(log(50), 50, "k", 2, stop)
    assert not check_stuck(3.0, 50, "k", 9, stop)
    with pytest.raises(ZfnetError, match=r"k: after 3 of 10 epochs the loss is 3.912, no better than chance"):
        check_stuck(log(50), 50, "k", 3, stop)
    assert [check_stuck(log(50), 50, "k", epoch, warn) for epoch in (3, 4, 5)] == [True] * 3
    assert capsys.readouterr().out.count("no better than chance") == 1
