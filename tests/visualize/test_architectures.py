"""Projections through shortcuts, branches and products against captum, in float64, on torchvision's architectures."""

import pytest
import torch
from captum.attr import NeuronDeconvolution, NeuronGradient, NeuronGuidedBackprop
from torch import nn
from torch.nn import functional as F

from zfnet.core.errors import ZfnetError
from zfnet.nets import adapt
from zfnet.nets.geometry import receptive_fields
from zfnet.visualize import project

models = pytest.importorskip("torchvision.models", exc_type=ImportError)
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")

PEERS = {"deconvnet": NeuronDeconvolution, "guided": NeuronGuidedBackprop, "gradient": NeuronGradient}
PLACES = {  # architecture -> side of its input, and layers: maps, then units
    "resnet18": (64, "layer2.1.bn2", "fc"),
    "resnext50_32x4d": (64, "layer2.0.bn3", "fc"),
    "googlenet": (64, "inception4a.branch2.1.conv", "fc"),
    "inception_v3": (80, "Mixed_5b.branch3x3dbl_3.bn", "fc"),
    "densenet121": (64, "features.transition1.pool", "classifier"),
    "squeezenet1_1": (64, "features.6.expand3x3", "classifier.3"),
    "regnet_x_400mf": (64, "trunk_output.block2.block2-0.proj.1", "fc"),
    "regnet_y_400mf": (64, "trunk_output.block2.block2-0.f.c.1", "fc"),
    "mnasnet0_5": (64, "layers.9.0.layers.7", "classifier.1"),
    "shufflenet_v2_x0_5": (64, "stage3.0.branch1.3", "fc"),
}
SMOOTH = {  # not only rectifiers: the gradient remains
    "mobilenet_v3_small": (64, "features.4.block.3.1", "classifier.3"),
    "efficientnet_b0": (64, "features.3.0.block.3.1", "classifier.1"),
    "convnext_tiny": (64, "features.3.0.block.0", "classifier.2"),
}
QUICK = {"resnet18", "squeezenet1_1", "shufflenet_v2_x0_5"}  # the others take 3 to 25 s


def marked(names):
    return [pytest.param(name, marks=pytest.mark.slow) if name not in QUICK else name for name in names]


def trained(name):
    """Return a model with random weights, whose normalisations have statistics, in float64."""
    torch.manual_seed(1)
    module = models.get_model(name, weights=None, num_classes=7)
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight)
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.running_mean, 0, 0.1)
            nn.init.uniform_(part.running_var, 0.5, 2)
            nn.init.uniform_(part.weight, 0.5, 1)
            nn.init.normal_(part.bias, 0, 0.1)
    return module.double().eval()


def with_relu_modules(module):
    """Replace the function F.relu, which captum does not see, by modules."""
    graph = torch.fx.symbolic_trace(module)
    for number, node in enumerate(graph.graph.nodes):
        if node.target is F.relu:
            graph.add_submodule(f"relu_{number}", nn.ReLU())
            node.op, node.target, node.kwargs = "call_module", f"relu_{number}", {}
    graph.recompile()
    return graph


def check(name, side, layers, rules):
    module = trained(name)
    net = adapt(module, side)
    images = torch.randn(1, 3, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    trace = net.trace(images)
    torch.testing.assert_close(net(images), module(images.clone()), rtol=1e-10, atol=1e-10)
    peer = with_relu_modules(module)
    for layer in layers:
        output = trace.activations[layer][0]
        place = tuple(torch.stack(torch.where(output == output.max()))[:, 0].tolist())
        for rule in rules:
            activation, ours = project(net, images, layer, place[0], place[1:] or None, rule)
            theirs = PEERS[rule](peer, peer.get_submodule(layer)).attribute(images.clone().requires_grad_(), place)
            expected = activation * theirs
            assert activation > 0 and expected.abs().max() > 0
            torch.testing.assert_close(ours, expected, rtol=1e-8, atol=1e-10 * expected.abs().max().item())


@pytest.mark.parametrize("name", marked(PLACES))
def test_projections_are_captums(name):
    side, *layers = PLACES[name]
    check(name, side, layers, PEERS)


@pytest.mark.parametrize("name", marked(SMOOTH))
def test_where_not_all_are_rectifiers_the_gradient_remains(name):
    side, *layers = SMOOTH[name]
    check(name, side, layers, ["gradient"])
    net = adapt(trained(name), side)
    for rule in ("deconvnet", "guided"):
        with pytest.raises(ZfnetError, match=r"is no rectifier .*Use --rule gradient .*saliency, occlude and maximize"):
            project(net, torch.randn(1, 3, side, side, dtype=torch.float64), layers[-1], 0, rule=rule)


class _Ruled(torch.autograd.Function):
    """A rectifier with a backward pass of its own: the signal's positive part, times the derivative if `mask`."""

    @staticmethod
    def forward(ctx, x, module, mask):
        ctx.mask, ctx.module = mask, module
        ctx.save_for_backward(x)
        return module(x)

    @staticmethod
    def backward(ctx, signal):
        (x,) = ctx.saved_tensors
        signal = signal.clamp(min=0)
        if ctx.mask:
            slope = getattr(ctx.module, "negative_slope", 0.0)
            above = 6.0 if isinstance(ctx.module, nn.ReLU6) else float("inf")
            signal = signal * torch.where(x > 0, (x < above).to(x.dtype), torch.full_like(x, slope))
        return signal, None, None


class Rectified(nn.Module):
    """Two branches and a shortcut, with a rectifier that is used twice; `mask` None: as usual."""

    def __init__(self, rectifier):
        super().__init__()
        self.stem, self.wide, self.deep = nn.Conv2d(3, 6, 3, 2), nn.Conv2d(6, 6, 5, 1, 2), nn.Conv2d(6, 6, 3, 1, 1)
        self.rectifier, self.head, self.mask = rectifier, nn.Linear(6 * 7 * 7, 4), None

    def rectify(self, x):
        return self.rectifier(x) if self.mask is None else _Ruled.apply(x, self.rectifier, self.mask)

    def forward(self, x):
        x = 3 * self.stem(x)
        x = self.rectify(x + self.wide(x) + self.deep(x))
        return self.head(self.rectify(self.deep(x)).flatten(1))


@pytest.mark.parametrize("rule, mask", [("deconvnet", False), ("guided", True)])
@pytest.mark.parametrize("rectifier", [nn.ReLU(), nn.ReLU6(), nn.LeakyReLU(0.2)], ids=["ReLU", "ReLU6", "LeakyReLU"])
def test_other_rectifiers_follow_the_rule(rectifier, rule, mask):
    torch.manual_seed(3)
    module = Rectified(rectifier).double().eval()
    net = adapt(module, 16)
    images = 2 * torch.randn(2, 3, 16, 16, dtype=torch.float64)
    activation, ours = project(net, images, "head", 1, rule=rule)
    module.mask = mask
    images.requires_grad_()
    (expected,) = torch.autograd.grad((module(images)[:, 1] * activation).sum(), images)
    assert expected.abs().max() > 0
    torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-12)


def test_fields_hold_all_that_a_unit_sees_through_branches():
    net = adapt(_Deep().double().eval(), 32)
    field = receptive_fields(net)["join"]
    images = torch.randn(1, 3, 32, 32, dtype=torch.float64, requires_grad=True)
    output = net.trace(images, "join").activations["join"]
    (seen,) = torch.autograd.grad(output[0, :, 5, 6].abs().sum(), images)
    rows, columns = (seen[0].abs().sum((0, axis)).nonzero().flatten() for axis in (2, 1))
    for lines, place in ((rows, 5), (columns, 6)):
        start = field.offset + field.stride * place
        assert (lines[0], lines[-1]) == (start, start + field.size - 1)


class _Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.wide, self.deep = nn.Conv2d(3, 4, 3, 2), nn.Conv2d(4, 4, 5, 1, 2), nn.Conv2d(4, 4, 3, 1, 1)
        self.join, self.head = nn.Conv2d(8, 4, 1), nn.Linear(4, 2)

    def forward(self, x):
        x = self.stem(x)
        return self.head(self.join(torch.cat([self.wide(x) + x, self.deep(x)], 1)).mean([2, 3]))
