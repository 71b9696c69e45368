"""The way back through what only foreign nets have: folded normalisation, dilation, rectangles, uneven averages."""

import pytest
import torch
from captum.attr import NeuronDeconvolution, NeuronGradient, NeuronGuidedBackprop
from torch import nn

from zfnet.nets import adapt
from zfnet.visualize import project

SIDE = 33


@pytest.fixture(scope="module")
def both():
    """A foreign net in float64, and the same adapted."""
    torch.manual_seed(4)
    module = nn.Sequential(
        *(nn.Conv2d(3, 8, (5, 3), (2, 1), padding=(1, 2), bias=False), nn.BatchNorm2d(8), nn.ReLU()),
        nn.MaxPool2d((3, 2), (2, 3), padding=1, ceil_mode=True),
        *(nn.Conv2d(8, 12, 3, padding="same", dilation=(1, 2), groups=2), nn.BatchNorm2d(12), nn.ReLU(True)),
        *(nn.MaxPool2d(2, 1, dilation=2), nn.AdaptiveAvgPool2d((3, 4)), nn.Flatten()),
        *(nn.Linear(144, 10), nn.BatchNorm1d(10), nn.ReLU(), nn.Linear(10, 5)),
    )
    module.train()(torch.randn(64, 3, SIDE, SIDE))  # gives the normalisations statistics
    return module.double().eval(), adapt(module, SIDE)


@pytest.mark.parametrize(
    "rule, independent",
    [("deconvnet", NeuronDeconvolution), ("guided", NeuronGuidedBackprop), ("gradient", NeuronGradient)],
)
@pytest.mark.parametrize("layer, index, position", [("conv2", 6, (4, 7)), ("fc3", 12, None)])
@pytest.mark.filterwarnings("ignore:Setting backward hooks")
def test_projections_are_captums_on_the_net_as_it_came(both, rule, independent, layer, index, position):
    module, net = both
    images = torch.randn(2, 3, SIDE, SIDE, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    answers = net.trace(images).activations[layer][(..., *(position or ()))]  # (2, units)
    unit = int(answers.amin(0).argmax())
    activation, pixels = project(net, images, layer, unit, position, rule)
    theirs = independent(module, module[index]).attribute(images.clone().requires_grad_(), (unit, *(position or ())))
    assert (activation > 0.1).all()
    torch.testing.assert_close(pixels, activation[:, None, None, None] * theirs, rtol=1e-10, atol=1e-12)
