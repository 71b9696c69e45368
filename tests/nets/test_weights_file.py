"""Saving and loading nets: exact round trips, and an error message for every foreign or damaged file."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from zfnet.core.errors import ZfnetError
from zfnet.nets import adapt, build, load, load_metadata, save
from zfnet.nets.geometry import receptive_fields


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs" / "zf-s1" / "weights.safetensors"


def rewrite(path, header=None, **tensors):
    """Change tensors (None: remove) and header of a saved net."""
    with safe_open(path, "pt") as file:
        old = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        text = file.metadata()["zfnet"]
    new = {name: tensor for name, tensor in (old | tensors).items() if tensor is not None}
    save_file(new, path, metadata={"zfnet": header(json.loads(text)) if header else text})


@pytest.mark.parametrize("name, options", [("zf", {"norm_alpha": "per_term"}), ("krizhevsky", {"remove": (3, 4, 7)})])
def test_saving_and_loading_a_net_is_exact(small, images, path, name, options):
    net = small(name, **options).to(memory_format=torch.channels_last)
    save(net, path, run="zf-s1", classes=["n01440764", "n01443537"])
    again = load(path)
    assert again.architecture == net.architecture and not again.training
    assert all(torch.equal(one, net.state_dict()[key]) for key, one in again.state_dict().items())
    assert torch.equal(again.to(memory_format=torch.channels_last)(images), net(images))
    assert load_metadata(path) == {"run": "zf-s1", "classes": ["n01440764", "n01443537"]}


def test_the_same_net_gives_the_same_bytes(small, path, tmp_path):
    save(small("zf"), path, b=1, a=2)
    save(small("zf"), tmp_path / "again.safetensors", a=2, b=1)
    assert path.read_bytes() == (tmp_path / "again.safetensors").read_bytes()


def test_a_loaded_net_can_be_trained(small, images, path):
    save(small("zf"), path)
    net = load(path).train()
    net(images).sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


def damage(path, kind):
    if kind == "missing":
        return path.with_name("other.safetensors")
    content = path.read_bytes()
    path.write_bytes({"empty": b"", "text": b"<html>404</html>", "cut": content[: len(content) // 2]}[kind])
    return path


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "cut"])
def test_damaged_files_are_refused(small, path, kind):
    save(small("zf"), path)
    damaged = damage(path, kind)
    with pytest.raises(ZfnetError, match=damaged.name):
        load(damaged)
    with pytest.raises(ZfnetError, match=damaged.name):
        load_metadata(damaged)


def test_foreign_safetensors_are_refused(path, tmp_path):
    save_file({"conv1.weight": torch.zeros(2)}, tmp_path / "foreign.safetensors", metadata={"format": "pt"})
    with pytest.raises(ZfnetError, match="not a net saved by zfnet"):
        load(tmp_path / "foreign.safetensors")


@pytest.mark.parametrize(
    "tensors, words",
    [
        ({"conv2.bias": None}, "conv2.bias is missing"),
        ({"conv9.bias": torch.zeros(1)}, "conv9.bias is not part"),
        ({"fc8.bias": torch.zeros(3)}, "fc8.bias is torch.float32"),
        ({"fc8.bias": torch.zeros(10, dtype=torch.int64)}, "fc8.bias is torch.int64"),
    ],
)
def test_tensors_must_be_those_of_the_architecture(small, path, tensors, words):
    save(small("zf"), path)
    rewrite(path, **tensors)
    with pytest.raises(ZfnetError, match=words):
        load(path)


@pytest.mark.parametrize(
    "header",
    [
        lambda header: "[]",
        lambda header: "{",
        lambda header: json.dumps(header | {"format": 99}),
        lambda header: json.dumps(header | {"architecture": {"name": "zf", "layers": 5}}),
        lambda header: json.dumps(header | {"architecture": header["architecture"] | {"width": 1e6}}),
        lambda header: json.dumps(header | {"architecture": header["architecture"] | {"width": 64, "classes": 10**6}}),
    ],
)
def test_a_wrong_header_is_refused_before_memory_is_allocated(small, path, header):
    save(small("zf"), path)
    rewrite(path, header)
    with pytest.raises(ZfnetError, match=path.name):
        load(path)


@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
@settings(deadline=None, max_examples=30)
def test_a_wrong_byte_either_loads_or_names_the_file(tmp_path_factory, place, value):
    path = tmp_path_factory.mktemp("net") / "weights.safetensors"
    save(build("zf", classes=3, width=1 / 96, crop=64), path)
    content = bytearray(path.read_bytes())
    content[int(place * min(len(content), 3000))] = value  # most of them in the header
    path.write_bytes(content)
    try:
        load(path)
    except ZfnetError as error:
        assert path.name in str(error)


# ---- adapted nets ----------------------------------------------------------------------------------------------------


@pytest.fixture
def adapted():
    """Return an adapted net with every kind of operation, and two inputs."""
    torch.manual_seed(0)
    layers = [
        *(nn.ZeroPad2d((1, 0, 2, 1)), nn.Conv2d(3, 6, (5, 3), 2, bias=False), nn.BatchNorm2d(6), nn.ReLU()),
        *(nn.LocalResponseNorm(3, 1e-2), nn.MaxPool2d((3, 2), 2, dilation=1, ceil_mode=True)),
        *(nn.Conv2d(6, 4, 3, padding="same", groups=2), nn.ReLU(True), nn.AvgPool2d(2, 1, count_include_pad=False)),
        *(nn.AdaptiveAvgPool2d(3), nn.Dropout(0.2), nn.Flatten(), nn.Linear(36, 7), nn.ReLU(), nn.Linear(7, 5)),
    ]
    return adapt(nn.Sequential(*layers).eval(), 32, (120.0, 110.0, 100.0), (58.0, 57.0, 57.0)), 50 * torch.randn(
        2, 3, 32, 32
    )


def test_saving_and_loading_an_adapted_net_is_exact(adapted, path):
    net, images = adapted
    save(net, path, source="mine")
    again = load(path)
    assert again.architecture is None and not again.training and again.layers == net.layers
    assert [o[:2] for o in again.operations] == [o[:2] for o in net.operations]
    assert torch.equal(again(images), net(images)) and torch.equal(again.mean, net.mean)
    assert load_metadata(path) == {"source": "mine"}
    assert receptive_fields(again) == receptive_fields(net)


def change(header, *keys, value):
    """Set one entry of the description of a saved adapted net."""
    place = header["chain"]
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    return json.dumps(header)


@pytest.mark.parametrize(
    "keys, value, words",
    [
        (("crop",), 0, "crop: Input should be greater"),
        (("crop",), 33000, "crop"),
        (("crop",), 9999, "larger than its square"),
        (("classes",), "5", "classes"),
        (("operations",), [], "operations"),
        (("operations", 0, "kind"), "os.system", "no operation 'os.system'"),
        (("operations", 0, "name"), "__class__", "operations.0.name"),
        (("operations", 1, "name"), "pad0", "repeated names"),
        (("operations", 1, "options"), {"in_channels": 3}, "conv1: has the options in_channels; expected"),
        (("operations", 1, "options", "groups"), 0, "conv1: "),
        (("operations", 1, "options", "out_channels"), 10**6, "conv2 does not fit its input"),
        (("operations", 1, "options", "out_channels"), 10**12, "operations.1.options.out_channels"),
        (("operations", 3, "options", "size"), [[1]], "operations.3.options.size"),
        (("operations", 1, "options", "in_channels"), 5, r"conv1 does not fit its input \(2, 3, 35, 33\)"),
        (("operations", 4, "options", "kernel_size"), [1], "operations.4.options.kernel_size"),
        (("operations", 4, "options", "kernel_size"), [2, 2, 2], "pool1 does not fit"),
        (("operations", 4, "options", "kernel_size"), [99, 99], "pool1 does not fit"),
        (("operations", 4, "options", "kernel_size"), 2.5, "pool1 does not fit"),
        (("operations", 10, "kind"), "relu", r"fc3 does not fit its input \(2, 4, 3, 3\)"),
        (("operations", -1, "options", "in_features"), 8, "fc4 does not fit its input"),
        (("classes",), 6, r"for two images has shape \(2, 5\); expected \(2, 6\)"),
    ],
)
def test_a_wrong_chain_is_refused(adapted, path, keys, value, words):
    save(adapted[0], path)
    rewrite(path, lambda header: change(header, *keys, value=value))
    with pytest.raises(ZfnetError, match=f"{path.name}.*{words}"):
        load(path)
