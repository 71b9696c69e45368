"""CIFAR-10: every kind of official pickle yields its pixels, and no pickle runs code."""

import pickle

import builders
import numpy as np
import pytest

from zfnet.core.errors import ZfnetError
from zfnet.data.readers import cifar
from zfnet.data.readers.cifar import unpickle
from zfnet.data.readers.images import decode

FOLDER = "cifar-10-batches-py"


def write(tmp_path, files):
    return builders.put(tmp_path / "cifar-10-python.tar.gz", builders.packed(files))


def planes(batch):
    """uint8 (3, 32, 32, 3), which the archive stores as rows of planes."""
    return np.stack([row.reshape(3, 32, 32).transpose(1, 2, 0) for row in builders.cifar_pixels(batch)])


@pytest.mark.parametrize("protocol", [0, 2, pickle.HIGHEST_PROTOCOL])
def test_training_images_are_lossless_and_in_the_archives_order(protocol, tmp_path):
    source = cifar.cifar10(write(tmp_path, builders.cifar_files(protocol)), "train")
    images = list(source.images())
    assert source.classes == ["airplane", "bird"] and source.expected == len(images) == 15
    assert [p.key for p in images[:4]] == [*(f"data_batch_4/0000{i}" for i in range(3)), "data_batch_1/00000"]
    assert [p.label for p in images] == [0, 1, 0] * 5
    decoded = [decode(p.data) for p in images]
    np.testing.assert_array_equal(decoded, np.concatenate([planes(batch) for batch in (4, 1, 5, 3, 2)]))


def test_the_test_batch(tmp_path):
    source = cifar.cifar10(builders.extract(builders.cifar_files(), tmp_path) / FOLDER, part="test")
    np.testing.assert_array_equal([decode(p.data) for p in source.images()], planes(6))
    assert source.name == "cifar10-test" and source.expected == 3


def test_pickles_of_python_2():
    data = builders.python2(builders.cifar_pixels(9), [3, 0, 255])
    theirs = pickle.loads(data, encoding="bytes")  # checks the builder's own pickle
    np.testing.assert_array_equal(theirs[b"data"], builders.cifar_pixels(9))
    ours = unpickle(data, "batch")
    np.testing.assert_array_equal(ours["data"], theirs[b"data"])
    assert ours["labels"] == theirs[b"labels"] == [3, 0, 255]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_python_3(protocol, order):
    array = np.array(builders.cifar_pixels(9), order=order)
    np.testing.assert_array_equal(unpickle(pickle.dumps({"data": array}, protocol), "batch")["data"], array)


# Damage and malice ----------------------------------------------------------------------------------------------------


class Evil:
    """An object that runs a command when unpickled."""

    def __init__(self, *command):
        self.command = command

    def __reduce__(self):
        return self.command


@pytest.mark.parametrize(
    "evil", [Evil(print, ("caught",)), Evil(eval, ("print('caught')",)), Evil(np.fromstring, ("caught",))]
)
@pytest.mark.parametrize("protocol", [0, 2, pickle.HIGHEST_PROTOCOL])
def test_evil_pickles_run_nothing(evil, protocol, capsys):
    with pytest.raises(ZfnetError, match=r"here: not a pickle of CIFAR-10 \(it uses "):
        unpickle(pickle.dumps({"data": evil}, protocol), "here")
    assert capsys.readouterr().out == ""


def test_the_archive_refuses_an_evil_batch(tmp_path):
    files = builders.cifar_files() | {f"{FOLDER}/data_batch_1": pickle.dumps({"data": Evil(print, ("caught",))}, 2)}
    with pytest.raises(ZfnetError, match=r"data_batch_1: not a pickle of CIFAR-10 \(it uses __builtin__\.print\)"):
        list(cifar.cifar10(write(tmp_path, files)).images())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>",
        pickle.dumps([1, 2]),
        pickle.dumps({"data": np.zeros(3)}),
        pickle.dumps({"data": np.array([None, "x"])}),
        builders.python2(builders.cifar_pixels(1), [1])[:-100],
    ],
    ids=["empty", "web page", "list", "floats", "objects", "truncated"],
)
def test_a_file_that_is_not_a_batch_is_reported(data):
    with pytest.raises(ZfnetError, match=r"here: not a pickle of CIFAR-10 .* expected cifar-10-python\.tar\.gz"):
        unpickle(data, "here")


@pytest.mark.parametrize(
    "batch",
    [
        {"data": builders.cifar_pixels(1), "labels": [0, 1]},
        {"data": builders.cifar_pixels(1), "labels": [0, 1, 2]},
        {"data": builders.cifar_pixels(1), "labels": [0, 1, -1]},
        {"data": builders.cifar_pixels(1)[:, :99], "labels": [0, 1, 0]},
        {"labels": [0]},
    ],
    ids=["too few labels", "unknown class", "negative label", "too small", "no images"],
)
def test_batches_that_do_not_fit_are_reported(batch, tmp_path):
    files = builders.cifar_files() | {f"{FOLDER}/data_batch_3": pickle.dumps(batch, 2)}
    with pytest.raises(ZfnetError, match="data_batch_3: not a batch of 32 x 32 images with labels below 2"):
        list(cifar.cifar10(write(tmp_path, files)).images())


@pytest.mark.parametrize("name", ["batches.meta", "data_batch_5"])
def test_a_missing_file_is_reported(name, tmp_path):
    files = builders.cifar_files()
    del files[f"{FOLDER}/{name}"]
    with pytest.raises(ZfnetError, match=f"{FOLDER}/{name} is missing"):
        list(cifar.cifar10(write(tmp_path, files)).images())


@pytest.mark.real
def test_the_real_archive(real_data):
    for part, count in (("train", 5_000), ("test", 1_000)):
        source = cifar.cifar10(real_data / "cifar" / "cifar-10-python.tar.gz", part)
        labels = [p.label for p in source.images()]
        assert source.expected == len(labels) == count and {labels.count(k) for k in range(10)} == {count // 10}
        assert source.classes[:3] == ["airplane", "automobile", "bird"]
