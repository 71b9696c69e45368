"""Receptive fields: the published numbers, and what a gradient really reaches."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from zfnet.core.errors import ZfnetError
from zfnet.nets import adapt, build
from zfnet.nets.geometry import receptive_fields, stage_output

ZF = {  # field, stride, offset, map
    "conv1": (7, 2, 0, 110),
    "pool1": (11, 4, 0, 55),
    "conv2": (27, 8, 0, 26),
    "pool2": (43, 16, 0, 13),
    "conv3": (75, 16, -16, 13),
    "conv4": (107, 16, -32, 13),
    "conv5": (139, 16, -48, 13),
    "pool5": (171, 32, -48, 6),
}
KRIZHEVSKY = {
    "conv1": (11, 4, 0, 55),
    "pool1": (19, 8, 0, 27),
    "conv2": (51, 8, -16, 27),
    "pool2": (67, 16, -16, 13),
    "conv3": (99, 16, -32, 13),
    "conv4": (131, 16, -48, 13),
    "conv5": (163, 16, -64, 13),
    "pool5": (195, 32, -64, 6),
}


@pytest.mark.parametrize("name, published", [("zf", ZF), ("krizhevsky", KRIZHEVSKY)])
def test_fields_are_the_published_ones(name, published):
    with torch.device("meta"):
        fields = receptive_fields(build(name))
    assert {layer: tuple(fields[layer]) for layer in published} == published


def test_a_layer_ends_with_its_pool_and_norm():
    with torch.device("meta"):
        zf, krizhevsky = build("zf"), build("krizhevsky", remove=(7,))
    assert [stage_output(zf, layer) for layer in ("conv1", "conv3", "conv5", "fc7")] == [
        "norm1",
        "conv3",
        "pool5",
        "fc7",
    ]
    assert stage_output(krizhevsky, "conv1") == "pool1"
    with pytest.raises(ZfnetError, match="There is no layer 'fc7'; there are conv1"):
        stage_output(krizhevsky, "fc7")


def reached(net, layer: str, unit: int) -> tuple[int, int]:
    """First and last input row that unit (unit, unit) of `layer` depends on: all filters one, means for maxima."""
    x = torch.ones(1, 3, net.crop, net.crop, dtype=torch.float64, requires_grad=True)
    y = x
    for operation in net.operations[: net.layers[layer] + 1]:
        y = linear(operation, y)
    rows = torch.autograd.grad(y[0, 0, unit, unit], x)[0].sum((0, 1, 3)).nonzero()
    return int(rows[0]), int(rows[-1])


def linear(operation, x):
    module = operation.module
    if operation.kind == "conv":
        weight = torch.ones(1, x.shape[1], *module.kernel_size, dtype=x.dtype)
        return F.conv2d(x, weight, None, module.stride, module.padding)
    if operation.kind == "pool":
        return F.avg_pool2d(x, module.kernel_size, module.stride, module.padding, module.ceil_mode)
    return module(x) if operation.kind == "pad" else x


@pytest.mark.parametrize("name", ["zf", "krizhevsky"])
@pytest.mark.parametrize("crop", [112, 131])
@pytest.mark.parametrize("layer", ["conv1", "pool1", "conv2", "pool2", "conv3", "conv4", "conv5", "pool5"])
def test_fields_are_what_a_gradient_reaches(small, name, crop, layer):
    net = small(name, crop=crop)
    field = receptive_fields(net)[layer]
    for unit in (0, field.map // 2, field.map - 1):
        first = field.offset + unit * field.stride
        expected = max(first, 0), min(first + field.size, crop) - 1
        assert reached(net, layer, unit) == expected


def test_maps_are_those_of_the_activations(small, images):
    net = small("zf")
    fields, trace = receptive_fields(net), net.trace(images)
    for layer, activation in trace.activations.items():
        assert fields[layer].map == (activation.shape[-1] if activation.ndim == 4 else 1)


@pytest.mark.parametrize("crop", range(16, 30))
def test_padded_pools_of_foreign_nets_are_counted_as_torch_does(crop):
    layers = nn.Conv2d(3, 4, 3, padding=2), nn.MaxPool2d(3, 3, 1, ceil_mode=True), nn.AvgPool2d(2, 2, 1)
    net = adapt(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)), crop)
    trace = net.trace(torch.zeros(1, 3, crop, crop))
    for layer, field in receptive_fields(net).items():
        assert field.map == (1 if layer == "fc2" else trace.activations[layer].shape[-1])


def support(net, layer: str, row: int, column: int) -> list[int]:
    """First and last row, first and last column of the input that a unit depends on."""
    x = torch.rand(1, 3, net.crop, net.crop, dtype=torch.float64, requires_grad=True)
    y = x
    for operation in net.operations[: net.layers[layer] + 1]:
        y = operation.module(y)
    seen = torch.autograd.grad(y[0, :, row, column].sum(), x)[0].abs().sum((0, 1)).nonzero()
    return [*seen.amin(0).tolist(), *seen.amax(0).tolist()]


def test_dilated_windows_reach_further():
    layers = nn.Conv2d(3, 4, 3, 2, dilation=3), nn.AvgPool2d(2, 1), nn.Conv2d(4, 4, 3, dilation=2, padding=2)
    net = adapt(nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * 16 * 16, 2)), 40).double()
    field = receptive_fields(net)["conv2"]
    assert field == (17, 2, -4, 16)
    assert support(net, "conv2", 0, 9) == [0, 14, 12, 30]
    assert support(net, "conv2", 5, 12) == [6, 20, 22, 36]


@pytest.mark.parametrize("layer", [nn.Conv2d(4, 4, (3, 1), padding=(1, 0)), nn.AdaptiveAvgPool2d(3)])
def test_fields_that_no_square_describes_are_the_whole_crop(layer):
    net = adapt(nn.Sequential(nn.Conv2d(3, 4, 3), layer, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)), 22)
    first, second, *_ = receptive_fields(net).values()
    assert first == (3, 1, 0, 20)
    assert (second.size, second.stride, second.offset) == (22, 0, 0)


def test_fully_connected_units_see_everything(small):
    field = receptive_fields(small("zf"))["fc7"]
    assert field.map == 1 and field.offset <= 0 and field.offset + field.size >= 80
