"""Weights as people have them: wrappers, prefixes, old and half-precision files; and what is refused, in sentences."""

import argparse
import re

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from zfnet.core.errors import ZfnetError
from zfnet.explore import torchvision_models
from zfnet.explore.torchvision_models import fit_names, open_model
from zfnet.explore.weights_reader import read_state, require_stored_values

models = pytest.importorskip("torchvision.models", exc_type=ImportError)


@pytest.fixture
def state():
    """Return the weights of a small model of torchvision."""
    torch.manual_seed(0)
    return models.squeezenet1_1(num_classes=4).state_dict()


def prefixed(state, change):
    return {change(name): tensor for name, tensor in state.items()}


WRAPPED = {
    "plain": lambda state: state,
    "state_dict": lambda state: {"epoch": 1, "arch": "x", "state_dict": state, "optimizer": {"state": {}}},
    "torchvision's script": lambda state: {
        "model": state,
        "args": argparse.Namespace(lr=0.1, device="cuda"),
        "epoch": 3,
    },
    "numpy's numbers": lambda state: {"model": state, "best": np.float64(71.2), "n": np.int64(3), "ok": np.bool_(True)},
    "DataParallel": lambda state: prefixed(state, lambda name: f"module.{name}"),
    "DataParallel inside": lambda state: prefixed(state, lambda name: name.replace("features.", "features.module.")),
    "compiled": lambda state: prefixed(state, lambda name: f"_orig_mod.{name}"),
    "compiled, then DataParallel": lambda state: prefixed(state, lambda name: f"module._orig_mod.{name}"),
    "DataParallel, then compiled": lambda state: {"model": prefixed(state, lambda name: f"_orig_mod.module.{name}")},
    "Lightning": lambda state: {
        "state_dict": prefixed(state, lambda name: f"model.{name}") | {"loss.w": torch.ones(3)}
    },
    "a backbone": lambda state: prefixed(state, lambda name: f"net.backbone.module.{name}"),
    "half precision": lambda state: {name: tensor.half() for name, tensor in state.items()},
    "bfloat16": lambda state: {name: tensor.bfloat16() for name, tensor in state.items()},
    "double precision": lambda state: {name: tensor.double() for name, tensor in state.items()},
}


@pytest.mark.parametrize("wrapping", WRAPPED)
def test_common_wrappings_open(state, wrapping, tmp_path):
    torch.save(WRAPPED[wrapping](state), tmp_path / "w.pth")
    model = open_model("squeezenet1_1", tmp_path / "w.pth", False)
    exact = {"half precision": torch.half, "bfloat16": torch.bfloat16}.get(wrapping, torch.float)
    for name, tensor in model.module.state_dict().items():
        assert torch.equal(tensor, state[name].to(exact).float())
    assert model.left_out == (["loss.w"] if wrapping == "Lightning" else [])


def test_safetensors_open_too(state, tmp_path):
    save_file(prefixed(state, lambda name: f"module.{name}"), tmp_path / "w.safetensors")
    module = open_model("squeezenet1_1", tmp_path / "w.safetensors", False).module
    assert all(torch.equal(tensor, state[name]) for name, tensor in module.state_dict().items())


def test_counters_and_auxiliary_heads_may_be_missing(tmp_path):
    state = models.googlenet(num_classes=3, init_weights=False).state_dict()
    kept = {name: t for name, t in state.items() if "num_batches_tracked" not in name and not name.startswith("aux")}
    torch.save(kept, tmp_path / "w.pth")
    module = open_model("googlenet", tmp_path / "w.pth", False).module
    assert torch.equal(module.fc.weight, state["fc.weight"]) and module.conv1.bn.num_batches_tracked == 0
    assert module.eval()(torch.zeros(2, 3, 64, 64)).shape == (2, 3)


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "mobilenet_v2", "regnet_x_400mf"])
def test_the_number_of_classes_is_that_of_the_file(name, tmp_path):
    torch.save(models.get_model(name, weights=None, num_classes=6).state_dict(), tmp_path / "w.pth")
    assert open_model(name, tmp_path / "w.pth", False).module.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 6)


def test_old_names_of_densenet(tmp_path):
    new = models.densenet121(num_classes=3).state_dict()
    old = prefixed(new, lambda name: re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", name))
    torch.save(old, tmp_path / "w.pth")
    assert old.keys() != new.keys() and open_model("densenet121", tmp_path / "w.pth", False).left_out == []


def test_names_below_an_outer_part():
    expected = {"conv.weight": torch.ones(1), "fc.weight": torch.ones(1)}
    state = {f"a.b.{name}": tensor for name, tensor in expected.items()}
    assert fit_names(state | {"other": torch.ones(1)}, expected) == (expected, ["other"])


REFUSED = {
    "a class": (
        lambda state: {"model": state, "config": Mine()},
        r"holds more than tensors \(.*Mine\).*cut out the weights",
    ),
    "a net": (lambda state: models.squeezenet1_1(num_classes=2), r"more than tensors \(torchvision.*SqueezeNet\)"),
    "numbers as names": (lambda state: dict(enumerate(state.values())), "the name 0 is no text"),
    "sparse": (lambda state: {"a": torch.eye(3).to_sparse()}, "a is a torch.sparse_coo tensor"),
    "meta": (lambda state: {"a": torch.empty(3, device="meta")}, "a is a meta tensor"),
    "empty": (lambda state: {"a": torch.empty(0, 3)}, r"a is empty, \(0, 3\)"),
    "a list inside": (lambda state: state | {"note": [1]}, "note is of type list"),
    "two of one name": (lambda state: {"a": torch.ones(1), "module.a": torch.ones(1)}, "a is given twice"),
    "nothing": (lambda state: {"model": {}}, "named tensors, or none"),
}


class Mine:
    """Something that a training script puts beside its weights."""


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused_is_named(state, kind, tmp_path):
    write, words = REFUSED[kind]
    torch.save(write(state), tmp_path / "w.pth")
    with pytest.raises(ZfnetError, match=words):
        read_state(tmp_path / "w.pth")


def test_a_small_file_does_not_become_a_large_net(state, tmp_path):
    state["classifier.1.weight"] = torch.zeros(1).expand(400_000, 512, 1, 1)
    state["classifier.1.bias"] = torch.zeros(1).expand(400_000)
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(ZfnetError, match=r"classifier.1.* holds fewer numbers than that .*contiguous"):
        open_model("squeezenet1_1", tmp_path / "w.pth", False)
    require_stored_values(tmp_path, {"tied": state["features.0.weight"].transpose(0, 1)})


def test_the_same_mistake_gives_the_same_message(state, tmp_path):
    torch.save({f"x{name}": tensor for name, tensor in state.items()}, tmp_path / "w.pth")
    with pytest.raises(ZfnetError, match=r"features.0.weight is missing \(and 103 other names differ\)"):
        open_model("squeezenet1_1", tmp_path / "w.pth", False)


def test_published_weights_come_from_the_cache(state, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(
        ZfnetError, match=r"not in torch's cache; nothing is downloaded here. Fetch them once: python -c"
    ):
        open_model("vgg11", "IMAGENET1K_V1", False)
    with pytest.raises(ZfnetError, match=r"neither a file nor weights of vgg11, which has IMAGENET1K_V1, DEFAULT"):
        open_model("vgg11", "IMAGENET1K_V9", False)
    entry = models.VGG16_Weights.IMAGENET1K_FEATURES
    place = tmp_path / "checkpoints" / entry.url.rpartition("/")[2]
    place.parent.mkdir()
    place.touch()
    found = [torchvision_models._find("vgg16", given, list(models.VGG16_Weights), models.VGG16_Weights.DEFAULT)
             for given in ("IMAGENET1K_FEATURES", "VGG16_Weights.IMAGENET1K_FEATURES", place)]  # fmt: skip
    assert found == [(place, entry)] * 3


def test_a_compressed_archive_is_refused(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "w.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w/data.pkl", b"0" * 10**6)
    with pytest.raises(ZfnetError, match="a compressed zip archive"):
        read_state(tmp_path / "w.pth")


def test_modules_of_torch_are_no_weights(tmp_path):
    torch.save(nn.Linear(2, 3), tmp_path / "w.pth")
    with pytest.raises(ZfnetError, match=r"torch.nn.modules.linear.Linear"):
        read_state(tmp_path / "w.pth")
