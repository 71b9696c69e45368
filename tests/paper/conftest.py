"""A small results folder in the formats the workflow writes: plausible, but every number is drawn at random."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from zfnet.core.files import write_json
from zfnet.paper import published
from zfnet.paper.claims import decide
from zfnet.paper.figures import figure
from zfnet.paper.items import items
from zfnet.paper.report import page
from zfnet.paper.tables import table
from zfnet.settings import Paper, Settings

CLASSES = 20
IMAGES = 200
WORDS = ["disc", "ring", "star", "cross", "wave", "grid", "stripe", "spot", "arrow", "leaf"]
VARIANTS = {  # variant: (validation top-1 error, parameters)
    "zf": (30, 4.1e6), "zf-wide": (28, 7e6), "zf-fc2048": (31, 2e6), "zf-fc8192": (30, 9e6),
    "zf-wide-fc8192": (29, 15e6), "zf-unclipped": (35, 4.1e6), "zf-clean": (31, 4.1e6),
    "krizhevsky": (35, 4e6), "krizhevsky-no34": (40, 3.9e6),
    "krizhevsky-no7": (36, 2e6), "krizhevsky-no67": (41, 1e6), "krizhevsky-no3467": (70, 0.9e6),
    "krizhevsky-fc2048": (36, 2e6), "krizhevsky-fc8192": (36, 9e6),
}  # fmt: skip
PROVENANCE = {
    "commit": "0123456789abcdef",
    "dirty": False,
    "time": "2026-11-20T12:00:00+00:00",
    "command": "zfnet test",
}


@pytest.fixture(scope="session")
def results(tmp_path_factory) -> Path:
    """A complete results folder; tests must not change it."""
    return write_results(tmp_path_factory.mktemp("results") / "demo")


@pytest.fixture(scope="session")
def reported(results, tmp_path_factory) -> Path:
    """The results with all tables, two figures, claims and the report made; tests must not change it."""
    root = tmp_path_factory.mktemp("report") / "demo"
    shutil.copytree(results, root)
    for name in items("tables"):
        table.table_stage(name, root, root / "tables" / f"{name}.csv")
    for name in ("figure3", "figure9"):
        figure.figure_stage(name, root, root / "figures" / f"{name}.png")
    decide.claims_stage(root, Paper(resamples=200), root / "claims.csv")
    page.report_stage(root, Settings(), root / "report.html")
    return root


@pytest.fixture
def empty(tmp_path) -> Path:
    """A results folder in which nothing was run."""
    (tmp_path / "none").mkdir()
    return tmp_path / "none"


def write_results(root: Path, crop: int = 48, seeds: int = 3) -> Path:
    """Write the whole tree; images are `crop` pixels wide."""
    rng = np.random.default_rng(2013)
    for variant, (error, parameters) in VARIANTS.items():
        repeated = seeds if variant in ("zf", "krizhevsky") else 1
        for seed in range(1, repeated + 1):
            name = f"{variant}-s{seed}" if variant in ("zf", "krizhevsky") else variant
            write_run(root / "runs" / name, name, error / 100, parameters, seed, crop, rng)
    write_visualize(root / "visualize", crop, rng)
    write_transfer(root / "transfer", rng)
    write_json(
        root / "settings.json", {"preset": "demo", "nets": {"width": 0.125, "crop": crop}, "training": {"seeds": seeds}}
    )
    return root


def write_run(folder, name, error, parameters, seed, crop, rng):
    folder.mkdir(parents=True)
    recipe = {"epochs": 8, "batch_size": 64, "learning_rate": 0.01}
    net = {"name": name.split("-")[0], "width": 0.125, "crop": crop, "norm_alpha": "over_n", "changes": {}}
    write_json(
        folder / "spec.json", {"run": name, "net": net, "recipe": recipe, "seed": seed, "snapshots": [1, 2, 4, 8]}
    )
    labels = np.arange(IMAGES) % CLASSES
    scores = rng.normal(size=(IMAGES, CLASSES))
    right = rng.random(IMAGES) > error
    scores[np.arange(IMAGES), labels] += np.where(right, 6, 0)
    probabilities = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    save_file({"probabilities": probabilities.astype(np.float32), "labels": labels}, folder / "predictions.safetensors")
    rank = (probabilities > probabilities[np.arange(IMAGES), labels][:, None]).sum(1)
    top1, top5 = float((rank >= 1).mean() * 100), float((rank >= 5).mean() * 100)
    write_json(folder / "evaluation.json", {
        "run": name, "seconds": 3.2, "provenance": PROVENANCE,
        "val": {"images": IMAGES, "ten": {"top1": top1, "top5": top5},
                "centre": {"top1": top1 + 1.5, "top5": top5 + 0.8}},
        "train": {"images": 1000, "centre": {"top1": top1 * 0.6, "top5": top5 * 0.5}},
    })  # fmt: skip
    history = [
        {"epoch": epoch, "loss": 3 * np.exp(-epoch / 4) + rng.random() / 9,
         "learning_rate": 0.01 if epoch < 6 else 0.001,
         "val_top1": top1 + 60 * np.exp(-epoch / 2), "val_top5": top5 + 50 * np.exp(-epoch / 2),
         "images_per_second": 2000 + rng.random() * 99, "wait_fraction": 0.02, "seconds": 0.6}
        for epoch in range(1, 9)
    ]  # fmt: skip
    (folder / "history.jsonl").write_text("".join(json.dumps(record) + "\n" for record in history))
    write_json(folder / "metrics.json", {
        "run": name, "parameters": int(parameters), "epochs": 8, "loss": 0.4, "val_top1": top1, "val_top5": top5,
        "images_per_second": 2040.5, "seconds": 4.8, "peak_memory_mb": 512, "device": "cpu", "threads": 2,
        "precision": "fp32", "stuck": False, "snapshots": [f"epoch-{e:02d}.safetensors" for e in (1, 2, 4, 8)],
        "provenance": PROVENANCE, "data": {"manifest": "0" * 64}, "spec": "1" * 64,
    })  # fmt: skip


# ---- images ----------------------------------------------------------------------------------------------------------
def smooth(rng, shape, size, scale=6):
    """Return smooth random colour images, float (*shape, size, size, 3) in -1..1."""
    coarse = rng.normal(size=(*shape, scale, scale, 3))
    at = np.linspace(0, scale - 1, size)
    low, share = np.floor(at).astype(int).clip(0, scale - 2), (at % 1)
    share = np.where(at >= scale - 1, 1.0, share)
    rows = coarse[..., low, :, :] * (1 - share)[:, None, None] + coarse[..., low + 1, :, :] * share[:, None, None]
    both = rows[..., low, :] * (1 - share)[:, None] + rows[..., low + 1, :] * share[:, None]
    return np.ascontiguousarray(np.tanh(both))


def photo(rng, shape, size):
    """Return smooth random colour images, uint8."""
    return (smooth(rng, shape, size) * 100 + 128).astype(np.uint8)


def projection(rng, shape, size):
    """Return smooth random blobs on zero, float16, signed."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    centre = rng.uniform(-0.4, 0.4, (*shape, 2, 1, 1))
    window = np.exp(-((y - centre[..., 0, :, :]) ** 2 + (x - centre[..., 1, :, :]) ** 2) * 5)
    return (smooth(rng, shape, size, 9) * window[..., None] * 40).astype(np.float16)


def write_visualize(folder, crop, rng):
    folder.mkdir(parents=True)
    maps, sizes = (9, 16, 12, 10, 10), [min(size, crop) for size in (7, 27, 75, 107, 139)]
    for run, side, count in (("zf-s1", 7, 12), ("krizhevsky-s1", 11, 12), ("zf-unclipped", 7, 12)):
        tiles = [min(side, crop), min(27 if side == 7 else 51, crop), *sizes[2:]]
        write_features(folder, run, maps, tiles, smooth(rng, (count,), side, 4).astype(np.float32) * 0.1, rng)
    epochs, rows = np.array([1, 2, 4, 8]), []
    arrays = {"epochs": epochs}
    for layer, size in enumerate(sizes, 1):
        arrays[f"conv{layer}/maps"] = np.arange(6)
        arrays[f"conv{layer}/projections"] = projection(rng, (6, len(epochs)), size)
        arrays[f"conv{layer}/similarity"] = np.sort(rng.random(len(epochs))).astype(np.float32)
        rows += [(f"conv{layer}", m, e, f"n0/{rng.integers(3)}", rng.random()) for m in range(6) for e in epochs]
    save_file(arrays, folder / "zf-s1" / "evolution.safetensors")
    write_csv(folder / "zf-s1" / "evolution.csv", rows, "layer map epoch key activation")
    write_controls(folder / "zf-s1", sizes, rng)
    write_invariance(folder, crop, rng)
    write_occlusion(folder, crop, rng)
    write_correspondence(folder, crop, rng)
    write_methods(folder / "zf-s1", crop, rng)
    rows = [("zf-s1", 12, 0, 0.08, 0.1, 0.3, 0.5, 0.2, 0.1, 0.2, 0.3),
            ("krizhevsky-s1", 12, 2, 0.02, 0.2, 0.6, 0.1, 0.3, 0.4, 0.5, 0.3),
            ("zf-unclipped", 12, 1, 0.02, 0.5, 0.4, 0.3, 0.3, 0.1, 0.2, 0.8)]  # fmt: skip
    write_csv(
        folder / "filters.csv", rows, "run filters dead norm_median norm_max low middle high aliasing shift dominance"
    )


def write_features(folder, run, maps, tiles, filters, rng):
    arrays, rows = {"conv1/filters": filters}, []
    for layer, (count, tile) in enumerate(zip(maps, tiles, strict=True), 1):
        arrays[f"conv{layer}/maps"] = np.arange(count)
        arrays[f"conv{layer}/patches"] = photo(rng, (count, 9), tile)
        arrays[f"conv{layer}/projections"] = projection(rng, (count, 9), tile)
        rows += [
            (f"conv{layer}", m, rank, f"n{rank}/p{rank}", rng.integers(max(1, 20 - 4 * layer)), 3, 3, 9.0 - rank, 0, 0,
             tile)
            for m in range(count) for rank in range(9)
        ]  # fmt: skip
    (folder / run).mkdir(exist_ok=True)
    save_file(arrays, folder / run / "features.safetensors")
    write_csv(folder / run / "features.csv", rows, "layer map rank key label row column activation top left size")


def write_controls(folder, tiles, rng):
    arrays = {f"neighbours/{name}": rng.random(30).astype(np.float32) for name in ("trained", "untrained", "pixels")}
    arrays["neighbours/images"] = np.arange(30)
    for layer, tile in enumerate(tiles, 1):
        arrays[f"untrained/conv{layer}/patches"] = photo(rng, (6, 9), tile)
        arrays[f"untrained/conv{layer}/projections"] = projection(rng, (6, 9), tile)
        arrays[f"untrained/conv{layer}/labels"] = rng.integers(0, 20, (6, 9))
        arrays[f"untrained/conv{layer}/activations"] = np.ones((6, 9), np.float32)
        arrays |= {f"conv{layer}/gini": rng.random((6, 2)).astype(np.float32)} if layer > 1 else {}
    save_file(arrays, folder / "controls.safetensors")


def write_invariance(folder, crop, rng):
    amounts = {
        "vertical": np.arange(-10, 11) * crop // 40, "horizontal": np.arange(-10, 11) * crop // 40,
        "scale": np.linspace(1, 1.8, 9), "rotation": np.arange(0, 360, 10),
    }  # fmt: skip
    rows, arrays = [], {}
    for transform, values in amounts.items():
        arrays[f"{transform}/examples"] = photo(rng, (5, len(values)), crop)
        for image in range(5):
            for amount in values:
                away = abs(amount - (transform == "scale")) / (values[-1] - values[0]) * (1 + 0.05 * image)
                first, last = 1 - np.exp(-9 * away), away * 0.8
                rows.append((image, f"n0/p{image}", WORDS[image], transform, amount, first * 90, first, last * 9, last,
                             max(0, 0.9 - away)))  # fmt: skip
    names = "image key class transform amount conv1 conv1_relative fc7 fc7_relative probability"
    write_csv(folder / "zf-s1" / "invariance.csv", rows, names)
    save_file(arrays, folder / "zf-s1" / "invariance.safetensors")


def write_occlusion(folder, crop, rng):
    n, side = 3, 15
    images = photo(rng, (n,), crop)
    images[:, 18:29, 3:14] = 124
    heat = smooth(rng, (n,), side)[..., 0] * 0.5 + 0.5
    best = (smooth(rng, (n,), side)[..., 1] * 2 + 2).astype(np.int64)
    save_file(
        {"images": images, "activity": heat.astype(np.float32), "probability": heat.astype(np.float32) ** 2 * 0.8,
         "best": best, "projections": projection(rng, (n, 4), min(139, crop)), "own": np.array([0, 0, 2])},
        folder / "zf-s1" / "occlusion.safetensors",
    )  # fmt: skip
    legend = {str(index): WORDS[index] for index in range(4)}
    pictures = [{"key": f"n0/p{i}", "class": WORDS[i], "label": i, "map": 7 * i} for i in range(n)]
    write_json(
        folder / "zf-s1" / "occlusion.json",
        {"images": pictures, "legend": legend, "occluder": 11, "stride": 3, "provenance": PROVENANCE},
    )
    rows = [(f"n0/p{i}", i, 1, 2, *rng.uniform(-1, 1, 3), rng.uniform(0, 3), *rng.random(2)) for i in range(8)]
    write_csv(folder / "zf-s1" / "occlusion.csv", rows, "key label map other own control alike apart lost left")


def write_correspondence(folder, crop, rng):
    rows = [
        (location, layer, a, b, abs(rng.normal(mean + 0.02 * (location == "random"), 0.01)))
        for layer, mean in (("conv5", 0.07), ("fc7", 0.068)) for location in ("right eye", "left eye", "nose", "random")
        for a in range(5) for b in range(a + 1, 5)
    ]  # fmt: skip
    write_csv(folder / "zf-s1" / "correspondence-pairs.csv", rows, "location layer first second distance")
    save_file({"images": photo(rng, (5, 7), crop)}, folder / "zf-s1" / "correspondence.safetensors")
    write_json(
        folder / "zf-s1" / "correspondence.json", {"animals": [f"dog-{i}" for i in range(5)], "provenance": PROVENANCE}
    )


def write_methods(folder, crop, rng):
    rules = ["deconvnet", "guided", "gradient", "forward-mask", "no-relu", "centre", "norm", "overwrite", "keep-max"]
    rules.append("shuffled")
    rows, arrays = [], {}
    for layer, size, name in (("conv2", 27, ""), ("conv5", crop, ""), ("fc8", crop, "disc")):
        arrays |= {f"{layer}/{rule}": projection(rng, (), size) for rule in rules}
        arrays[f"{layer}/patch"], arrays[f"{layer}/maximised"] = photo(rng, (), size), photo(rng, (4,), size)
        arrays[f"{layer}/saliency"] = np.abs(projection(rng, (), size)).max(2, keepdims=True)
        rows += [(layer, 3, name, rule, rng.uniform(-0.1, 1), 9, "") for rule in rules]
        rows += [(layer, 3, name, f"maximised {place}", "", "", rng.uniform(1, 9)) for place in range(1, 5)]
    save_file(arrays, folder / "methods.safetensors")
    write_csv(folder / "methods.csv", rows, "layer unit name method cosine images gain")
    write_json(folder / "methods.json", {"ascents": [], "provenance": PROVENANCE})


# ---- transfer --------------------------------------------------------------------------------------------------------
def write_transfer(folder, rng):
    curve = {"caltech101": (15, 30), "caltech256": (1, 2, 3, 4, 5, 6, 7, 10, 15, 30, 45, 60)}
    accuracy = {"conv1": 30, "conv2": 42, "conv3": 50, "conv4": 56, "conv5": 64, "fc7": 68}
    for dataset, sizes in curve.items():
        heads, scratch = [], []
        for fold in range(1, 6):
            luck = rng.normal()
            for size in sizes:
                level = 8 * np.log(size / sizes[-1]) + luck
                for head, layers in (("svm", tuple(accuracy)), ("softmax", ("conv5", "fc7"))):
                    for layer in layers:
                        value = accuracy[layer] + level + rng.normal() / 2
                        heads.append((dataset, head, layer, size, fold, value, 1.0, 6, 6 * size, 60))
                if size >= 15:
                    scratch.append((dataset, size, fold, 20 + 2 * level + rng.normal()))
        names = "set head layer size fold accuracy c classes train_images test_images"
        write_csv(folder / "heads" / f"{dataset}.csv", heads, names)
        write_csv(folder / "scratch" / f"{dataset}.csv", scratch, "set size fold accuracy")
        write_json(folder / "heads" / f"{dataset}.json", {"left_out": [], "provenance": PROVENANCE})
    classes = published.table(6).index[:20]
    rows = [(name, head, 8, 160, rng.uniform(20, 99)) for name in classes for head in ("softmax", "sigmoid")]
    write_csv(folder / "voc" / "ap.csv", rows, "class head positives images ap")
    truth = np.where(rng.random((160, 20)) < 0.1, 1, -1).astype(np.int8)
    scores = {head: (truth + rng.normal(size=truth.shape)).astype(np.float32) for head in ("softmax", "sigmoid")}
    save_file({**scores, "truth": truth}, folder / "voc" / "scores.safetensors")
    count = {"found": 3, "images": 240, "most_in_one_class": 2, "mean_class_fraction": 0.0125}
    counts = dict.fromkeys(curve, count)
    write_json(folder / "duplicates.json", {"counts": counts, "threshold": 0.95, "curve": {}, "provenance": PROVENANCE})
    shares = {("copies found", "mirrored"): 1.0, **{("images with a match", name): 0.0125 for name in counts}}
    rows = [(at, *of, share, 240) for of, share in shares.items() for at in (0.9, 0.95, 0.99)]
    write_csv(folder / "duplicates-curve.csv", rows, "threshold of name fraction images")


def write_csv(path, rows, names):
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=names.split()).to_csv(path, index=False)
