"""Saliency and activation maximisation."""

import torch
from captum.attr import Saliency

from zfnet.visualize import maximise, saliency_map
from zfnet.visualize.maximize import SETTINGS, Ascent, regularise, slope

PLAIN = Ascent(0, 0, 0, 0, 0, 5, 1.0)


def test_saliency_is_autograds(make_net):
    net = make_net().double()
    images = 50 * torch.randn(2, 3, net.crop, net.crop, dtype=torch.float64)
    leaf = images.clone().requires_grad_()
    net(leaf)[[0, 1], [3, 1]].sum().backward()
    torch.testing.assert_close(saliency_map(net, images, torch.tensor([3, 1])), leaf.grad.abs().amax(1))


def test_climbing_makes_the_unit_stronger_and_the_seed_decides(make_net):
    net = make_net()
    start = maximise(net, "fc8", 2, SETTINGS[2]._replace(steps=1))
    best = maximise(net, "fc8", 2, Ascent(0, 0, 0, 0, 0, 8, 1.0, progress=2.0))
    assert best.activation > start.activation + 1
    assert best.picture.shape == (net.crop, net.crop, 3)
    assert torch.equal(
        maximise(net, "conv2", 2, PLAIN, seed=4).picture, maximise(net, "conv2", 2, PLAIN, seed=4).picture
    )


def test_a_unit_that_is_silent_at_the_start_is_climbed_too(make_net):
    """Its ReLU has no slope there, so the slope is taken before it."""
    net = make_net()
    net.conv5.bias.data -= 1e3
    best = maximise(net, "conv5", 2, Ascent(0, 0, 0, 0, 0, 6, 1e8, progress=400.0))
    assert best.activation > -1e3 and best.step == 5


def test_the_slope_is_autograds_before_the_relu(make_net):
    net = make_net().double()
    leaf = (50 * torch.randn(1, 3, net.crop, net.crop, dtype=torch.float64)).requires_grad_()
    before = {step.operation.name: step.output for step in net.walk(leaf, "conv4")}["conv4"]
    value, found = slope(net, leaf.detach(), "conv4", 3, (1, 1))
    (expected,) = torch.autograd.grad(before[0, 3, 1, 1], leaf)
    torch.testing.assert_close(value, before[0, 3, 1, 1].detach()[None])
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-14)


def test_saliency_is_captums(make_net):
    net = make_net().double()
    images = 50 * torch.randn(2, 3, net.crop, net.crop, dtype=torch.float64)
    expected = Saliency(net).attribute(images.clone().requires_grad_(), target=[3, 1]).amax(1)
    found = saliency_map(net, images, torch.tensor([3, 1]))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12 * expected.max().item())


def test_priors_decay_blur_and_clip():
    x, gradient = torch.rand(1, 3, 8, 8) + 0.5, torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(regularise(x, gradient, PLAIN._replace(decay=0.25), 0), 0.75 * x)
    blurred = PLAIN._replace(blur=1.0, blur_every=4)
    assert regularise(x, gradient, blurred, 4).std() < x.std() / 2
    assert torch.equal(regularise(x, gradient, blurred, 3), x)
    for share in ({"norm_percentile": 50}, {"contribution_percentile": 50}):
        kept = regularise(x, gradient, PLAIN._replace(**share), 0)
        assert (kept[0, 0] == 0).sum() == 32
        assert torch.equal(kept[kept != 0], x[kept != 0])
