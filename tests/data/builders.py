"""Tiny archives in the official formats, built in memory from dicts of name -> bytes."""

import gzip
import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

RED = (200, 40, 90)


def image(colour=RED, size=(12, 8), mode="RGB", form="JPEG", **options) -> bytes:
    """One image of one colour, encoded by PIL. size : (width, height)."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).convert(mode).save(file, form, **options)
    return file.getvalue()


def noise(seed=0, size=(53, 37), **options) -> bytes:
    """A JPEG in which every pixel matters."""
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "JPEG", **options)
    return file.getvalue()


def tar(files: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    """A tar; a TarInfo in place of bytes becomes a member without data (folder, link, device)."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name) if isinstance(content, bytes) else content
            info.name, info.size = name, len(content) if isinstance(content, bytes) else 0
            archive.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return file.getvalue()


def packed(files: dict[str, bytes]) -> bytes:
    """A tar.gz."""
    return gzip.compress(tar(files), 1, mtime=0)


def zipped(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def special(kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo("x")
    info.type, info.linkname = kind, target
    return info


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def extract(files: dict[str, bytes], folder: Path) -> Path:
    for name, data in files.items():
        put(folder / name, data)
    return folder


# ImageNet -------------------------------------------------------------------------------------------------------------

# The kit's numbers follow neither the order of the WordNet ids nor that of the training archive.
WNIDS = {3: "n00000001", 1: "n00000002", 2: "n00000003"}
TRUTH = (2, 1, 3, 3, 1, 2)


def train_files(images: int = 4) -> dict[str, dict[str, bytes]]:
    """Class -> name -> image; every image differs from every other."""
    return {
        wnid: {f"{wnid}_{i}.JPEG": image((60 * number, 40 * i, 9)) for i in range(images)}
        for number, wnid in WNIDS.items()
    }


def train_tar(images: int = 4) -> bytes:
    return tar({f"{wnid}.tar": tar(files) for wnid, files in train_files(images).items()})


def val_files() -> dict[str, bytes]:
    return {f"ILSVRC2012_val_{i:08d}.JPEG": image((60 * number, 0, 0)) for i, number in enumerate(TRUTH, 1)}


def test_files() -> dict[str, bytes]:
    """A folder in the archive, as in the challenge's test set."""
    return {f"test/ILSVRC2012_test_{number:08d}.JPEG": image() for number in (1, 2)}


test_files.__test__ = False  # not a test


def devkit_files(truth=TRUTH, images: int = 4) -> dict[str, bytes]:
    from scipy.io import savemat

    names = [
        "ILSVRC2012_ID",
        "WNID",
        "words",
        "gloss",
        "num_children",
        "children",
        "wordnet_height",
        "num_train_images",
    ]
    synsets = np.zeros((len(WNIDS) + 1, 1), dtype=[(name, object) for name in names])
    for row, (number, wnid) in enumerate(sorted(WNIDS.items())):
        synsets[row, 0] = (number, wnid, f"thing {number}, other name", "", 0, [], 0, images)
    synsets[-1, 0] = (4, "n00000004", "all things", "", 3, [1, 2, 3], 1, 0)
    file = io.BytesIO()
    savemat(file, {"synsets": synsets})
    folder = "ILSVRC2012_devkit_t12/data"
    lines = "".join(f"{number}\n" for number in truth).encode()
    return {f"{folder}/meta.mat": file.getvalue(), f"{folder}/ILSVRC2012_validation_ground_truth.txt": lines}


def kaggle_files() -> dict[str, bytes]:
    """Kaggle's whole folder: images and its two tables."""
    place = "ILSVRC/Data/CLS-LOC"
    train = {f"{place}/train/{w}/{name}": data for w, files in train_files().items() for name, data in files.items()}
    val = {f"{place}/val/{name}": data for name, data in val_files().items()}
    rows = [f"ILSVRC2012_val_{i:08d},{WNIDS[number]} 1 2 3 4 " for i, number in enumerate(TRUTH, 1)]
    words = [f"{wnid} thing {number}, other name" for number, wnid in WNIDS.items()]
    tables = {
        "LOC_val_solution.csv": "\n".join(["ImageId,PredictionString", *rows]).encode(),
        "LOC_synset_mapping.txt": "\n".join(words).encode(),
    }
    return train | val | tables


# Others ---------------------------------------------------------------------------------------------------------------


def caltech101_files() -> dict[str, bytes]:
    """With the stray file of the official archive, and one that macOS writes."""
    root = "101_ObjectCategories"
    return {
        f"{root}/BACKGROUND_Google/image_0001.jpg": image(),
        f"{root}/BACKGROUND_Google/tmp": b"stray",
        f"{root}/accordion/image_0001.jpg": image(),
        f"{root}/accordion/._image_0001.jpg": b"stray",
        f"{root}/Faces_easy/image_0002.jpg": image(mode="L"),
    }


def caltech256_files() -> dict[str, bytes]:
    """With the strays of the official archive: a file, a nested folder."""
    root = "256_ObjectCategories"
    return {
        f"{root}/257.clutter/257_0001.jpg": image(),
        f"{root}/198.spider/198_0001.jpg": image(),
        f"{root}/198.spider/RENAME2": b"stray",
        f"{root}/056.dog/056_0001.jpg": image(),
        f"{root}/056.dog/greg/vision309/056_0002.jpg": image(),
    }


OBJECT = """<object><bndbox><ymax>{3}</ymax><xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax></bndbox>{4}
<difficult>1</difficult><name>{5}</name></object>"""
HEAD = "<part><name>head</name><bndbox><xmin>9</xmin><ymin>9</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></part>"


def annotation(*objects: str) -> bytes:
    return f"<annotation><filename>a.jpg</filename>{''.join(objects)}</annotation>".encode()


def voc_files() -> dict[str, bytes]:
    """Images before annotations, a part with its own box, a fraction, and an image outside both sets."""
    root = "VOCdevkit/VOC2012"
    person = OBJECT.format(1, 2, "10.5", 4, HEAD, "person")
    return {
        f"{root}/JPEGImages/2007_000001.jpg": image(),
        f"{root}/JPEGImages/2007_000002.jpg": image(),
        f"{root}/JPEGImages/2007_000003.jpg": image(),
        f"{root}/Annotations/2007_000001.xml": annotation(person, OBJECT.format(1, 1, 2, 2, "", "cat")),
        f"{root}/Annotations/2007_000002.xml": annotation(),
        f"{root}/Annotations/2007_000003.xml": annotation(),
        f"{root}/ImageSets/Main/train.txt": b"2007_000002\n",
        f"{root}/ImageSets/Main/val.txt": b"2007_000001\n",
        f"{root}/ImageSets/Main/cat_val.txt": b"2007_000001  1\n",
        f"{root}/ImageSets/Segmentation/train.txt": b"2007_000003\n",
    }


def voc_test_files() -> dict[str, bytes]:
    """Images and their list, and an image for another task only; no annotations."""
    root = "VOCdevkit/VOC2012"
    return {
        f"{root}/JPEGImages/2008_000006.jpg": image(),
        f"{root}/JPEGImages/2008_000011.jpg": image(),
        f"{root}/JPEGImages/2008_000099.jpg": image(),
        f"{root}/ImageSets/Main/test.txt": b"2008_000006\n2008_000011\n",
        f"{root}/ImageSets/Layout/test.txt": b"2008_000099\n",
    }


def cifar_pixels(batch: int, images: int = 3) -> np.ndarray:
    """uint8 (images, 3072), rows of red, green and blue planes."""
    return np.random.default_rng(batch).integers(0, 256, (images, 3072), dtype=np.uint8)


def cifar_files(protocol: int = 2) -> dict[str, bytes]:
    """Files as numpy pickles them under Python 3; `python2` builds a batch as Python 2 did."""
    batches = {f"data_batch_{number}": number for number in (4, 1, 5, 3, 2)} | {"test_batch": 6}
    files = {
        f"cifar-10-batches-py/{name}": pickle.dumps(
            {"data": cifar_pixels(number), "labels": [0, 1, 0], "filenames": ["a", "b", "c"]}, protocol
        )
        for name, number in batches.items()
    }
    meta = {"label_names": ["airplane", "bird"], "num_cases_per_batch": 3, "num_vis": 3072}
    return files | {
        "cifar-10-batches-py/batches.meta": pickle.dumps(meta, protocol),
        "cifar-10-batches-py/readme.html": b"<html>",
    }


def python2(pixels: np.ndarray, labels: list[int]) -> bytes:
    """A batch in Python 2's pickle, protocol 2, in which every text is a byte string."""

    def text(value: bytes) -> bytes:
        return b"T" + len(value).to_bytes(4, "little") + value

    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R"
        b"(K\x01M" + len(pixels).to_bytes(2, "little") + b"M\x00\x0c\x86"
        b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R"
        b"(K\x03" + text(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89" + text(pixels.tobytes()) + b"tb"
    )
    numbers = b"]" + b"".join(b"K" + bytes([label]) + b"a" for label in labels)
    return b"\x80\x02}(" + text(b"data") + array + text(b"labels") + numbers + b"u."


def keypoints(points: dict[str, list[tuple[str, float, float, int]]]) -> dict:
    """COCO key points: file name -> (part, x, y, v) of one animal."""
    names = [name for name, *_ in next(iter(points.values()))]
    return {
        "images": [{"id": i, "file_name": name, "width": 12, "height": 8} for i, name in enumerate(points)],
        "annotations": [
            {
                "id": i,
                "image_id": i,
                "category_id": 7,
                "bbox": [1, 1, 5, 5],
                "keypoints": [v for p in rows for v in p[1:]],
            }
            for i, rows in enumerate(points.values())
        ],
        "categories": [{"id": 7, "name": "dog", "keypoints": names}],
    }
