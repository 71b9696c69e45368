"""Controls: the untrained net, Gini coefficients and nearest neighbours, each against a plain definition."""

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from zfnet.core.errors import ZfnetError
from zfnet.nets import build, load, save
from zfnet.nets.geometry import receptive_fields
from zfnet.settings import Recipe, Visualize
from zfnet.training.experiments import NetSpec, RunSpec
from zfnet.training.init_weights import initialise
from zfnet.visualize import top_patches
from zfnet.visualize.backward import project
from zfnet.visualize.controls import controls_stage, gini, projection_ginis, same_class, untrained_copy
from zfnet.visualize.net_inputs import InputLoader
from zfnet.visualize.patches import as_half, box, cut
from zfnet.visualize.top_patches import read_features

FEW = Visualize(maps_per_layer=(2, 2, 2, 2, 2), top_k=3, filter_maps=2, control_maps=3)


SPEC = RunSpec(
    run="zf-s2",
    net=NetSpec(name="zf", width=1 / 12, crop=64, norm_alpha="over_n"),
    recipe=Recipe(epochs=3, init_bias=1.0),
    seed=2,
    code="0123",
)


@pytest.fixture(scope="module")
def given(make_net, manifest, tmp_path_factory):
    """Return the arguments of the stage: a net with the hash of its spec, the spec, images and Figure 2's table."""
    folder = tmp_path_factory.mktemp("controls")
    save(make_net(), folder / "weights.safetensors", spec=SPEC.hash)
    (folder / "spec.json").write_text(SPEC.text)
    top_patches.features_stage(
        folder / "weights.safetensors", manifest, FEW, folder / "features.safetensors", threads=1
    )
    return {
        "weights": folder / "weights.safetensors",
        "spec": folder / "spec.json",
        "manifest": manifest,
        "features": folder / "features.csv",
    }


@pytest.fixture(scope="module")
def made(given):
    folder = given["spec"].parent
    controls_stage(**given, settings=FEW, out=folder / "controls.safetensors", threads=1)
    return folder, load_file(folder / "controls.safetensors")


def test_the_untrained_net_has_the_initial_weights_of_the_training(weights):
    net = load(weights["zf-s1"])
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    expected = build("zf", classes=4, width=1 / 12, crop=64, size=72)
    initialise(expected, Recipe(init_bias=1.0), 2)
    found = untrained_copy(net, SPEC)
    for (name, ours), theirs in zip(found.named_parameters(), expected.parameters(), strict=True):
        assert torch.equal(ours, theirs), name
    assert torch.equal(found.mean, net.mean)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_gini_is_the_mean_difference_of_all_pairs():
    energy = np.random.default_rng(0).random((6, 7)) ** 3
    flat = energy.ravel()
    assert gini(energy) == pytest.approx(np.abs(flat[:, None] - flat).mean() / (2 * flat.mean()))
    assert gini(np.full((4, 4), 3.0)) == pytest.approx(0)
    assert gini(np.eye(1, 20)) == pytest.approx(0.95)
    assert gini(np.zeros((3, 3))) == 0


def test_same_class_is_that_of_a_plain_search(monkeypatch):
    monkeypatch.setattr("zfnet.visualize.controls._COLUMNS", 3)
    draw = np.random.default_rng(0)
    points, labels = draw.integers(0, 256, (20, 10)), draw.integers(0, 3, 20)
    expected = []
    for one in range(20):
        distance = np.linalg.norm((points - points[one]).astype(float), axis=1)
        nearest = [other for other in np.argsort(distance) if other != one][:6]
        expected.append(np.mean(labels[nearest] == labels[one]))
    found = same_class(torch.tensor(points, dtype=torch.uint8), torch.tensor(labels))
    assert found == pytest.approx(np.array(expected))


def test_ginis_are_those_of_the_top_projection_by_both_rules(made, weights, shards):
    loader, table = InputLoader(load(weights["zf-s1"]), shards, 1), read_features(made[0] / "features.csv", shards)
    row = table[(table["layer"] == "conv2") & (table["rank"] == 0)].iloc[0]
    (batch,) = loader.batches([loader.shards.keys.index(row["key"])])
    place = box(receptive_fields(loader.net)["conv2"], row["row"], row["column"], 64)
    for column, rule in enumerate(("deconvnet", "forward-mask")):
        _, pixels = project(loader.net, batch.inputs, "conv2", row["map"], rule=rule)
        tile = as_half(cut(pixels[0].permute(1, 2, 0).numpy(), place)).astype(np.float32)
        assert made[1]["conv2/gini"][0, column] == pytest.approx(gini(np.square(tile).sum(2)), abs=1e-3)
    silent = table.assign(activation=0.0)
    assert projection_ginis(loader, silent) == {}


def test_the_stage_writes_what_claims_read(made, shards):
    _, arrays = made
    for layer, side in enumerate((7, 27, 64, 64, 64), 1):
        assert arrays[f"untrained/conv{layer}/patches"].shape == (3, 3, side, side, 3)
        assert arrays[f"untrained/conv{layer}/projections"].shape == (3, 3, side, side, 3)
        assert set(np.unique(arrays[f"untrained/conv{layer}/labels"])) <= set(range(4))
    assert arrays["neighbours/images"].tolist() == list(range(len(shards)))
    assert all(0 <= arrays[f"neighbours/{name}"].min() <= 1 for name in ("trained", "untrained", "pixels"))


@pytest.mark.parametrize(
    ("which", "text", "message"),
    [
        ("spec", SPEC.model_copy(update={"seed": 3}).text, r"not the spec by which .*weights.safetensors was trained"),
        ("spec", '{"images": []}', r"not a run's spec \(run: Field required\)"),
        ("spec", "[]", "not a run's spec"),
        ("features", "", r"not a table of features \(No columns"),
        ("features", "key,set\na,b\n", r"not a table of features \(.*'activation'"),
        ("features", "layer,map,rank,key,row,column,activation\n2,0,0,blobs/000,0,,3\n", "not a table of features"),
        (
            "features",
            "layer,map,rank,key,row,column,activation\n2,0,0,NA,0,0,3\n",
            "NA is not an image of this data",
        ),
    ],
)
def test_other_files_are_refused(given, tmp_path, which, text, message):
    (tmp_path / which).write_text(text)
    with pytest.raises(ZfnetError, match=message):
        controls_stage(**given | {which: tmp_path / which}, settings=FEW, out=tmp_path / "out.safetensors", threads=1)


def test_a_net_without_a_spec_is_refused(given, weights, tmp_path):
    with pytest.raises(ZfnetError, match="initial weights of the net are unknown"):
        controls_stage(**given | {"weights": weights["zf-s1"]}, settings=FEW, out=tmp_path / "out.safetensors")
