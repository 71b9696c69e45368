"""The commands for one's own net: their tables against the functions of `zfnet.visualize`, and their errors."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from zfnet import cli
from zfnet.commands import explore
from zfnet.core.errors import ZfnetError
from zfnet.explore import open_images, open_net
from zfnet.explore.choices import find_layer, find_units, strongest_units
from zfnet.nets import adapt, save
from zfnet.visualize import class_model, maximize, project, saliency_map
from zfnet.visualize.net_inputs import InputLoader, to_inputs
from zfnet.visualize.occlusion import cover


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture
def net(net_file):
    return open_net(net_file).net


@pytest.fixture
def loader(net, images) -> InputLoader:
    return open_images(net, [images], 1)


@pytest.fixture
def whole(loader):
    """Return all images that can be decoded, as one batch."""
    return next(loader.batches())


def test_project_writes_the_projections_of_the_api(net_file, net, images, whole, tmp_path, capsys):
    explore.project(net=str(net_file), images=[images], out=tmp_path, rule=["deconvnet", "gradient"], top=2, threads=1)
    table, about = rows(tmp_path / "project.csv"), json.loads((tmp_path / "project.json").read_text())
    assert len(table) == 5 * 2 * 2 and about["images"] == 5
    broken = str(images / "broken.jpg")
    assert list(about["left_out"]) == [broken] and capsys.readouterr().err.count(broken) == 1
    activations = net.trace(whole.inputs).activations["conv2"]
    for one, image in enumerate(range(0, 20, 4)):
        values, units = activations[one].flatten(1).amax(1).topk(2)
        for rank in range(2):
            line = table[image + 2 * rank]
            assert int(line["unit"]) == units[rank]
            assert float(line["activation"]) == pytest.approx(values[rank].item(), rel=1e-5)
            place = activations[one, units[rank]].argmax().item()
            assert (int(line["row"]), int(line["column"])) == divmod(place, activations.shape[-1])
    assert {line["sheet"] for line in table} == {f"project-{name}.png" for name in ("0", "1", "2", "3", "0-2")}
    for sheet in (line["sheet"] for line in table):
        assert Image.open(tmp_path / sheet).width > 1200
    assert about["network"]["crop"] == 32 and about["provenance"]["inputs"]["net"]["path"] == str(net_file)


def test_strongest_is_a_full_sort(net_file, net, loader, whole, images, tmp_path):
    explore.strongest(
        net=str(net_file), images=[images], out=tmp_path, layer=["conv1", "fc3"], unit=["1", "4-5"], top=3, threads=1
    )
    table = rows(tmp_path / "strongest.csv")
    assert (tmp_path / "conv1.png").exists() and (tmp_path / "fc3.png").exists()
    trace = net.trace(whole.inputs).activations
    for layer in ("conv1", "fc3"):
        for unit in (1, 4, 5):
            mine = [line for line in table if line["layer"] == layer and line["unit"] == str(unit)]
            values, images = trace[layer][:, unit].reshape(5, -1).amax(1).sort(descending=True, stable=True)
            assert [float(line["activation"]) for line in mine] == pytest.approx(values[:3].tolist(), rel=1e-4)
            keys = [loader.shards.keys[whole.indices[image]] for image in images[:3]]
            assert [line["file"] for line in mine] == keys


def test_occlude_is_a_plain_loop(net_file, net, images, whole, tmp_path):
    one = images / "1.png"
    explore.occlude(net=str(net_file), images=[one], out=tmp_path, unit=["2"], label=1, side=10, stride=11, threads=1)
    table = rows(tmp_path / "occlude.csv")
    assert [(line["top"], line["left"]) for line in table[:4]] == [("0", "0"), ("0", "11"), ("0", "22"), ("11", "0")]
    covered = cover(whole.pixels[1], 11, 0, 10)
    trace = net.trace(to_inputs(net, covered[None])).activations
    assert float(table[3]["activity"]) == pytest.approx(trace["conv2"][0, 2].sum().item(), rel=1e-4)
    assert float(table[3]["probability"]) == pytest.approx(trace["fc4"].softmax(1)[0, 1].item(), rel=1e-4)
    assert int(table[3]["best"]) == trace["fc4"].argmax()
    assert (tmp_path / "occlude-1.png").exists()


def test_no_sheet_takes_the_place_of_a_picture(net_file, images, tmp_path):
    mine = tmp_path / "1.png"
    mine.write_bytes((images / "1.png").read_bytes())
    before = mine.read_bytes()
    explore.saliency(net=str(net_file), images=[mine], out=tmp_path, threads=1)
    explore.project(net=str(net_file), images=[mine], out=tmp_path, threads=1)
    assert mine.read_bytes() == before
    assert {"saliency-1.png", "project-1.png"} <= {path.name for path in tmp_path.iterdir()}


def test_saliency_is_that_of_the_api(net_file, net, images, whole, tmp_path):
    explore.saliency(net=str(net_file), images=[images], out=tmp_path, threads=1)
    best = net(whole.inputs).argmax(1)
    found = saliency_map(net, whole.inputs, best)
    for one, line in enumerate(rows(tmp_path / "saliency.csv")):
        assert int(line["unit"]) == best[one]
        assert float(line["peak"]) == pytest.approx(found[one].max().item(), rel=1e-5)
        assert found[one, int(line["row"]), int(line["column"])] == found[one].max()


def test_maximize_writes_the_results_of_the_ascents(net_file, net, tmp_path):
    settings = ["norm", "class-model"]
    explore.maximize(net=str(net_file), out=tmp_path, unit=["0", "2"], setting=settings, steps=5, seed=7, threads=1)
    table = rows(tmp_path / "maximize.csv")
    assert [(line["unit"], line["setting"]) for line in table] == [(u, s) for u in "02" for s in settings]
    from zfnet.visualize.activation_maximization import PUBLISHED

    expected = maximize(net, "fc4", 2, PUBLISHED["norm"]._replace(steps=5), seed=7)
    assert float(table[2]["activation"]) == pytest.approx(expected.activation, rel=1e-5)
    assert float(table[3]["activation"]) == pytest.approx(class_model(net, 2, steps=5).activation, rel=1e-5)


def test_a_prepared_set_is_read_as_it_is(net_file, net, tmp_path):
    from zfnet.data.readers.images import Source
    from zfnet.data.shards.writer import write_shards
    from zfnet.settings import Data

    def prepared(size):
        manifest = tmp_path / str(size) / "manifest.json"
        source = Source("drawn", ["a", "b", "c"], {}, [], lambda: iter(drawn()), 3)
        write_shards(source, Data(image_size=size), manifest, square=True, threads=1)
        return manifest

    def drawn():
        from zfnet.data.readers.images import EncodedImage

        for number in range(3):
            path = tmp_path / "one.png"
            Image.new("RGB", (60, 50), (80 * number, 90, 20)).save(path)
            yield EncodedImage(f"a/{number}", number, path.read_bytes(), "drawn")

    explore.saliency(net=str(net_file), images=[prepared(37)], out=tmp_path / "out", threads=1)
    assert [line["file"] for line in rows(tmp_path / "out/saliency.csv")] == ["a/0", "a/1", "a/2"]
    with pytest.raises(ZfnetError, match=r"takes squares of 37 px, but .* has squares of 48 px"):
        open_images(net, [prepared(48)])


# ---- choices ---------------------------------------------------------------------------------------------------------


def test_layers_and_units(net):
    assert find_layer(net, None) == "conv2" and find_layer(net, None, last=True) == "fc4"
    assert find_units(net, "pool1", ["5", "0-2", "1"]) == [5, 0, 1, 2]
    assert strongest_units(torch.tensor([[1.0, 3.0, 3.0, 2.0]]), 3) == [1, 2, 3]


@pytest.mark.parametrize(
    "options, words",
    [
        ({"layer": "conv9"}, "no layer 'conv9'; there are conv1, pool1, conv2, pool2, fc3, fc4"),
        ({"unit": ["3", "9"]}, "--unit 9: conv2 has 8 units, 0 to 7"),
        ({"unit": ["5-3"]}, "--unit 5-3"),
        ({"unit": ["-1"]}, "--unit -1: expected a number such as 3, or a range such as 3-7"),
        ({"rule": ["deconv"]}, "no backward rule 'deconv'; choose one of deconvnet, guided, gradient"),
        ({"weights": Path("w.pth")}, "holds its own weights"),
    ],
)
def test_wrong_choices_have_helpful_messages(net_file, images, tmp_path, options, words):
    with pytest.raises(ZfnetError, match=words):
        explore.project(net=str(net_file), images=[images], out=tmp_path, threads=1, **options)
    assert not list(tmp_path.iterdir())


def test_other_wrong_choices_have_helpful_messages(net_file, images, tmp_path):
    with pytest.raises(ZfnetError, match=r"no setting 'blurr'; choose from norm, .*class-model"):
        explore.maximize(net=str(net_file), out=tmp_path, unit=["0"], setting=["blurr"])
    with pytest.raises(ZfnetError, match="at least one unit, such as --unit 3"):
        explore.maximize(net=str(net_file), out=tmp_path)
    with pytest.raises(ZfnetError, match="no class 3; the net has 3, 0 to 2"):
        explore.occlude(net=str(net_file), images=[images], out=tmp_path, label=3)
    with pytest.raises(ZfnetError, match="A square of 40 px"):
        explore.occlude(net=str(net_file), images=[images], out=tmp_path, side=40)


def test_images_that_cannot_be_read_are_named(net_file, images, tmp_path):
    with pytest.raises(ZfnetError, match=r"None of 1 images could be decoded, first .*broken.jpg"):
        explore.saliency(net=str(net_file), images=[images / "broken.jpg"], out=tmp_path)
    with pytest.raises(ZfnetError, match="nowhere: no such file or folder"):
        explore.saliency(net=str(net_file), images=[images / "nowhere"], out=tmp_path)
    with pytest.raises(ZfnetError, match="holds no images"):
        explore.saliency(net=str(net_file), images=[tmp_path], out=tmp_path / "out")


def test_the_output_folder_is_checked_first(net_file, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ZfnetError, match=r"file/out: cannot be written .*choose another folder with --out"):
        explore.project(net="no-such-net", images=[], out=tmp_path / "file" / "out")


def test_the_command_line_prints_the_message(net_file, images, tmp_path, monkeypatch, capsys):
    given = ["project", str(net_file), str(images / "0.png"), "--layer", "conv7", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["zfnet", *given])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert "zfnet: There is no layer 'conv7'; there are conv1" in capsys.readouterr().err


def test_projections_on_loose_images_are_those_of_the_api(net, whole):
    """The squares are resized and cut as shards are; the projection of a batch is that of its images."""
    activation, pixels = project(net, whole.inputs, "conv2", 3)
    for one in range(5):
        alone = project(net, whole.inputs[one : one + 1], "conv2", 3)
        torch.testing.assert_close(alone[0], activation[one : one + 1])
        torch.testing.assert_close(alone[1], pixels[one : one + 1], rtol=1e-4, atol=1e-5)
    assert np.array_equal(whole.pixels.shape, (5, 32, 32, 3))


def test_units_by_lists_and_names(net):
    assert find_units(net, "conv1", ["3,5", "0-1, 4"]) == [3, 5, 0, 1, 4]
    assert find_units(net, "fc4", ["hen", "0"], ["cat", "dog", "hen"]) == [2, 0]
    with pytest.raises(ZfnetError, match=r"--unit hen: expected a number .* names in the last layer only"):
        find_units(net, "conv1", ["hen"], ["cat", "dog", "hen"])


def test_one_layer_where_a_command_takes_one(net):
    assert find_layer(net, ["conv1"]) == "conv1"
    with pytest.raises(ZfnetError, match=r"--layer is given 2 times \(conv1, conv2\); this command takes one"):
        find_layer(net, ["conv1", "conv2"])


def test_a_net_with_branches(tmp_path, images, capsys):
    from zfnet.explore.choices import default_rule

    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.block = nn.Conv2d(3, 4, 3, 2), nn.Sequential(nn.Conv2d(4, 4, 3, 1, 1), nn.ReLU())
            self.gelu, self.head = nn.GELU(), nn.Linear(4, 3)

        def forward(self, x):
            x = self.stem(x)
            return self.head(self.gelu(x + self.block(x)).mean([2, 3]))

    torch.manual_seed(0)
    net = adapt(Branches(), 32)
    assert find_layer(net, None) == "gelu" and find_layer(net, "block") == "block"
    assert default_rule(net, "add") == "deconvnet" and default_rule(net, "head") == "gradient"
    assert "depends on more than rectifiers" in capsys.readouterr().err
    save(net, tmp_path / "net.safetensors", classes=["cat", "dog", "hen"])
    explore.project(net=str(tmp_path / "net.safetensors"), images=[images], out=tmp_path / "out", threads=1)
    printed = capsys.readouterr().out
    assert "Wrote 5 sheets" in printed and "Left out: 1; project.json names each" in printed and "hen " in printed
    explore.occlude(
        net=str(tmp_path / "net.safetensors"), images=[images / "0.png"], out=tmp_path, label="dog", side=12, stride=10
    )
    assert {line["class"] for line in rows(tmp_path / "occlude.csv")} == {"1"}


def test_occlusion_maps_lie_where_the_square_was():
    from zfnet.explore.occlusion_maps import _over
    from zfnet.visualize.occlusion import Square

    square = Square(6, 4)
    starts = square.starts(20)  # 0, 4, 8, 12: middles at pixels 3, 7, 11 and 15
    colours = np.arange(len(starts) ** 2 * 3, dtype=np.uint8).reshape(len(starts), len(starts), 3)
    placed = _over(np.zeros((20, 20, 3), np.uint8), square, colours)
    for row, top in enumerate(starts):
        for column, left in enumerate(starts):
            assert (placed[top + 2 : top + 4, left + 2 : left + 4] == colours[row, column]).all()
    assert (placed[0] == placed[19, 19]).all() and placed[0, 0, 0] == 166  # the image, pale


def test_bars_count_places_and_steps(net, images):
    from zfnet.visualize.activation_maximization import PUBLISHED
    from zfnet.visualize.occlusion import Square, slide

    seen = []

    def watch(items):
        for item in items:
            seen.append(item)
            yield item

    pixels = torch.zeros(32, 32, 3, dtype=torch.uint8)
    one = slide(net, pixels, Square(16, 8), 2, 1, "conv2")
    other = slide(net, pixels, Square(16, 8), 2, 1, "conv2", watch, 2)
    assert len(seen) == 9
    torch.testing.assert_close(one.activity, other.activity)
    maximize(net, "fc4", 0, PUBLISHED["norm"]._replace(steps=4), 0, watch)
    assert seen[9:] == [0, 1, 2, 3]
