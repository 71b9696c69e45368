"""The kinds of input that are fuzzed: valid examples, and how the product reads one.

To add a kind, write a function that reads a file at a path and decorate it:

    @kind("my format", lambda: [valid_bytes, other_valid_bytes], name="file.ext")
    def read_mine(path): ...

It may raise ZfnetError, and nothing else. `tests/hostile/fuzz.py` does the rest.
"""

import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from tests.data import builders
from zfnet.core.files import read_json, sha256
from zfnet.core.yaml_file import read_yaml
from zfnet.data.loader import Shards
from zfnet.data.readers import caltech, cifar, imagenet, voc
from zfnet.data.readers.devkit import read_devkit
from zfnet.data.readers.images import DamagedImage, EncodedImage, Source, decode
from zfnet.data.readers.keypoints import read_marks
from zfnet.data.shards.writer import write_shards
from zfnet.data.stream import RemoteShards
from zfnet.settings import Data


@dataclass(frozen=True)
class Kind:
    """A kind of input. examples : valid contents; read : reads a file, raising ZfnetError only; name : of the file."""

    examples: Callable[[], list[bytes]]
    read: Callable[[Path], object]
    name: str
    pack: Callable[[bytes], bytes] = bytes  # applied after the damage: a compressed file would hide it from the reader


KINDS: dict[str, Kind] = {}


def kind(title: str, examples: Callable[[], list[bytes]], name: str, pack: Callable[[bytes], bytes] = bytes):
    """Register a function that reads a file as the kind `title`."""

    def register(read: Callable[[Path], object]) -> Callable[[Path], object]:
        KINDS[title] = Kind(examples, read, name, pack)
        return read

    return register


def squeeze(content: bytes) -> bytes:
    return gzip.compress(content, 1, mtime=0)


def load_all(source: Source) -> None:
    for image in source.images():
        read_image(image.data)


def read_image(data: bytes) -> None:
    try:
        decode(data)
    except DamagedImage:
        return


# Archives


@kind("caltech tar", lambda: [builders.tar(builders.caltech256_files())], "256_ObjectCategories.tar")
def read_caltech256(path: Path) -> None:
    load_all(caltech.caltech256(path))


@kind("caltech tar.gz", lambda: [builders.packed(builders.caltech101_files())], "101_ObjectCategories.tar.gz")
@kind("caltech tar in gz", lambda: [builders.tar(builders.caltech101_files())], "101.tar.gz", squeeze)
@kind(
    "caltech zip",
    lambda: [
        builders.zipped(builders.caltech101_files()),
        builders.zipped({"101_ObjectCategories.tar.gz": builders.packed(builders.caltech101_files())}),
    ],
    "caltech-101.zip",
)
def read_caltech101(path: Path) -> None:
    load_all(caltech.caltech101(path))


@kind("voc tar", lambda: [builders.tar(builders.voc_files())], "VOCtrainval_11-May-2012.tar")
def read_voc(path: Path) -> None:
    load_all(voc.voc2012(path))


@kind("imagenet tar", lambda: [builders.train_tar()], "ILSVRC2012_img_train.tar")
def read_train(path: Path) -> None:
    load_all(imagenet.train(path, None))


# Files in archives


@kind("voc annotation", lambda: [b for n, b in builders.voc_files().items() if n.endswith(".xml")], "a.xml")
def read_annotation(path: Path) -> None:
    voc.read_objects(path.read_bytes(), "a.xml")


def kit_with(meta: bytes) -> bytes:
    files = builders.devkit_files()
    return builders.packed({name: meta if name.endswith(".mat") else content for name, content in files.items()})


@kind("meta.mat", lambda: [b for n, b in builders.devkit_files().items() if n.endswith(".mat")], "kit.tar.gz", kit_with)
def read_kit(path: Path) -> None:
    read_devkit(path)


def batch_with(batch: bytes) -> bytes:
    return builders.packed(builders.cifar_files() | {"cifar-10-batches-py/data_batch_1": batch})


def batches() -> list[bytes]:
    names = [builders.cifar_files(protocol)["cifar-10-batches-py/data_batch_1"] for protocol in (0, 2, 5)]
    return [*names, builders.python2(builders.cifar_pixels(1), [0, 1, 0])]


@kind("cifar batch", batches, "cifar-10-python.tar.gz", batch_with)
@kind(
    "cifar meta",
    lambda: [builders.cifar_files(protocol)["cifar-10-batches-py/batches.meta"] for protocol in (0, 2, 5)],
    "cifar-10-python.tar.gz",
    lambda meta: builders.packed(builders.cifar_files() | {"cifar-10-batches-py/batches.meta": meta}),
)
def read_cifar(path: Path) -> None:
    load_all(cifar.cifar10(path))


def pictures() -> list[bytes]:
    forms = [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("GIF", {}), ("BMP", {})]
    found = [builders.image(form=form, size=(40, 30), **options) for form, options in forms]
    grey = io.BytesIO()
    Image.fromarray(np.arange(900, dtype=np.uint16).reshape(30, 30)).save(grey, "PNG")
    return [*found, builders.image(mode="CMYK"), grey.getvalue(), builders.noise()]


@kind("image", pictures, "a.jpg")
def read_picture(path: Path) -> None:
    read_image(path.read_bytes())


# Tables and settings


@kind("json", lambda: [json.dumps(builders.keypoints({"a.jpg": [("nose", 1.0, 2.0, 2)]})).encode()], "a.json")
def read_any_json(path: Path) -> None:
    read_json(path)


@kind("key points", lambda: [json.dumps(builders.keypoints({"a.jpg": [("nose", 1.0, 2.0, 2)]})).encode()], "k.json")
def read_keypoints(path: Path) -> None:
    read_marks(path)


SETTINGS = (
    b"preset: demo\nnets: {crop: 64}\ntraining: &t\n  seeds: 3\n  zf: {epochs: !!int 2}\nother: *t\nday: 2001-01-01\n"
)


@kind("yaml", lambda: [SETTINGS], "config.yaml")
def read_settings(path: Path) -> None:
    read_yaml(path)


# Shards


@cache
def prepared() -> dict[str, bytes]:
    """The files of a small prepared data set, by name."""
    encoded = [EncodedImage(f"c/{n}", n % 2, builders.noise(n), "here", {"objects": []}) for n in range(4)]
    with TemporaryDirectory() as folder:
        source = Source("set", ["a", "b"], {}, [], lambda: iter(encoded))
        write_shards(source, Data(image_size=32), Path(folder) / "manifest.json", False, 1)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.is_file()}


def beside(path: Path, name: str) -> Path:
    """Put the other files of the data set beside the damaged one; return the manifest."""
    for other, content in prepared().items():
        if other not in (name, "checked.json"):
            (path.parent / other).write_bytes(content)
    return path.parent / "manifest.json"


def example(name: str) -> Callable[[], list[bytes]]:
    return lambda: [prepared()[name]]


def use(shards: Shards) -> None:
    list(shards.batches(range(len(shards)), 3, 1))
    for index in range(len(shards)):
        shards.annotation(index)
        str(shards.keys[index])
    shards.mean, shards.covariance  # noqa: B018 - read on access


@kind("manifest", example("manifest.json"), "manifest.json")
def read_manifest(path: Path) -> None:
    use(Shards(beside(path, "manifest.json")))


@kind("index", example("index.safetensors"), "index.safetensors")
def read_index_file(path: Path) -> None:
    use(Shards(beside(path, "index.safetensors")))


@kind("shard", example("set-000000.tar"), "set-000000.tar")
def read_shard(path: Path) -> None:
    """As made by others: the manifest has the shard's own size and checksum."""
    manifest = json.loads(prepared()["manifest.json"])
    manifest["shards"][0] |= {"bytes": path.stat().st_size, "sha256": sha256(path)}
    target = beside(path, "set-000000.tar")
    (path.parent / "index.safetensors").unlink(missing_ok=True)
    target.write_text(json.dumps(manifest))
    use(Shards(target))


@kind("streamed shard", example("set-000000.tar"), "remote.tar")
def read_stream(path: Path) -> None:
    list(RemoteShards(str(path), 32).batches(3, 1))
