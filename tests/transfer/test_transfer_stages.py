"""Heads, PASCAL and nets from scratch, from files to files."""

import csv

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from scenes import scene

from zfnet.core.errors import Stopped, ZfnetError
from zfnet.core.files import read_json, write_json
from zfnet.data.loader import Shards
from zfnet.settings import Heads, Nets, Recipe, Settings, Transfer
from zfnet.transfer import from_scratch
from zfnet.transfer.caltech_heads import Task, heads_stage, protocol
from zfnet.transfer.extract_features import Features
from zfnet.transfer.from_scratch import scratch_stage
from zfnet.transfer.heads.cross_validation import fit_with_best_c, inner_folds
from zfnet.transfer.voc_heads import softmax_samples, truth_table, voc_stage
from zfnet.transfer.voc_submission import voc_test_stage

HEADS = Heads(svm_c=(0.01, 1.0), softmax_c=(0.1, 10.0))


def table(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def clusters(counts, d, noise, seed=0):
    """Labels and features (N, d) around one centre per class."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    return labels, rng.normal(size=(len(counts), d))[labels] + noise * rng.normal(size=(len(labels), d))


def test_protocol_lists_the_rows_of_the_tables():
    tasks = protocol((15, 30), (15, 30), ("conv1", "conv5", "fc7"))
    assert set(tasks) == {
        Task("softmax", "fc7", 15), Task("softmax", "fc7", 30), Task("softmax", "conv5", 30),
        Task("svm", "conv1", 30), Task("svm", "conv5", 30), Task("svm", "fc7", 30),
    }  # fmt: skip
    assert len(tasks) == 6
    assert {task.size for task in protocol((1, 6, 45), (15, 30, 45, 60), ("conv1",))} == {45}


def test_heads_stage_writes_every_fold(write_features, tmp_path):
    labels, good = clusters([12, 12, 12, 4], 40, 0.5)
    layers = {"conv1": np.random.default_rng(1).normal(size=(40, 60)), "fc7": good}
    folder = write_features("caltech101", labels, layers, ["a", "b", "c", "d"])
    settings = Transfer(layers=("conv1", "fc7"), caltech101_train_sizes=(3, 8, 30), folds=3, heads=HEADS)
    heads_stage(Features(folder), settings, tmp_path / "caltech101.csv", threads=1)
    rows = table(tmp_path / "caltech101.csv")
    assert len(rows) == 3 * 4  # softmax 7 at 3 and 8, svm 1 and 7 at 8
    assert {(row["set"], row["classes"], row["test_images"]) for row in rows} == {("caltech101", "3", "12")}
    assert {row["train_images"] for row in rows if row["size"] == "3"} == {"9"}
    accuracy = {
        layer: np.mean([float(r["accuracy"]) for r in rows if r["layer"] == layer]) for layer in ("conv1", "fc7")
    }
    assert accuracy["fc7"] > 95 and accuracy["conv1"] < 60
    record = read_json(tmp_path / "caltech101.json")
    assert record["left_out"] == [
        "30 training images per class: only 0 of 4 classes have more.",
        "class d: 4 images, but 8 for training and one for testing are needed.",
    ]
    assert len(record["folds"]) == 3 and not set(record["folds"][0]["train"]) & set(record["folds"][0]["test"])


def test_both_solvers_write_the_same_accuracies(write_features, tmp_path):
    labels, rows = clusters([10, 10, 10], 12, 1.5)
    folder = write_features("caltech101", labels, {"fc7": rows}, ["a", "b", "c"])
    found = []
    for solver in ("zfnet", "sklearn"):
        heads = HEADS.model_copy(update={"solver": solver})
        heads_stage(
            Features(folder),
            Transfer(layers=("fc7",), caltech101_train_sizes=(6,), folds=2, heads=heads),
            tmp_path / "t.csv",
            1,
        )
        found.append([(row["head"], row["c"], row["accuracy"]) for row in table(tmp_path / "t.csv")])
    assert found[0] == found[1]


def test_test_images_do_not_take_part_in_choosing_c(write_features, tmp_path):
    """Spoiling all features outside the training pictures changes no chosen C."""
    labels, rows = clusters([9, 9, 9], 20, 1.2)
    settings = Transfer(layers=("fc7",), caltech101_train_sizes=(5,), folds=1, heads=HEADS)
    chosen = []
    for name in ("first", "second"):
        folder = write_features("caltech101", labels, {"fc7": rows}, ["a", "b", "c"])
        heads_stage(Features(folder), settings, tmp_path / f"{name}.csv", 1)
        chosen.append([row["c"] for row in table(tmp_path / f"{name}.csv")])
        test = [int(key[1:]) for key in read_json(tmp_path / f"{name}.json")["folds"][0]["test"]]
        rows[test] = np.random.default_rng(5).normal(size=(len(test), 20)) * 100
        folder.rename(tmp_path / f"{name}-features")
    assert chosen[0] == chosen[1]


def test_a_set_without_sizes_is_a_sentence(write_features, tmp_path):
    folder = write_features("cifar10-test", np.repeat([0, 1], 5), {"fc7": np.eye(10)}, ["a", "b"])
    with pytest.raises(ZfnetError, match="cifar10-test: no training sizes are known"):
        heads_stage(Features(folder), Transfer(), tmp_path / "t.csv")


def test_inner_folds_deal_every_class_evenly():
    assert inner_folds(np.array([0, 0, 0, 0, 1, 1]), 3).tolist() == [0, 1, 2, 0, 0, 1]


def test_the_better_cost_is_chosen_and_the_middle_where_nothing_can_be():
    x, targets = torch.eye(6), torch.eye(2).repeat(3, 1)
    heads = Heads(svm_c=(0.01, 1.0, 100.0))
    for best in heads.svm_c:
        wanted = heads.svm_c.index(best)
        calls = []

        def score(scores, numbers, calls=calls, wanted=wanted):
            calls.append(numbers)
            return float((len(calls) - 1) % 3 == wanted)

        assert fit_with_best_c(x, targets, np.arange(6) % 2, "svm", heads, score)[1] == best
        assert [numbers.tolist() for numbers in calls[::3]] == [[0, 2, 4], [1, 3, 5]]
    assert fit_with_best_c(x, targets, np.zeros(6, int), "svm", heads, score)[1] == 1.0


def test_voc_truth_and_targets():
    animals = ["cat", "dog", "horse"]
    objects = [[("cat", 0), ("dog", 1)], [("dog", 1), ("dog", 0), ("horse", 0)], []]
    boxed = [{"objects": [{"name": n, "difficult": d, "box": [1, 1, 2, 2]} for n, d in some]} for some in objects]
    truth = truth_table(boxed, animals)
    assert truth.tolist() == [[1, 0, -1], [-1, 1, 1], [-1, -1, -1]]
    pictures, labels = softmax_samples(truth, "pairs", 0)
    assert list(zip(pictures, labels, strict=True)) == [(0, 0), (1, 1), (1, 2)]
    drawn = {tuple(softmax_samples(truth, "random", seed)[1]) for seed in range(20)}
    assert drawn == {(0, 1), (0, 2)}


def test_voc_stage_learns_on_train_and_measures_on_val(write_features, tmp_path):
    labels, rows = clusters([30, 30, 30], 20, 0.4)
    names = ["bird", "cat", "sofa"]
    annotations = [
        {"objects": [{"name": names[k], "difficult": 0, "box": [1, 1, 2, 2]}], "set": "val" if i % 3 else "train"}
        for i, k in enumerate(labels)
    ]
    folder = write_features("voc2012", labels, {"fc7": rows}, names, annotations)
    voc_stage(Features(folder), Transfer(heads=HEADS), tmp_path / "voc" / "ap.csv", threads=1)
    found = table(tmp_path / "voc" / "ap.csv")
    assert [(row["class"], row["head"]) for row in found] == [(n, h) for h in ("softmax", "sigmoid") for n in names]
    assert all(float(row["ap"]) > 95 and (row["positives"], row["images"]) == ("20", "60") for row in found)
    scores = load_file(tmp_path / "voc" / "scores.safetensors")
    assert scores["softmax"].shape == scores["truth"].shape == (60, 3)
    lines = (tmp_path / "voc/val/results/VOC2012/Main/comp2_cls_val_cat.txt").read_text().splitlines()
    assert lines[0] == f"p0001 {scores['softmax'][0, 1]:.9g}" and len(lines) == 60


@pytest.fixture
def voc_features(write_features):
    """Features of VOC, a third of them `train`, and of test pictures, the classes of which are given with them."""
    labels, rows = clusters([30, 30, 30], 20, 0.3)
    names = ["bird", "cat", "sofa"]
    order = np.random.default_rng(1).permutation(90)
    known, test = order[:60], order[60:]
    annotations = [
        {"objects": [{"name": names[k], "difficult": 0, "box": [1, 1, 2, 2]}], "set": "val" if i % 3 else "train"}
        for i, k in enumerate(labels[known])
    ]
    return (
        write_features("voc2012", labels[known], {"fc7": rows[known]}, names, annotations),
        write_features("voc2012-test", np.full(30, -1), {"fc7": rows[test]}, names, [{"set": "test"}] * 30),
        [names[k] for k in labels[test]],
    )


def test_the_voc_test_set_is_predicted_for_its_server(voc_features, tmp_path):
    known, test, truth = voc_features
    voc_test_stage(Features(known), Features(test), Transfer(heads=HEADS), tmp_path / "test/summary.json", threads=1)
    folder = tmp_path / "test/results/VOC2012/Main"
    assert sorted(path.name for path in folder.iterdir()) == [
        f"comp2_cls_test_{n}.txt" for n in ("bird", "cat", "sofa")
    ]
    confidence = {}
    for name in ("bird", "cat", "sofa"):
        lines = [line.split() for line in (folder / f"comp2_cls_test_{name}.txt").read_text().splitlines()]
        assert [key for key, _ in lines] == [f"p{i:04d}" for i in range(30)]
        confidence[name] = [float(value) for _, value in lines]
    assert [max(confidence, key=lambda name: confidence[name][i]) for i in range(30)] == truth
    assert np.allclose(sum(np.array(values) for values in confidence.values()), 1, atol=1e-5)
    summary = read_json(tmp_path / "test/summary.json")
    assert summary["images"] == {"trainval": 60, "test": 30} and summary["c"] in HEADS.softmax_c


def test_voc_test_images_have_no_part_in_the_head(voc_features, tmp_path):
    known, test, _ = voc_features
    rows = np.load(test / "fc7.npy")
    found = []
    for others in (rows[1:], 100 + rows[1:]):
        np.save(test / "fc7.npy", np.concatenate([rows[:1], others]))
        voc_test_stage(Features(known), Features(test), Transfer(heads=HEADS), tmp_path / "summary.json", threads=1)
        found.append((tmp_path / "results/VOC2012/Main/comp2_cls_test_cat.txt").read_text().splitlines()[0])
    assert found[0] == found[1]


def test_features_of_another_set_or_net_are_refused(voc_features, tmp_path):
    known, test, _ = voc_features
    with pytest.raises(ZfnetError, match="features of voc2012; expected those of voc2012-test"):
        voc_test_stage(Features(known), Features(known), Transfer(), tmp_path / "summary.json")
    write_json(test / "index.json", read_json(test / "index.json") | {"net": "another"})
    with pytest.raises(ZfnetError, match="features of different nets; run `zfnet extract-features` again"):
        voc_test_stage(Features(known), Features(test), Transfer(), tmp_path / "summary.json")


def test_a_class_list_that_disagrees_with_the_images_is_a_sentence(write_features, tmp_path):
    folder = write_features("caltech101", np.repeat([0, 1, 2], 5), {"fc7": np.eye(15)}, ["a", "b"])
    with pytest.raises(ZfnetError, match="the class list has 2 classes, but an image has class number 3"):
        heads_stage(Features(folder), Transfer(caltech101_train_sizes=(2,)), tmp_path / "t.csv")
    strange = [{"objects": [{"name": "unicorn", "difficult": 0, "box": [1, 1, 2, 2]}]}]
    with pytest.raises(ZfnetError, match=r"shows 'unicorn', which is not in the class list \(cat, dog\)"):
        truth_table(strange, ["cat", "dog"])


def test_an_empty_class_is_named_and_left_out(write_features, tmp_path):
    labels, rows = clusters([10, 10, 10], 12, 0.5)
    folder = write_features("caltech101", labels, {"fc7": rows}, ["a", "b", "c", "nothing"])
    heads_stage(
        Features(folder),
        Transfer(layers=("fc7",), caltech101_train_sizes=(6,), folds=1, heads=HEADS),
        tmp_path / "t.csv",
        1,
    )
    record = read_json(tmp_path / "t.json")
    assert record["too_few"] == {"nothing": 0}
    assert record["left_out"] == ["class nothing: 0 images, but 6 for training and one for testing are needed."]
    assert {row["classes"] for row in table(tmp_path / "t.csv")} == {"3"}
    assert record["at_edge"] == {"svm": 1, "softmax": 1}  # grids of two values have nothing else


def test_voc_stage_wants_annotations(write_features, tmp_path):
    folder = write_features("caltech101", np.repeat([0, 1], 5), {"fc7": np.eye(10)}, ["a", "b"])
    with pytest.raises(ZfnetError, match="caltech101 has no annotated objects"):
        voc_stage(Features(folder), Transfer(), tmp_path / "ap.csv")


def test_scratch_stops_resumes_and_repeats_nothing(prepare, tmp_path, monkeypatch):
    pictures = {f"c{k}/p{i}": (k, scene(10 * k + i, 72, 90)) for k in range(2) for i in range(6)}
    path = prepare("caltech101", pictures, size=72)
    transfer = Transfer(
        caltech101_train_sizes=(2, 4), folds=2, scratch_folds=1, scratch=Recipe(batch_size=2), scratch_updates=8
    )
    settings = Settings(nets=Nets(width=1 / 16, crop=64), transfer=transfer)
    out, checkpoints = tmp_path / "scratch.csv", tmp_path / "checkpoints"
    with pytest.raises(Stopped):
        scratch_stage(path, settings, checkpoints, out, threads=1, budget_minutes=0)
    assert not out.exists()
    scratch_stage(path, settings, checkpoints, out, threads=1)
    rows = table(out)
    assert [(row["size"], row["fold"], row["train_images"], row["test_images"]) for row in rows] == [
        ("2", "0", "4", "4"),
        ("4", "0", "8", "4"),
    ]
    assert all(float(row["accuracy"]) in (0, 25, 50, 75, 100) for row in rows)
    assert [row["epochs"] for row in rows] == ["4", "2"]  # as many updates at both sizes
    assert sorted(found.suffix for found in checkpoints.iterdir()) == [".json", ".json"]

    def trained_again(*arguments):
        raise AssertionError("a finished net was trained again")

    monkeypatch.setattr(from_scratch, "train", trained_again)
    scratch_stage(path, settings, checkpoints, out, threads=1)
    assert table(out) == rows and len(Shards(path)) == 12


@pytest.mark.parametrize("views", ["centre", "ten"])
def test_nets_from_scratch_know_their_classes_and_look_as_features_do(prepare, tmp_path, monkeypatch, views):
    counts = (6, 1, 6, 6)  # the second class has too few pictures
    pictures = {f"c{k}/p{i}": (k, scene(10 * k + i, 72, 90)) for k, count in enumerate(counts) for i in range(count)}
    path = prepare("caltech101", pictures, size=72)
    transfer = Transfer(
        caltech101_train_sizes=(2,),
        folds=1,
        scratch_folds=1,
        crops=views,
        scratch=Recipe(batch_size=3),
        scratch_updates=2,
    )
    looked = []

    def look(net, shards, indices, batch, threads=2):
        looked.append((net.classes, shards.labels[indices].tolist()))
        return torch.eye(3)[shards.labels[indices]]  # right everywhere

    monkeypatch.setattr(from_scratch, {"centre": "centre", "ten": "ten_crop"}[views], look)
    settings = Settings(nets=Nets(width=1 / 16, crop=64), transfer=transfer)
    scratch_stage(path, settings, tmp_path / "checkpoints", tmp_path / "scratch.csv", threads=1)
    (row,) = table(tmp_path / "scratch.csv")
    assert looked == [(3, sorted(looked[0][1]))] and set(looked[0][1]) == {0, 1, 2}
    assert (row["accuracy"], row["classes"]) == ("100.0", "3")
    assert read_json(tmp_path / "scratch.json")["too_few"] == {"class1": 1}


def test_test_images_have_no_part_in_the_mean_image_of_a_net_from_scratch(prepare, tmp_path, monkeypatch):
    pictures = {f"c{k}/p{i}": (k, scene(10 * k + i, 72, 90)) for k in range(2) for i in range(6)}
    path = prepare("caltech101", pictures, size=72)
    transfer = Transfer(
        caltech101_train_sizes=(2,), folds=1, scratch_folds=1, scratch=Recipe(batch_size=2), scratch_updates=2
    )
    seen = []

    def watched(spec, train, indices, *more, **options):
        seen.append((train.mean, train.covariance, train.squares(indices, 1).double()))
        raise Stopped("seen enough")

    monkeypatch.setattr(from_scratch, "train", watched)
    with pytest.raises(Stopped):
        scratch_stage(path, Settings(nets=Nets(width=1 / 16, crop=64), transfer=transfer), tmp_path, tmp_path / "t.csv")
    mean, covariance, squares = seen[0]
    assert len(squares) == 4
    assert np.allclose(mean, squares.mean(0).permute(2, 0, 1), atol=1e-4)
    assert np.allclose(covariance, np.cov(squares.flatten(0, 2).T, bias=True), atol=1e-2)
