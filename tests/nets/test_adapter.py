"""Adapted nets compute the same numbers; the error for one that cannot be adapted names the module."""

import pytest
import torch
from torch import nn

from zfnet.core.errors import ZfnetError
from zfnet.nets import adapt, load, save
from zfnet.nets.contrast_norm import ContrastNorm


def chain(*more: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 6, 5, 2), *more)


def head(features: int) -> list[nn.Module]:
    return [nn.Flatten(), nn.Linear(features, 4)]


def noise(crop: int) -> torch.Tensor:
    return torch.randn(2, 3, crop, crop, generator=torch.Generator().manual_seed(3))


def test_in_place_and_reused_relus_become_separate_operations():
    """An in-place ReLU used three times would overwrite the values of a trace."""
    relu = nn.ReLU(inplace=True)
    net = nn.Sequential(nn.Conv2d(3, 6, 5), relu, nn.Conv2d(6, 6, 3), relu, *head(6 * 10 * 10), relu)
    adapted = adapt(net, 16)
    trace = adapted.trace(noise(16))
    assert [operation.name for operation in adapted.operations if operation.kind == "relu"] == [
        "relu1",
        "relu2",
        "relu3",
    ]
    assert trace.inputs["relu1"].min() < 0 < trace.inputs["relu2"].max() and trace.inputs["relu2"].min() < 0
    assert torch.equal(trace.activations["conv1"], trace.inputs["relu1"].relu())
    torch.testing.assert_close(adapted(noise(16)), net.eval()(noise(16)))


def test_norms_pools_and_names():
    norm = nn.LocalResponseNorm(3, 1e-3, 0.6, 1.5)
    net = chain(nn.ReLU(), norm, nn.MaxPool2d(3, 2, ceil_mode=True), nn.Dropout(0.3), *head(6 * 7 * 7))
    adapted = adapt(net, 32)
    assert list(adapted.layers) == ["conv1", "norm1", "pool1", "fc2"]
    assert isinstance(adapted.norm1, ContrastNorm) and adapted.norm1.size == 3
    torch.testing.assert_close(adapted(noise(32)), net.eval()(noise(32)))
    *_, last = adapted.iter_forward(noise(32))
    assert torch.equal(last.output, adapted(noise(32)))


def test_two_pools_in_one_layer_have_two_names():
    adapted = adapt(chain(nn.MaxPool2d(2), nn.MaxPool2d(2), *head(6 * 3 * 3)), 32)
    assert list(adapted.layers) == ["conv1", "pool1", "pool1b", "fc2"]
    assert list(adapted.trace(noise(32)).switches) == ["pool1", "pool1b"]


@pytest.mark.parametrize(
    "out, side, kinds",
    [
        (14, 14 * 14, []),
        ((None, None), 14 * 14, []),
        (7, 49, ["average"]),
        ((7, None), 7 * 14, ["average"]),
        (1, 1, ["average"]),
        (5, 25, ["average"]),
        ((20, 3), 60, ["average"]),
    ],
)
def test_adaptive_pools_are_fixed_at_this_crop(out, side, kinds):
    net = chain(nn.AdaptiveAvgPool2d(out), *head(6 * side))
    adapted = adapt(net, 32)
    assert [o.kind for o in adapted.operations if o.kind == "average"] == kinds
    torch.testing.assert_close(adapted(noise(32)), net(noise(32)))


def test_the_original_is_not_modified():
    net = chain(nn.ReLU(inplace=True), *head(6 * 14 * 14)).train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    adapted = adapt(net, 32, std=(58.0, 57.0, 57.5))
    adapted.conv1.weight.data.zero_()
    assert net.training and net[1].inplace
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_mean_and_std_are_folded_into_the_net():
    net, std = chain(nn.ReLU(), *head(6 * 14 * 14)), torch.tensor([58.0, 57.0, 56.0])
    adapted = adapt(net, 32, (123.0, 116.0, 103.0), std.tolist())
    assert adapted.mean.shape == (3, 37, 37) and adapted.mean[:, 5, 9].tolist() == [123.0, 116.0, 103.0]
    torch.testing.assert_close(adapted(60 * noise(32)), net(60 * noise(32) / std[:, None, None]))


@pytest.mark.parametrize("mean", [(1.0, 2.0), torch.zeros(3, 20, 20), torch.zeros(3, 40, 41)])
def test_a_mean_of_the_wrong_shape_is_refused(mean):
    with pytest.raises(ZfnetError, match="expected 3 numbers"):
        adapt(chain(*head(6 * 14 * 14)), 32, mean)


class Shortcut(nn.Module):
    def __init__(self, features=3 * 64):
        super().__init__()
        self.relu = nn.ReLU(inplace=True)
        self.first, self.last = nn.Conv2d(3, 3, 3, padding=1), nn.Linear(features, 2)

    def forward(self, x):
        return self.last(self.relu(x + self.first(x)).flatten(1))


class Undecided(nn.Module):
    def forward(self, x):
        return x.flatten(1) if x.sum() > 0 else x.flatten(1)[:, :3]


class Dreaming(Shortcut):
    def forward(self, x):
        return super().forward(x + torch.rand_like(x))


@pytest.mark.parametrize(
    "net, words",
    [
        (chain(nn.BatchNorm2d(6, track_running_stats=False), *head(6 * 14 * 14)), "1 .*track_running_stats"),
        (chain(nn.MaxPool2d(2, return_indices=True)), "ends with|itself fails|return_indices"),
        (chain(*head(7)), r"itself fails on inputs \(2, 3, 32, 32\): .* Give the crop"),
        (chain(nn.ReLU()), "one number per class"),
        (chain(nn.Linear(6 * 14 * 14, 2)), "Sequential itself fails on inputs"),
        (
            nn.Sequential(nn.Conv2d(1, 6, 5, 2), *head(6 * 14 * 14)),
            r"takes images of 1 channel\(s\)",
        ),
        (Undecided(), "cannot be read as a graph .*write them without `if`"),
        (Dreaming(3 * 32 * 32), "computes something else than its graph: .*random numbers"),
    ],
)
def test_nets_that_cannot_be_adapted_are_named(net, words):
    with pytest.raises(ZfnetError, match=words):
        adapt(net, 32)


@pytest.mark.parametrize(
    "more",
    [
        [nn.GELU()],
        [nn.LeakyReLU(0.1), nn.MaxPool2d(3, 1, 1)],
        [nn.ReLU6(inplace=True)],
        [nn.Upsample(scale_factor=2), nn.AvgPool2d(2)],
        [nn.ReLU(), nn.Sequential(nn.BatchNorm2d(6))],
        [nn.Conv2d(6, 6, 4, padding="same")],
        [nn.Conv2d(6, 6, 3, padding=1, padding_mode="reflect")],
        [nn.GroupNorm(2, 6), nn.PReLU(6), nn.Hardswish(inplace=True)],
    ],
)
def test_other_steps_of_a_chain(more):
    net = with_statistics(chain(*more, *head(6 * 14 * 14)))
    torch.testing.assert_close(adapt(net, 32)(noise(32).double()), net(noise(32).double()), rtol=1e-12, atol=1e-12)


def test_a_net_with_a_shortcut_keeps_its_names():
    net = Shortcut().eval()
    adapted = adapt(net, 8, std=(50.0, 60.0, 70.0))
    assert [name for name in adapted.layers if "prep" not in name] == ["first", "add", "relu", "flatten", "last"]
    pixels = 60 * noise(8)
    expected = net(pixels / torch.tensor([50.0, 60.0, 70.0])[:, None, None])
    torch.testing.assert_close(adapted(pixels), expected, rtol=1e-4, atol=1e-4)


class ReusedInPlace(nn.Module):
    """A ReLU that changes a value in place which is used again, written as a function and as an operator."""

    def __init__(self):
        super().__init__()
        self.conv, self.out, self.aux = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4 * 64, 2), nn.Linear(4 * 64, 9)

    def forward(self, x):
        y = self.conv(x)
        z = torch.nn.functional.relu(y, True)
        z = self.conv(x) + 2 * y  # y is rectified by now
        z += y
        z = z.view(z.size(0), -1)
        return self.out(z), self.aux(z)


def test_values_changed_in_place_and_auxiliary_heads():
    net = ReusedInPlace().double().eval()
    adapted = adapt(net, 8)
    torch.testing.assert_close(adapted(noise(8).double()), net(noise(8).double())[0], rtol=1e-12, atol=1e-12)
    assert "aux" not in adapted.layers and {"conv", "conv_1", "relu", "out"} <= set(adapted.layers)


class Plain(nn.Module):
    """A plain chain, written with functions and one pool used twice."""

    def __init__(self):
        super().__init__()
        self.second, self.first = nn.Conv2d(6, 6, 3), nn.Conv2d(3, 6, 3)
        self.pool, self.last = nn.MaxPool2d(2), nn.Linear(6 * 6 * 6, 4)

    def forward(self, x):
        x = self.pool(torch.relu(self.first(x)))
        x = self.pool(torch.nn.functional.relu(self.second(x)))
        return self.last(torch.flatten(torch.nn.functional.dropout(x, 0.5, self.training), 1))


def test_a_chain_of_functions_has_the_names_of_the_paper():
    adapted = adapt(Plain(), 32)
    assert list(adapted.layers) == ["conv1", "pool1", "conv2", "pool2", "fc3"]


def test_numbers_from_0_to_1_are_refused():
    net = chain(nn.ReLU(), *head(6 * 14 * 14))
    with pytest.raises(ZfnetError, match=r"mean = \[0.485, .* fractions of white .* multiply both mean and std by 255"):
        adapt(net, 32, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    with pytest.raises(ZfnetError, match=r"std = \[0.229"):
        adapt(net, 32, (123.0, 116.0, 103.0), (0.229, 0.224, 0.225))


@pytest.mark.parametrize("shared", [False, True])
def test_blue_green_red_and_division_become_part_of_the_net(shared):
    net = Shortcut() if shared else chain(nn.ReLU(), *head(6 * 14 * 14))
    crop, std = (8, (50.0, 60.0, 70.0)) if shared else (32, (50.0, 60.0, 70.0))
    pixels = 60 * noise(crop)
    expected = net.eval()((pixels / torch.tensor(std)[:, None, None]).flip(1))
    torch.testing.assert_close(adapt(net, crop, std=std, bgr=True)(pixels), expected, rtol=1e-4, atol=1e-4)


def with_statistics(net: nn.Module) -> nn.Module:
    """Set the batch normalisations as after training, in float64."""
    torch.manual_seed(5)
    for norm in net.modules():
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(norm.running_mean)
            nn.init.uniform_(norm.running_var, 0.1, 3)
            if norm.affine:
                nn.init.normal_(norm.weight)
                nn.init.normal_(norm.bias)
    return net.double().eval()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_batch_normalisation_is_folded_exactly(bias, affine):
    net = nn.Sequential(
        nn.Conv2d(3, 6, 5, 2, padding=2, bias=bias),
        nn.BatchNorm2d(6, affine=affine),
        nn.ReLU(),
        nn.Conv2d(6, 4, 3, groups=2, bias=bias),
        nn.BatchNorm2d(4, eps=0.1, affine=affine),
        nn.BatchNorm2d(4, affine=affine),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 14 * 14, 5, bias=bias),
        nn.BatchNorm1d(5, affine=affine),
    )
    net = with_statistics(net)
    adapted = adapt(net, 32)
    assert list(adapted.layers) == ["conv1", "conv2", "fc3"]
    torch.testing.assert_close(adapted(noise(32).double()), net(noise(32).double()), rtol=1e-12, atol=1e-12)


def test_a_convolution_used_twice_is_folded_only_where_it_is_normalised():
    shared = nn.Conv2d(6, 6, 3, padding=1)
    net = with_statistics(chain(shared, nn.BatchNorm2d(6), nn.ReLU(), shared, *head(6 * 14 * 14)))
    torch.testing.assert_close(adapt(net, 32)(noise(32).double()), net(noise(32).double()), rtol=1e-12, atol=1e-12)


def test_rectangular_and_dilated_windows_and_named_padding():
    net = chain(
        nn.Conv2d(6, 6, (3, 1), stride=(1, 2), padding=(2, 0)),
        nn.ReLU(),
        nn.MaxPool2d((3, 2), (2, 1), dilation=(1, 2)),
        nn.Conv2d(6, 6, (3, 5), padding="same", dilation=(2, 1)),
        nn.ZeroPad2d((0, 1, 2, 0)),
        nn.AvgPool2d((2, 3), (1, 2), padding=(1, 0)),
        nn.Conv2d(6, 3, 2, padding="valid"),
        *head(3 * 9 * 1),
    ).double()
    torch.testing.assert_close(adapt(net, 32)(noise(32).double()), net(noise(32).double()), rtol=1e-12, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, crop, last",
    [("alexnet", 224, "fc8"), ("alexnet", 160, "fc8"), ("vgg11", 64, "fc11"), ("vgg11_bn", 64, "fc11")],
)
def test_torchvisions_nets(name, crop, last):
    models = pytest.importorskip("torchvision.models", exc_type=ImportError)
    net = getattr(models, name)().eval()
    adapted = adapt(net, crop)
    assert list(adapted.layers)[-1] == last and adapted.classes == 1000
    torch.testing.assert_close(adapted(noise(crop)), net(noise(crop)), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, side", [("resnet18", 64), ("inception_v3", 80), ("mobilenet_v3_small", 64), ("mnasnet0_5", 64)]
)
def test_nets_with_branches_are_saved_and_loaded(name, side, tmp_path):
    models = pytest.importorskip("torchvision.models", exc_type=ImportError)
    net = adapt(with_statistics(models.get_model(name, weights=None, num_classes=5)).float(), side, std=(58, 57, 56))
    save(net, tmp_path / "net.safetensors")
    loaded = load(tmp_path / "net.safetensors")
    assert loaded.layers == net.layers
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in net.state_dict().items())
    torch.testing.assert_close(loaded(noise(side)), net(noise(side)), rtol=1e-4, atol=1e-5)


def test_a_net_without_a_place_in_the_file_format_says_so(tmp_path):
    with pytest.raises(ZfnetError, match=r"1 \(GroupNorm\) has no place in the file format"):
        save(adapt(chain(nn.GroupNorm(2, 6), *head(6 * 14 * 14)), 32), tmp_path / "net.safetensors")
