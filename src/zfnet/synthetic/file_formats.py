"""Byte-reproducible writers of the official file formats: tar, tar.gz, meta.mat, VOC's XML, CIFAR's pickles."""

import gzip
import io
import struct
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from zfnet.core.files import atomic
from zfnet.synthetic.composition import Thing

DAY = 1339891200  # 17 June 2012, the modification time of every member


class Tar:
    """Writer of a tar archive; parent folders get their own members, before the first file in them."""

    def __init__(self, file: io.IOBase | gzip.GzipFile) -> None:
        self._tar = tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115 - closed in close
        self._folders: set[str] = set()

    def add(self, name: str, data: bytes) -> None:
        """Add one file."""
        self._add_folders(name)
        member = tarfile.TarInfo(name)
        member.size, member.mtime, member.mode = len(data), DAY, 0o644
        self._tar.addfile(member, io.BytesIO(data))

    def _add_folders(self, name: str) -> None:
        for folder in [str(parent) for parent in reversed(Path(name).parents)][1:]:
            if folder not in self._folders:
                self._folders.add(folder)
                member = tarfile.TarInfo(folder)
                member.type, member.mtime, member.mode = tarfile.DIRTYPE, DAY, 0o755
                self._tar.addfile(member)

    def close(self) -> None:
        """Write the end of the archive."""
        self._tar.close()


@contextmanager
def tar(path: Path) -> Iterator[Tar]:
    """Write a tar file atomically, gzipped if it is called *.gz."""
    with atomic(path) as temporary, temporary.open("wb") as file:
        packed = gzip.GzipFile("", "wb", 1, file, mtime=0) if path.suffix == ".gz" else None
        archive = Tar(packed or file)
        yield archive
        archive.close()
        if packed:
            packed.close()


def tar_bytes(members: list[tuple[str, bytes]]) -> bytes:
    """Return a tar archive as bytes."""
    buffer = io.BytesIO()
    archive = Tar(buffer)
    for name, data in members:
        archive.add(name, data)
    archive.close()
    return buffer.getvalue()


SYNSET = ("ILSVRC2012_ID", "WNID", "words", "gloss", "num_children", "children", "wordnet_height", "num_train_images")


def meta_mat(synsets: list[dict[str, Any]]) -> bytes:
    """Return ILSVRC's table of synsets as a MATLAB 5 file: struct array `synsets` (n, 1) with the fields SYNSET."""
    from scipy.io import savemat

    table = np.empty((len(synsets), 1), dtype=[(field, object) for field in SYNSET])
    for row, synset in enumerate(synsets):
        for field in SYNSET:
            table[field][row, 0] = _cell(synset[field])
    buffer = io.BytesIO()
    savemat(buffer, {"synsets": table})
    # SciPy writes the current time into the header, so it is replaced.
    return b"MATLAB 5.0 MAT-file, generated world".ljust(116) + buffer.getvalue()[116:]


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return np.array([value], dtype=np.uint16) if value else np.empty((0, 0))
    return np.array([[value]], dtype=np.uint16) if isinstance(value, int) else value


def annotation(name: str, size: tuple[int, int], objects: list[tuple[Thing, bool, bool]]) -> str:
    """Return VOC's XML for one image. Objects are (thing, truncated, difficult); VOC counts pixels from 1."""
    width, height = size
    body = "".join(_object(thing, truncated, difficult) for thing, truncated, difficult in objects)
    return (
        f"<annotation>\n\t<folder>VOC2012</folder>\n\t<filename>{name}.jpg</filename>\n"
        "\t<source>\n\t\t<database>The VOC2012 Database</database>\n\t\t<annotation>PASCAL VOC2012</annotation>\n"
        "\t\t<image>generated</image>\n\t</source>\n"
        f"\t<size>\n\t\t<width>{width}</width>\n\t\t<height>{height}</height>\n\t\t<depth>3</depth>\n\t</size>\n"
        f"\t<segmented>0</segmented>\n{body}</annotation>\n"
    )


def _object(thing: Thing, truncated: bool, difficult: bool) -> str:
    left, top, right, bottom = thing.box
    return (
        f"\t<object>\n\t\t<name>{thing.name}</name>\n\t\t<pose>Unspecified</pose>\n"
        f"\t\t<truncated>{truncated:d}</truncated>\n\t\t<difficult>{difficult:d}</difficult>\n"
        f"\t\t<bndbox>\n\t\t\t<xmin>{left + 1}</xmin>\n\t\t\t<ymin>{top + 1}</ymin>\n"
        f"\t\t\t<xmax>{right}</xmax>\n\t\t\t<ymax>{bottom}</ymax>\n\t\t</bndbox>\n\t</object>\n"
    )


def cifar_batch(title: str, labels: list[int], data: list[bytes], names: list[str]) -> bytes:
    """Return a batch file of CIFAR-10: Python 2's pickle of a dict with a uint8 array (n, 3072)."""
    pixels = b"".join(data)
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + _integer(0) + b"\x85" + _string(b"b") + b"\x87R"
        b"(" + _integer(1) + _integer(len(data)) + _integer(3072) + b"\x86"
        b"cnumpy\ndtype\n" + _string(b"u1") + _integer(0) + _integer(1) + b"\x87R"
        b"(" + _integer(3) + _string(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff" + _integer(0) + b"tb"
        b"\x89T" + struct.pack("<i", len(pixels)) + pixels + b"tb"
    )
    return _pickled_dict(
        {
            b"batch_label": _string(title.encode()),
            b"labels": _list([_integer(label) for label in labels]),
            b"data": array,
            b"filenames": _list([_string(name.encode()) for name in names]),
        }
    )


def cifar_meta(names: list[str], batch: int) -> bytes:
    """Return the batches.meta of CIFAR-10."""
    return _pickled_dict(
        {
            b"num_cases_per_batch": _integer(batch),
            b"label_names": _list([_string(name.encode()) for name in names]),
            b"num_vis": _integer(3072),
        }
    )


# Opcodes of pickle protocol 2, written by hand: Python 3 cannot write a Python 2 str.
def _pickled_dict(items: dict[bytes, bytes]) -> bytes:
    return b"\x80\x02}(" + b"".join(_string(key) + value for key, value in items.items()) + b"u."


def _list(items: list[bytes]) -> bytes:
    return b"](" + b"".join(items) + b"e"


def _string(text: bytes) -> bytes:
    return b"U" + bytes([len(text)]) + text


def _integer(value: int) -> bytes:
    return (
        b"K" + bytes([value])
        if value < 256
        else b"M" + struct.pack("<H", value)
        if value < 65536
        else b"J" + struct.pack("<i", value)
    )
