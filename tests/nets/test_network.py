"""Built nets: shapes, names, switches, and the equality of `forward` and `iter_forward`."""

import pytest
import torch
import torch.nn.functional as F

from zfnet.core.device import device
from zfnet.core.errors import ZfnetError
from zfnet.nets import build, parameters

NETS = [
    ("zf", {}),
    ("krizhevsky", {}),
    ("krizhevsky", {"remove": (3, 4)}),
    ("krizhevsky", {"remove": (3, 4, 6, 7)}),
    ("zf", {"units": 2048, "maps": {3: 512, 4: 1024, 5: 512}, "norm_alpha": "per_term"}),
]


@pytest.mark.parametrize("name, count", [("zf", 62_357_608), ("krizhevsky", 60_965_224)])
def test_parameters_are_the_published_ones(name, count):
    with torch.device("meta"):
        assert parameters(build(name)) == count


@pytest.mark.parametrize("name, options", NETS)
def test_forward_equals_iter_forward_bit_for_bit(small, images, name, options):
    net = small(name, **options)
    with torch.no_grad():
        *_, last = net.iter_forward(images)
        assert torch.equal(last.output, net(images))
        channels_last = images.contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(net.to(memory_format=torch.channels_last)(channels_last), last.output)


@pytest.mark.parametrize("name, options", NETS)
def test_every_output_has_the_specified_shape(small, images, name, options):
    net = small(name, **options)
    for record, spec in zip(net.iter_forward(images), net.architecture.plan(), strict=True):
        assert record.operation.name == spec.name and record.operation.kind == spec.kind
        assert record.output.shape == (3, *spec.shape)


def test_a_trace_holds_the_layers_of_the_paper(small, images):
    trace = small("zf").trace(images)
    layers = "conv1 pool1 norm1 conv2 pool2 norm2 conv3 conv4 conv5 pool5 fc6 fc7 fc8"
    assert list(trace.activations) == layers.split()
    assert list(trace.switches) == ["pool1", "pool2", "pool5"]
    assert all(trace.activations[name].min() >= 0 for name in layers.split()[:-1])  # after the ReLU
    assert trace.activations["fc8"].min() < 0


def test_a_trace_is_consistent_with_the_weights(small, images):
    """The activations of a trace are ReLU(W x + b) of its inputs."""
    net = small("zf")
    trace = net.trace(images)
    conv2 = F.conv2d(trace.inputs["conv2"], net.conv2.weight, net.conv2.bias, stride=2)
    assert torch.equal(trace.activations["conv2"], conv2.relu())
    assert torch.equal(trace.inputs["pool2"], trace.activations["conv2"])
    assert torch.equal(trace.inputs["conv1"], F.pad(images, (0, 1, 0, 1)))


@pytest.mark.parametrize("name", ["zf", "krizhevsky"])
def test_switches_point_at_the_maxima(small, images, name):
    trace = small(name).trace(images)
    for pool, switches in trace.switches.items():
        assert switches.dtype == torch.int64
        plane = trace.inputs[pool].flatten(2)
        assert torch.equal(plane.gather(2, switches.flatten(2)), trace.activations[pool].flatten(2))


def test_iter_forward_stops_after_the_requested_layer(small, images):
    net = small("krizhevsky")
    *_, last = net.iter_forward(images, upto="conv3")
    assert last.operation.name == "relu3"
    assert list(net.trace(images, upto="pool1").activations) == ["conv1", "norm1", "pool1"]
    with pytest.raises(ZfnetError, match=r"'conv6'.*did you mean 'conv5'"):
        list(net.iter_forward(images, upto="conv6"))


def test_parameters_have_the_papers_names(small):
    names = list(small("krizhevsky", remove=(3, 4)).state_dict())
    assert names[0] == "mean"
    assert [n for n in names if n.endswith("weight")] == [
        f"{n}.weight" for n in ["conv1", "conv2", "conv5", "fc6", "fc7", "fc8"]
    ]


def test_dropout_works_in_training_and_only_in_layers_6_and_7(small, images):
    net = small("zf", dropout=0.9).train()
    trace = net.trace(images)
    for layer in ("6", "7"):
        kept = (trace.inputs[f"fc{int(layer) + 1}"] != 0).sum()
        assert kept < 0.5 * (trace.activations[f"fc{layer}"] != 0).sum()
    assert [operation.name for operation in net.operations if operation.kind == "dropout"] == ["dropout6", "dropout7"]


def test_the_two_groups_do_not_see_each_other(small):
    """In layers 2, 4 and 5 of the replica; layer 3 sees all maps. ZF is dense everywhere."""
    groups = {name: [getattr(small(name), f"conv{n}").groups for n in range(1, 6)] for name in ("zf", "krizhevsky")}
    assert groups == {"zf": [1, 1, 1, 1, 1], "krizhevsky": [1, 2, 1, 2, 2]}


@pytest.mark.parametrize("alpha, effective", [("over_n", 1e-4), ("per_term", 5e-4)])
def test_both_readings_of_the_norm(small, alpha, effective):
    norm = small("zf", norm_alpha=alpha).norm1
    assert (norm.size, norm.alpha, norm.beta, norm.k) == (5, effective, 0.75, 2.0)


def test_the_device_is_a_gpu_where_there_is_one():
    assert device().type == ("cuda" if torch.cuda.is_available() else "cpu")
