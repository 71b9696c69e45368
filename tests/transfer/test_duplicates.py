"""Near-duplicates: planted copies are found, other pictures are not, by whatever blocks the work is cut into."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scenes import cropped, recompressed, scene

from benchmarks.memory import peak_mb
from zfnet.core import memory
from zfnet.core.errors import ZfnetError
from zfnet.core.files import read_json
from zfnet.data.loader import Shards
from zfnet.data.readers.datasets import SQUARE, source
from zfnet.data.shards.writer import write_shards
from zfnet.settings import Data, Transfer, World
from zfnet.synthetic import generate
from zfnet.transfer.duplicates import pair_search as search_module
from zfnet.transfer.duplicates import search_stage
from zfnet.transfer.duplicates.bounds import bounds, sketch
from zfnet.transfer.duplicates.calibration import CHANGES as COPIES
from zfnet.transfer.duplicates.calibration import IN_SHARDS, fraction_above, in_shards, recalls
from zfnet.transfer.duplicates.pair_search import search
from zfnet.transfer.duplicates.search_stage import _read_queries, duplicates_stage
from zfnet.transfer.duplicates.thumbnails import (
    CUTS,
    VIEWS,
    correlate,
    correlate_pairs,
    grey,
    mirrored,
    query_thumbnails,
    stack_as_they_come,
    thumbnails,
    whole_grey,
)


def match(image: np.ndarray, train: np.ndarray) -> float:
    """Correlation of a whole picture with a training picture's centre square."""
    side = min(train.shape[:2])
    top, left = (train.shape[0] - side) // 2, (train.shape[1] - side) // 2
    square = grey(torch.tensor(train[None, top : top + side, left : left + side]))
    block = torch.stack([thumbnails(square, 32, cut) for cut in CUTS])
    return correlate(query_thumbnails(grey(torch.tensor(image[None]))[0], 32)[None], block).item()


def test_thumbnails_make_normalised_correlations():
    images = grey(torch.tensor(np.stack([scene(1), scene(2)])))
    a, b = thumbnails(images, 16)
    small = torch.nn.functional.interpolate(images[:, None], (16, 16), mode="bilinear", antialias=True).flatten(1)
    assert (a @ b).item() == pytest.approx(np.corrcoef(small.numpy())[0, 1], abs=1e-5)


CHANGES = {
    "recompressed": lambda image: recompressed(image, (84, 84)),
    "cropped": lambda image: recompressed(cropped(image), (84, 84)),
    "cropped a little": lambda image: recompressed(cropped(image, 0.03), (80, 60)),
    "brighter": lambda image: (image * 0.9 + 20).astype(np.uint8),
    "negative": lambda image: 255 - recompressed(image, (84, 84)),
    "negative, cropped, recompressed": lambda image: recompressed(255 - cropped(image), (84, 84)),
    "mirrored": lambda image: recompressed(image[:, ::-1], (84, 84)),
    "mirrored negative, cropped": lambda image: recompressed(255 - cropped(image[:, ::-1]), (84, 84)),
    "larger": lambda image: recompressed(image, (320, 240)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_copies_are_found(change):
    for seed in range(5):
        copy = CHANGES[change](scene(seed))
        assert match(scene(seed), copy) > 0.95  # the training set holds the copy
        assert match(copy, scene(seed)) > 0.95 or copy.shape[0] == copy.shape[1]  # or the transfer set does


def test_another_image_of_the_same_class_is_not_found():
    """Two thirds of either picture is the same."""
    for seed in range(10):
        first, second = ((scene(50) * 0.67 + scene(seed + shift) * 0.33).astype(np.uint8) for shift in (100, 200))
        assert 0.5 < match(first, second) < 0.93


def test_flat_images_resemble_nothing():
    flat = np.full((60, 80, 3), 200, np.uint8)
    flat[10, 10] = 203
    assert match(flat, flat) == 0


def in_blocks(train, *starts):
    """Cut training thumbnails (CUTS, N, d) at some numbers."""
    ends = (*starts[1:], train.shape[1])
    return ((np.arange(a, b), train[:, a:b]) for a, b in zip(starts, ends, strict=True))


def test_search_is_the_same_in_any_blocks(monkeypatch):
    draw = torch.Generator().manual_seed(0)
    queries = torch.nn.functional.normalize(torch.randn(7, VIEWS, len(CUTS), 16, generator=draw), dim=-1)
    train = torch.nn.functional.normalize(torch.randn(len(CUTS), 11, 16, generator=draw), dim=-1)
    everything = correlate(queries, train).numpy()
    monkeypatch.setattr(search_module, "PRODUCTS", 20)
    monkeypatch.setattr(search_module, "CHUNK", 3)
    for plain in (True, False):
        found = search(queries, in_blocks(train, 0, 4, 8), 0.6, 0.3, plain)
        assert found.pairs.tolist() == np.argwhere(everything >= 0.6).tolist() and len(found.pairs) > 3
        np.testing.assert_allclose(found.correlations, everything[everything >= 0.6], rtol=1e-5)
        np.testing.assert_allclose(found.best, everything.max(1), rtol=1e-5)
        assert found.best_train.tolist() == everything.argmax(1).tolist()


def archive():
    """Thumbnails of pictures looked for, and of others with a copy of each, changed in every way in turn."""
    ours = [scene(seed) for seed in range(5 * len(CHANGES))]
    copies = [change(ours[5 * k + i]) for k, change in enumerate(CHANGES.values()) for i in range(5)]
    theirs = [recompressed(image, (84, 84)) for image in [*copies, *(scene(1000 + i) for i in range(75))]]
    queries = torch.stack([query_thumbnails(grey(torch.tensor(image[None]))[0], 32) for image in ours])
    squares = grey(torch.tensor(np.stack(theirs)))
    return queries, torch.stack([thumbnails(squares, 32, cut) for cut in CUTS])


def test_bounds_hold_and_leave_little():
    queries, train = archive()
    found, bound = correlate(queries, train), bounds(sketch(queries), sketch(train))
    assert (found <= bound).all()
    assert (bound >= 0.95).float().mean() < 2 * (found >= 0.95).float().mean()


def test_parts_of_thumbnails_give_mirror_and_negative():
    draw = torch.Generator().manual_seed(1)
    queries, train = (torch.randn(*shape, 36, generator=draw) for shape in ((3, VIEWS, len(CUTS)), (len(CUTS), 4)))
    pairs = torch.cartesian_prod(torch.arange(3), torch.arange(4)).T
    for change in (lambda block: block, mirrored, torch.neg):
        found = correlate(queries, change(train))
        torch.testing.assert_close(found, correlate(queries, train))
        torch.testing.assert_close(correlate_pairs(queries[pairs[0]], train[:, pairs[1]]), found.flatten())


def test_search_finds_planted_copies_of_every_kind_as_the_plain_search_does(monkeypatch):
    queries, train = archive()
    fast, plain = (search(queries, in_blocks(train, 0, 50), 0.95, 0.9, plain) for plain in (False, True))
    assert fast.pairs.tolist() == plain.pairs.tolist() == [[i, i] for i in range(len(queries))]
    np.testing.assert_allclose(fast.best, plain.best, atol=1e-5)
    monkeypatch.setattr(search_module, "EXHAUSTIVE_ABOVE", 0)  # everything of a chunk that has a near pair
    assert search(queries, in_blocks(train, 0, 50), 0.95, 0.9).pairs.tolist() == plain.pairs.tolist()


def test_best_below_the_floor_is_not_known():
    queries, train = archive()
    found = search(queries, in_blocks(train[:, len(queries) :], 0), 0.95, 0.9)
    assert (found.best == -1).all() and (found.best_train == -1).all() and found.pairs.shape == (0, 2)


def test_stage_finds_what_was_planted(prepare, tmp_path):
    ours = {f"a/p{i}": (i % 2, scene(i)) for i in range(8)}
    theirs = {f"n1/p{i}": (0, scene(1000 + i, 64, 64)) for i in range(12)}
    planted = {
        "n1/copy2": (0, recompressed(scene(2), (84, 84))),
        "n1/copy5": (0, recompressed(cropped(scene(5)), (84, 84))),
    }
    train, other = prepare("imagenet-train", theirs | planted, square=True), prepare("caltech101", ours)
    out = tmp_path / "duplicates.csv"
    duplicates_stage(train, {"caltech101": other}, Transfer(), out, threads=1)
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["set"], row["key"], row["class"], row["train_key"]) for row in rows] == [
        ("caltech101", "a/p2", "class0", "n1/copy2"),
        ("caltech101", "a/p5", "class1", "n1/copy5"),
    ]
    summary = read_json(out.with_suffix(".json"))
    counts = {"found": 2, "images": 8, "most_in_one_class": 1, "mean_class_fraction": 0.25}
    assert summary["counts"] == {"caltech101": counts}
    assert dict(summary["curve"]["caltech101"])[0.95] == 2
    assert summary["recall"]["cropped by 4 %"] > 0.9
    with (tmp_path / "duplicates-curve.csv").open() as file:
        points = {(row["name"], row["threshold"]): float(row["fraction"]) for row in csv.DictReader(file)}
    assert points["caltech101", "0.95"] == 0.25 and points["mirrored", "0.95"] == summary["recall"]["mirrored"]
    assert Image.open(out.with_suffix(".png")).width > 500


def test_recall_is_the_fraction_of_known_copies_that_reach_a_threshold(caltech):
    found = recalls({"caltech101": caltech}, 32, 48)
    assert list(found) == [*COPIES, IN_SHARDS] and all(len(values) == len(caltech) for values in found.values())
    for change in ("resized", "brighter", "negative", "mirrored", "cropped by 2 %", IN_SHARDS):
        assert fraction_above(found[change], 0.95) == 1
    assert found["cropped by 8 %"].mean() < found["cropped by 4 %"].mean() < found["cropped by 2 %"].mean() + 0.01
    assert fraction_above(np.array([0.8, 0.9, 0.95, 1.0]), 0.95) == 0.5


@pytest.mark.parametrize("shape", [(120, 200), (200, 120)])
def test_a_copy_in_the_shards_is_what_preparation_makes_of_a_smaller_image(shape, prepare):
    image = scene(7, *shape)
    smaller = recompressed(image, tuple(round(side * 0.7) for side in reversed(shape)), quality=75)
    train = Shards(prepare("imagenet-train", {"n1/a": (0, smaller)}, size=64, square=True))
    ours, theirs = in_shards(grey(torch.tensor(image[None]))[0], 64), grey(train.squares([0]))[0]
    assert (ours - theirs).abs().mean() < 2


def planted_and_found(archives, planted_csv, size, folder):
    """Pairs that were planted in a training set and pairs that the stage finds at the default threshold."""
    settings, paths = Data(image_size=size), {}
    for name, files in archives.items():
        paths[name] = folder / name / "manifest.json"
        write_shards(source(name, files, settings), settings, paths[name], SQUARE[name], 2)
    train, out = paths.pop("imagenet-train"), folder / "duplicates.csv"
    duplicates_stage(train, paths, Transfer(), out)
    with out.open() as file, planted_csv.open() as truth:
        found = {(row["key"], row["train_key"]) for row in csv.DictReader(file)}
        planted = {(_key(row["caltech_file"], 1), _key(row["train_file"], 0)) for row in csv.DictReader(truth)}
    return planted, found


@pytest.mark.slow
def test_planted_copies_in_the_generated_world(tmp_path):
    world = World(
        imagenet_classes=6, train_images=20, val_images=1, caltech101_classes=3, caltech101_images=12,
        caltech256_classes=3, caltech256_images=12, voc_images=24, voc_test_images=1, cifar_images=10, parts_images=2,
        planted_duplicates=8,
    )  # fmt: skip
    files = generate(world, tmp_path / "world", 1)
    archives = {
        "imagenet-train": [files["imagenet_train"], files["imagenet_devkit"]],
        "caltech101": [files["caltech101"]],
        "caltech256": [files["caltech256"]],
    }
    planted, found = planted_and_found(archives, tmp_path / "world/planted_duplicates.csv", 128, tmp_path)
    assert len(planted) == 8 and len(planted & found) >= 0.95 * len(planted)
    assert len(found - planted) <= 5


@pytest.mark.real
@pytest.mark.slow
def test_planted_copies_in_real_archives(real_data, tmp_path):
    names = ("ILSVRC2012_img_train.tar", "ILSVRC2012_devkit_t12.tar.gz")
    archives = {
        "imagenet-train": [real_data / "imagenet" / name for name in names],
        "caltech101": [real_data / "caltech" / "101_ObjectCategories.tar.gz"],
        "caltech256": [real_data / "caltech" / "256_ObjectCategories.tar"],
    }
    planted, found = planted_and_found(archives, real_data / "planted_duplicates.csv", 128, tmp_path)
    assert len(planted) == 30 and len(planted & found) >= 0.95 * len(planted)
    assert len(found - planted) <= 5


def _key(path: str, skipped: int) -> str:
    return str(Path(*Path(path).with_suffix("").parts[skipped:])).replace(".", "_")  # as in the shards


def test_views_are_gathered_as_they_come():
    views = [torch.randn(3, 2, 5) for _ in range(4)]
    assert torch.equal(stack_as_they_come(iter(views), 4), torch.stack(views))


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory is read from /proc")
def test_thumbnails_of_several_sets_are_held_once(caltech):
    size, read = 512, []
    before = peak_mb(lambda: None)
    held = peak_mb(lambda: read.append(_read_queries([caltech, caltech], size)))
    assert read[0].shape == (2 * len(caltech), VIEWS, len(CUTS), size**2)
    for number in (0, 5):
        expected = query_thumbnails(whole_grey(caltech, number), size)
        assert torch.equal(read[0][number], expected) and torch.equal(read[0][len(caltech) + number], expected)
    assert held - before < 1.3 * read[0].nbytes / 2**20


def test_too_little_memory_for_the_thumbnails_is_a_sentence_before_they_are_read(caltech, monkeypatch):
    needed = 2 * len(caltech) * VIEWS * len(CUTS) * 32 * 32 * 4
    monkeypatch.setattr(memory, "available", lambda device: needed)
    assert _read_queries([caltech, caltech], 32).nbytes == needed
    monkeypatch.setattr(memory, "available", lambda device: needed - 1)
    monkeypatch.setattr(search_stage, "query_thumbnails", None)
    wanted = f"of {2 * len(caltech)} images: .* needed on cpu .* make transfer.duplicates_thumbnail_size smaller"
    with pytest.raises(ZfnetError, match=wanted):
        _read_queries([caltech, caltech], 32)


PASSING = """
import numpy as np, torch
from zfnet.transfer.duplicates.pair_search import search
from zfnet.transfer.duplicates.thumbnails import CUTS, VIEWS

def memory():
    return int(open("/proc/self/statm").read().split()[1])

def passing(blocks, steps):
    for step in range(steps):
        held.append(memory())
        yield np.arange(256), blocks[step % len(blocks)]

torch.manual_seed(0)
held = []

def smooth(*shape):
    pictures = torch.nn.functional.interpolate(torch.randn(1, np.prod(shape), 8, 8), (32, 32), mode="bilinear")[0]
    return torch.nn.functional.normalize(pictures.flatten(1) - pictures.mean((1, 2))[:, None]).unflatten(0, shape)

queries = smooth(4096, VIEWS, len(CUTS))
blocks = [smooth(len(CUTS), 256) for _ in range(4)]
for some in blocks:
    some[0, ::16] = queries[::256, 0, 0]  # a copy for each chunk
found = search(queries, passing(blocks, 160), 0.95, 0.9)
assert len(found.pairs) == 160 * 16, len(found.pairs)
print(max(held[40:]) / held[40])
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_memory_does_not_grow_with_the_training_set():
    done = subprocess.run([sys.executable, "-c", PASSING], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 1.2
