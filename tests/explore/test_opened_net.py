"""Opening nets: preprocessing equal to torchvision's, and error messages."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from zfnet.commands import explore
from zfnet.core.errors import ZfnetError
from zfnet.explore import open_images, open_net
from zfnet.explore.preprocessing import GivenPixels
from zfnet.explore.weights_reader import read_state
from zfnet.nets import load, save

models = pytest.importorskip("torchvision.models", exc_type=ImportError)


@pytest.mark.slow
def test_a_torchvision_model_sees_what_torchvision_shows_it(tmp_path):
    """The logits agree, so weights, classes, resizing, crop, mean and standard deviation do."""
    torch.manual_seed(0)
    theirs = models.alexnet(num_classes=7).eval()
    torch.save(
        {"state_dict": {f"module.{name}": value for name, value in theirs.state_dict().items()}}, tmp_path / "w.pth"
    )
    rough = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    image = Image.fromarray(rough).resize((512, 384), Image.Resampling.BICUBIC)
    image.save(tmp_path / "one.png")
    opened = open_net("alexnet", tmp_path / "w.pth")
    (batch,) = open_images(opened.net, [tmp_path / "one.png"]).batches()
    expected = theirs(models.AlexNet_Weights.DEFAULT.transforms()(image)[None])
    assert opened.net.classes == 7 and opened.classes == [] and batch.inputs.shape == (1, 3, 224, 224)
    found = opened.net(batch.inputs)
    assert (found - expected).abs().max() < 0.01 * expected.std()


@pytest.mark.slow
def test_a_smaller_crop_keeps_the_proportion():
    opened = open_net("alexnet", random_weights=True, crop=112)
    assert (opened.net.crop, opened.net.size) == (112, 128) and len(opened.classes) == 1000
    assert opened.net.mean[:, 3, 70].tolist() == pytest.approx([123.675, 116.28, 103.53])
    assert torch.equal(opened.net.conv1.weight, open_net("alexnet", random_weights=True, crop=112).net.conv1.weight)


class Surprise:
    def __reduce__(self):
        return print, ("this would have run",)


@pytest.mark.parametrize(
    "write, words",
    [
        (lambda path: torch.save({"a": Surprise()}, path), "holds more than tensors"),
        (lambda path: torch.save({"a": 3}, path), "holds more than named tensors"),
        (lambda path: torch.save(torch.zeros(3), path), "holds more than named tensors"),
        (lambda path: path.write_bytes(pickle.dumps(Surprise())), "holds more than tensors|damaged"),
        (lambda path: path.write_bytes(b"<html>404</html>"), "more than tensors|damaged"),
        (lambda path: path.write_bytes(b""), "damaged"),
        (lambda path: None, "no such file"),
        (
            lambda path: torch.save({"features.0.weight": torch.zeros(64, 3, 11, 11)}, path),
            "not the weights of alexnet",
        ),
    ],
)
def test_other_files_than_weights_are_refused(tmp_path, capsys, write, words):
    path = tmp_path / "w.pth"
    write(path)
    with pytest.raises(ZfnetError, match=f"w.pth: .*({words})"):
        open_net("alexnet", path)
    assert "this would have run" not in capsys.readouterr().out


def test_weights_of_another_shape_are_named(tmp_path):
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in models.alexnet().state_dict().items()}
    state = {name: torch.zeros(1).expand(shape) for name, shape in shapes.items()}
    state["features.3.bias"] = torch.zeros(5)
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(ZfnetError, match=r"not the weights of alexnet: features.3.bias is \(5,\), expected \(192,\)"):
        open_net("alexnet", tmp_path / "w.pth")


def test_safetensors_are_read_too(tmp_path):
    save_file({"module.a": torch.arange(3.0)}, tmp_path / "w.safetensors")
    assert read_state(tmp_path / "w.safetensors")["a"].tolist() == [0, 1, 2]
    (tmp_path / "w.safetensors").write_bytes(b"1234567890")
    with pytest.raises(ZfnetError, match="damaged"):
        read_state(tmp_path / "w.safetensors")


def test_names_are_looked_up_and_nothing_is_downloaded(tmp_path):
    with pytest.raises(ZfnetError, match=r"vgg61: neither a file nor a torchvision.*vgg16.*did you mean 'vgg19'"):
        open_net("vgg61")
    with pytest.raises(ZfnetError, match=r"alexnet: no weights; give --weights FILE .*nothing is downloaded"):
        open_net("alexnet")
    with pytest.raises(ZfnetError, match=r"gone.safetensors: no such file"):
        open_net(tmp_path / "gone.safetensors")


def test_a_weights_file_in_place_of_a_net_says_how_to_give_it(tmp_path):
    (tmp_path / "vgg16.pth").write_bytes(b"")
    with pytest.raises(ZfnetError, match=r"give its name and --weights .*vgg16\.pth"):
        open_net(tmp_path / "vgg16.pth")


def test_layers_before_weights_that_are_not_finite_remain(net_file, images, tmp_path, capsys):
    """As in torchvision's VGG-16 for features, whose classifier is not a number."""
    net = load(net_file)
    net.fc3.weight.data.fill_(float("nan"))
    save(net, tmp_path / "features.safetensors", classes=["cat", "dog", "hen"])
    opened = open_net(tmp_path / "features.safetensors")
    assert list(opened.net.layers) == ["conv1", "pool1", "conv2", "pool2"]
    assert "not finite from fc3 on; only layers up to pool2" in capsys.readouterr().err
    explore.project(net=str(tmp_path / "features.safetensors"), images=[images], out=tmp_path / "out", threads=1)
    with pytest.raises(ZfnetError, match="class scores of this net are not finite"):
        explore.occlude(net=str(tmp_path / "features.safetensors"), images=[images], out=tmp_path / "out")
    net.conv1.weight.data.fill_(float("inf"))
    save(net, tmp_path / "lost.safetensors")
    with pytest.raises(ZfnetError, match="not finite from conv1 on, so the training diverged"):
        open_net(tmp_path / "lost.safetensors")


def test_a_file_of_zfnet_has_its_own_preprocessing(net_file):
    with pytest.raises(ZfnetError, match="holds its own preprocessing; omit --mean"):
        open_net(net_file, pixels=GivenPixels(bgr=True))
