"""The files that figures are drawn from: names, shapes, types, columns."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
import torch
from PIL import Image
from safetensors.numpy import load_file

from zfnet.core.errors import ZfnetError
from zfnet.data.readers.images import EncodedImage, Source
from zfnet.data.shards.writer import write_shards
from zfnet.nets import build, save
from zfnet.settings import Data, Visualize
from zfnet.visualize import correspondence, evolution, filters, invariance, occlusion, top_patches
from zfnet.visualize.net_inputs import open_loader
from zfnet.visualize.top_activations import TopActivations

SETTINGS = Visualize(
    maps_per_layer=(3, 4, 3, 2, 2),
    top_k=3,
    filter_maps=5,
    evolution_maps=2,
    evolution_images=10,
    shift_steps=1,
    scale_steps=2,
    rotation_step=90,
    occluder_size=100,
    occluder_stride=20,
    occlusion_images=2,
    invariance_images=3,
    random_masks=2,
)


def test_features(weights, manifest, tmp_path):
    out = tmp_path / "features-zf-s1.safetensors"
    top_patches.features_stage(weights["zf-s1"], manifest, SETTINGS, out, threads=1)
    arrays, rows = load_file(out), _rows(out.with_suffix(".csv"), top_patches.COLUMNS)
    assert arrays["conv1/filters"].shape == (8, 7, 7, 3)
    for layer, (maps, side) in enumerate([(3, 7), (5, 27), (3, 64), (2, 64), (2, 64)], 1):
        assert arrays[f"conv{layer}/maps"].shape == (maps,)
        assert arrays[f"conv{layer}/patches"].shape == (maps, 3, side, side, 3)
        assert arrays[f"conv{layer}/patches"].dtype == np.uint8
        assert arrays[f"conv{layer}/projections"].dtype == np.float16
        assert np.isfinite(arrays[f"conv{layer}/projections"]).all()
    assert len(rows) == 15 * 3
    assert {row["layer"] for row in rows} == {f"conv{layer}" for layer in range(1, 6)}
    first = next(row for row in rows if row["layer"] == "conv2" and row["rank"] == "0")
    assert int(first["map"]) == arrays["conv2/maps"][0]
    assert first["size"] == "27"
    _has_provenance(out.with_suffix(".json"))


def test_maps_that_respond_come_before_silent_ones():
    values = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    best = TopActivations(values, *(torch.arange(8).reshape(4, 2) for _ in range(3)))
    maps, found = top_patches.responding_first({"conv2": [7, 5, 2, 9]}, {"conv2": best}, {"conv2": 3})
    assert maps == {"conv2": [5, 9, 7]}
    assert found["conv2"].images.tolist() == [[2, 3], [6, 7], [0, 1]]


def test_evolution(weights, manifest, tmp_path):
    """With equal snapshots a map keeps its image; epochs are sorted as numbers."""
    run = tmp_path / "zf-s1"
    (run / "snapshots").mkdir(parents=True)
    names = [f"epoch-{epoch:02d}.safetensors" for epoch in (2, 10, 1)]
    for name in names:
        shutil.copy(weights["zf-s1"], run / "snapshots" / name)
    (run / "metrics.json").write_text(json.dumps({"snapshots": names}))
    out = tmp_path / "evolution.safetensors"
    evolution.evolution_stage(run / "metrics.json", manifest, SETTINGS, out, threads=1)
    arrays, rows = load_file(out), _rows(out.with_suffix(".csv"), evolution.COLUMNS)
    assert arrays["epochs"].tolist() == [1, 2, 10]
    assert arrays["conv2/projections"].shape == (2, 3, 27, 27, 3)
    assert np.array_equal(arrays["conv5/projections"][:, 0], arrays["conv5/projections"][:, 2])
    assert arrays["conv4/similarity"] == pytest.approx(np.ones(3))
    assert len(rows) == 5 * 2 * 3
    assert {row["epoch"] for row in rows} == {"1", "2", "10"}
    _has_provenance(out.with_suffix(".json"))


def test_a_run_without_snapshots_is_refused(tmp_path):
    metrics = tmp_path / "metrics.json"
    metrics.write_text("{}")
    with pytest.raises(ZfnetError, match="kept no snapshots"):
        evolution.find_snapshots(metrics)
    metrics.write_text('{"snapshots": ["epoch-01.safetensors"]}')
    with pytest.raises(ZfnetError, match=r"epoch-01.safetensors: named in .* but there is no such"):
        evolution.find_snapshots(metrics)


@pytest.mark.parametrize("content", ["[]", '{"snapshots": 3}', '{"snapshots": [3]}'])
def test_other_files_than_metrics_are_refused(tmp_path, content):
    (tmp_path / "metrics.json").write_text(content)
    with pytest.raises(ZfnetError, match=r"metrics.json: not the metrics of a run"):
        evolution.find_snapshots(tmp_path / "metrics.json")


def test_invariance(weights, manifest, tmp_path):
    out = tmp_path / "invariance.csv"
    invariance.invariance_stage(weights["zf-s1"], manifest, SETTINGS, out, threads=1)
    arrays, rows = load_file(out.with_suffix(".safetensors")), _rows(out, invariance.COLUMNS)
    assert len(rows) == 3 * (3 + 3 + 3 + 4)
    assert arrays["rotation/examples"].shape == (3, 4, 64, 64, 3)
    assert np.array_equal(arrays["rotation/examples"][:, 0], arrays["vertical/examples"][:, 1])  # both unchanged
    assert {row["class"] for row in rows} <= {"n00000000", "blob", "n00000002", "n00000003"}
    _has_provenance(out.with_suffix(".json"))


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (
            [*(f"n{c:08d}" for c in range(3)), "n00000099"],
            r"manifest.json: .* other classes \(n00000099, not n00000003\)",
        ),
        (None, r"manifest.json has 4 classes, but the net was trained on 5; use the data set it was trained on"),
    ],
)
def test_images_of_other_classes_are_refused_where_labels_count(make_net, manifest, tmp_path, classes, message):
    net = make_net() if classes else build("zf", classes=5, width=1 / 12, crop=64, size=72)
    save(net, tmp_path / "weights.safetensors", classes=classes)
    with pytest.raises(ZfnetError, match=message):
        invariance.invariance_stage(tmp_path / "weights.safetensors", manifest, SETTINGS, tmp_path / "out.csv", 1)
    assert len(open_loader(tmp_path / "weights.safetensors", manifest, 1, labels=False)) == 24


def test_images_without_labels_are_refused_where_labels_count(weights, tmp_path):
    jpeg = simplejpeg.encode_jpeg(np.zeros((72, 72, 3), np.uint8))
    images = [EncodedImage(f"test/{number}", -1, jpeg, "test") for number in range(2)]
    source = Source("test", [f"n{c:08d}" for c in range(4)], {}, [], lambda: iter(images))
    write_shards(source, Data(image_size=72), tmp_path / "manifest.json", square=True, threads=1)
    with pytest.raises(ZfnetError, match="images have no label"):
        open_loader(weights["zf-s1"], tmp_path / "manifest.json", 1)


def test_occlusion(weights, manifest, tmp_path):
    out = tmp_path / "occlusion.safetensors"
    occlusion.occlusion_stage(weights["zf-s1"], manifest, SETTINGS, out, threads=1)
    arrays, description = load_file(out), _has_provenance(out.with_suffix(".json"))
    places = (64 - description["occluder"]) // description["stride"] + 1
    for name in ("activity", "probability", "best"):
        assert arrays[name].shape == (2, places, places)
    assert arrays["images"].shape == (2, 64, 64, 3)
    assert (arrays["images"] == 124).all(3).sum() >= 2 * description["occluder"] ** 2
    assert arrays["projections"].shape == (2, 4, 64, 64, 3)
    assert set(description["legend"]) == set(map(str, np.unique(arrays["best"])))
    for image, own in zip(description["images"], arrays["own"], strict=True):
        assert image["projections"][own] == image["key"]
    rows = _rows(out.with_suffix(".csv"), occlusion.COLUMNS)
    assert [row["key"] for row in rows[:2]] == [image["key"] for image in description["images"]]
    assert len(rows) == 4 and all(row["map"] != row["other"] for row in rows)  # one image a class
    assert all(-1 <= float(row[name]) <= 1 for row in rows for name in ("own", "control", "alike"))


def test_filters(weights, manifest, tmp_path):
    out = tmp_path / "filters.csv"
    filters.filters_stage(weights, manifest, SETTINGS, out, threads=1)
    rows = _rows(out, filters.COLUMNS)
    assert [row["run"] for row in rows] == ["zf-s1", "krizhevsky-s1"]
    assert all(0 <= float(row["middle"]) <= 1 and float(row["norm_median"]) > 0 for row in rows)
    _has_provenance(out.with_suffix(".json"))


@pytest.mark.real
def test_correspondence_of_real_dogs(weights, tmp_path, real_data):
    out = tmp_path / "correspondence-pairs.csv"
    parts = real_data / "parts"
    correspondence.correspondence_stage(
        weights["zf-s1"], parts / "dogs.tar", parts / "keypoints.json", SETTINGS, out, 1
    )
    rows = _rows(out, correspondence.COLUMNS)
    assert len(rows) == 4 * 2 * 10
    assert load_file(tmp_path / "correspondence.safetensors")["images"].shape == (5, 6, 64, 64, 3)
    _has_provenance(tmp_path / "correspondence.json")


def test_correspondence_of_a_folder_of_pictures(weights, tmp_path):
    """The images may be an extracted tar."""
    folder, names = tmp_path / "animals", [f"{number}.png" for number in range(3)]
    folder.mkdir()
    for name in names:
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 240, 3), np.uint8)).save(folder / name)
    places = [("right eye", 90, 60), ("left eye", 150, 60), ("nose", 120, 110)]
    lines = [f"{name},{part},{x},{y}\n" for name in names for part, x, y in places]
    (tmp_path / "points.csv").write_text("".join(["key,part,x,y\n", *lines]))
    out = tmp_path / "correspondence-pairs.csv"
    correspondence.correspondence_stage(weights["zf-s1"], folder, tmp_path / "points.csv", SETTINGS, out, 1)
    assert len(_rows(out, correspondence.COLUMNS)) == 4 * 2 * 3
    before = _has_provenance(tmp_path / "correspondence.json")["provenance"]["inputs"]["images"]
    (folder / "more.txt").write_text("changes the listing")
    correspondence.correspondence_stage(weights["zf-s1"], folder, tmp_path / "points.csv", SETTINGS, out, 1)
    after = _has_provenance(tmp_path / "correspondence.json")["provenance"]["inputs"]["images"]
    assert before["path"] == after["path"] == str(folder) and before["sha256"] != after["sha256"]


def test_a_net_for_other_squares_is_refused(weights, manifest, tmp_path):
    from zfnet.nets import build, save

    save(build("zf", classes=4, width=1 / 12, crop=64, size=80), tmp_path / "weights.safetensors")
    with pytest.raises(ZfnetError, match=r"takes squares of 80 px, but .* has squares of 72 px"):
        top_patches.features_stage(tmp_path / "weights.safetensors", manifest, SETTINGS, tmp_path / "out.safetensors")


def _rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        assert tuple(reader.fieldnames) == columns
        return list(reader)


def _has_provenance(path: Path) -> dict:
    content = json.loads(path.read_text())
    assert {"commit", "versions", "seconds", "settings", "inputs", "device"} <= content["provenance"].keys()
    return content
