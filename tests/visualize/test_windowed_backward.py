"""The windowed backward pass gives the same pixels as whole maps."""

import pytest
import torch

from zfnet.visualize.backward import RULES, backproject, forward_trace, select_unit
from zfnet.visualize.windowed_backward import (
    Window,
    WindowedBackward,
    _transpose_to_few,
    backproject_windowed,
    cut_out,
    paste,
)


@pytest.mark.parametrize("name", ["zf", "krizhevsky"])
@pytest.mark.parametrize("position", [None, (0, 0), (1, 2)])
def test_windows_give_the_pixels_of_whole_maps(make_net, name, position):
    net = make_net(name).double()
    images = 50 * torch.randn(3, 3, net.crop, net.crop, dtype=torch.float64)
    for layer in ("conv1", "pool1", "conv2", "conv3"):
        records = forward_trace(net, images, layer)
        _, start = select_unit(records[-1].output, [2, 1, 4], position, value=1.0)
        assert backproject(records, start).any()
        for rule in RULES.values():
            expected = backproject(records, start, rule)
            torch.testing.assert_close(backproject_windowed(records, start, rule), expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("norm", [False, True])
def test_grouped_nets_with_pools_in_ceil_mode_too(foreign, images, norm):
    _, net = foreign(norm=norm)
    for layer in ("conv2", "pool2", "conv3", "average3"):
        records = forward_trace(net, images, layer)
        _, start = select_unit(records[-1].output, 5, (1, 1), value=1.0)
        for rule in ("deconvnet", "guided", "gradient"):
            expected = backproject(records, start, RULES[rule])
            torch.testing.assert_close(
                backproject_windowed(records, start, RULES[rule]), expected, rtol=1e-10, atol=1e-13
            )


def test_one_forward_pass_serves_many_positions(make_net):
    net = make_net("zf").double()
    records = forward_trace(net, 50 * torch.randn(3, 3, net.crop, net.crop, dtype=torch.float64), "conv3")
    for name in ("deconvnet", "guided", "gradient"):
        back = WindowedBackward(records, RULES[name])
        for unit, position in ((2, None), (0, (0, 1)), (3, None), (2, None)):
            _, start = select_unit(records[-1].output, unit, position, value=1.0)
            before = start.clone()
            expected = backproject(records, start, RULES[name])
            torch.testing.assert_close(back.backproject(start), expected, rtol=1e-10, atol=1e-13)
            assert torch.equal(start, before)


@pytest.mark.parametrize("kernel", [(7, 7), (5, 4), (2, 3), (1, 1)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (4, 4), (3, 2)])
def test_a_plain_convolution_transposes_to_few_maps(kernel, stride):
    values = torch.randn(2, 6, 4, 5, dtype=torch.float64)
    weight = torch.randn(6, 3, *kernel, dtype=torch.float64)
    expected = torch.nn.functional.conv_transpose2d(values, weight, stride=stride)
    torch.testing.assert_close(_transpose_to_few(values, weight, *stride), expected, rtol=1e-10, atol=1e-13)


def test_values_beyond_the_edge_are_dropped():
    maps = torch.arange(1.0, 21).reshape(1, 1, 4, 5)
    window = Window(torch.ones(1, 1, 3, 3), torch.tensor([[-1, 3]]))
    assert paste(window, (4, 5))[0, 0].nonzero().tolist() == [[0, 3], [0, 4], [1, 3], [1, 4]]
    assert cut_out(maps, window)[0, 0].tolist() == [[4, 5, 5], [4, 5, 5], [9, 10, 10]]
