"""Saliency and activation maximisation."""

import pytest
import torch
from captum.attr import Saliency
from torch import nn

from zfnet.core.errors import ZfnetError
from zfnet.nets import Network, adapt
from zfnet.visualize import class_model, maximize, saliency_map
from zfnet.visualize.activation_maximization import (
    PUBLISHED,
    SETTINGS,
    AscentSettings,
    find_settings,
    preactivation_gradient,
    regularise,
)
from zfnet.visualize.saliency import SPREAD

PLAIN = AscentSettings(0, 0, 0, 0, 0, 5, 1.0)


def test_saliency_is_autograds(make_net):
    net = make_net().double()
    images = 50 * torch.randn(2, 3, net.crop, net.crop, dtype=torch.float64)
    leaf = images.clone().requires_grad_()
    net(leaf)[[0, 1], [3, 1]].sum().backward()
    torch.testing.assert_close(saliency_map(net, images, torch.tensor([3, 1])), leaf.grad.abs().amax(1))


def test_the_ascent_raises_the_activation_and_depends_only_on_the_seed(make_net):
    net = make_net()
    start = maximize(net, "fc8", 2, SETTINGS[2]._replace(steps=1))
    best = maximize(net, "fc8", 2, AscentSettings(0, 0, 0, 0, 0, 8, 1.0, progress=2.0))
    assert best.activation > start.activation + 1
    assert best.image.shape == (net.crop, net.crop, 3)
    assert torch.equal(maximize(net, "conv2", 2, PLAIN, seed=4).image, maximize(net, "conv2", 2, PLAIN, seed=4).image)


def test_a_unit_that_is_silent_at_the_start_is_maximised_too(make_net):
    """The gradient is taken before the ReLU, where it is not zero."""
    net = make_net()
    net.conv5.bias.data -= 1e3
    best = maximize(net, "conv5", 2, AscentSettings(0, 0, 0, 0, 0, 6, 1e8, progress=400.0))
    assert best.activation > -1e3 and best.step == 5


def test_the_gradient_before_the_relu_is_autograds(make_net):
    net = make_net().double()
    leaf = (50 * torch.randn(1, 3, net.crop, net.crop, dtype=torch.float64)).requires_grad_()
    before = {record.operation.name: record.output for record in net.iter_forward(leaf, "conv4")}["conv4"]
    value, found = preactivation_gradient(net, leaf.detach(), "conv4", 3, (1, 1))
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


def test_the_four_published_settings_have_names():
    """Decay; blur and its period; percentiles of norm and contribution; steps; learning rate; progress (Yosinski)."""
    assert {name: tuple(settings) for name, settings in PUBLISHED.items()} == {
        "norm": (0, 0.5, 4, 50, 0, 500, 100, 2.0),
        "decay": (0.3, 0, 0, 20, 0, 750, 100, None),
        "blur": (1e-4, 1.0, 4, 0, 0, 1000, 100, None),
        "contribution": (0, 0.5, 4, 0, 90, 1000, 1e8, 2.0),
    }
    assert tuple(PUBLISHED.values()) == SETTINGS
    assert find_settings("decay") is PUBLISHED["decay"] and find_settings(PLAIN) is PLAIN
    with pytest.raises(ZfnetError, match=r"no setting 'blurr'.* did you mean 'blur'"):
        find_settings("blurr")


def linear() -> tuple[Network, torch.Tensor]:
    """A net whose two scores are linear in the image, float64, and its weights (2, 3, 8, 8)."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(192, 2)).double()
    return adapt(module, 8, (120.0, 110.0, 100.0)).double(), module[1].weight.detach().unflatten(1, (3, 8, 8))


def test_learning_rate_and_progress_set_the_step_size():
    net, weight = linear()
    start = maximize(net, "fc1", 1, PLAIN._replace(steps=1), seed=2)
    constant = maximize(net, "fc1", 1, PLAIN._replace(steps=2, learning_rate=3.0), seed=2)
    assert constant.activation - start.activation == pytest.approx(3 * weight[1].square().sum().item())
    progress = maximize(net, "fc1", 1, PLAIN._replace(steps=2, learning_rate=100.0, progress=2.0), seed=2)
    assert progress.activation - start.activation == pytest.approx(2.0)
    limited = maximize(net, "fc1", 1, PLAIN._replace(steps=2, learning_rate=0.5, progress=200.0), seed=2)
    assert limited.activation - start.activation == pytest.approx(weight[1].square().sum().item() / 2)


def test_the_class_model_of_linear_scores_is_known():
    """S(I) - p |I|^2 with S = w I + b is largest at w / 2p, where it is b + |w|^2 / 4p."""
    net, weight = linear()
    found = class_model(net, 1, penalty=0.02)
    torch.testing.assert_close(found.offset, weight[1] / 0.04, rtol=1e-4, atol=0)
    bias = net.fc1.bias[1].item()
    assert found.objective == pytest.approx(bias + weight[1].square().sum().item() / 0.08, rel=1e-6)
    mean = torch.tensor([120.0, 110.0, 100.0], dtype=torch.float64)[:, None, None]
    assert torch.equal(found.image.permute(2, 0, 1), (found.offset + mean).clamp(0, 255).round().byte())
    assert class_model(net, 0).offset.square().mean().sqrt() == pytest.approx(SPREAD, rel=1e-4)


def test_a_zero_gradient_at_the_zero_image_is_refused():
    net = adapt(nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.ReLU(), nn.Linear(4, 2)), 8)
    net.fc1.bias.data.fill_(-1)
    with pytest.raises(ZfnetError, match="fc2, unit 0: the gradient is zero at the zero image"):
        class_model(net, 0)


@pytest.mark.parametrize("penalty", [0.0, -1.0, float("nan")])
def test_an_unbounded_class_model_is_refused(penalty):
    with pytest.raises(ZfnetError, match="unbounded"):
        class_model(linear()[0], 1, penalty=penalty)
