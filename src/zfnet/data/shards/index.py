"""Where each picture is in the shards, found by one walk through the tar headers and kept beside the manifest.

The kept index is mapped into memory, not read: it opens at once, however many pictures it has, and several jobs on one
machine share it.
"""

import mmap
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from zfnet.core.errors import ZfnetError
from zfnet.core.files import atomic, sha256, text_hash
from zfnet.data.shards.keys import Keys
from zfnet.data.shards.manifest import Manifest
from zfnet.data.shards.tar import members, read_label

_FILE = "index.safetensors"


@dataclass(frozen=True)
class Index:
    """Places of N pictures, in the order of the shards."""

    shards: np.ndarray  # int32 (N,), number of the shard
    pictures: np.ndarray  # int64 (N, 2), offset and size of the JPEG in its shard, bytes
    annotations: np.ndarray  # int64 (N, 2), of the annotation; size 0: none
    labels: np.ndarray  # int64 (N,)
    keys: Keys


def read_index(manifest: Manifest, folder: Path) -> Index:
    """The index of the shards of `manifest`: the kept one if it is of these shards, else a new one.

    Raises
    ------
    ZfnetError
        A shard is missing, has another size or holds another number of pictures than the manifest says; a label is no
        number; or the statistics are missing or others.
    """
    _check_sizes(manifest, folder)
    _check_statistics(manifest, folder)
    stamp = text_hash(" ".join(shard.sha256 for shard in manifest.shards))
    if (index := _load(folder / _FILE, stamp)) is None:
        index = _walk(manifest, folder)
        _save(folder / _FILE, stamp, index)
    return index


def _check_sizes(manifest: Manifest, folder: Path) -> None:
    for shard in manifest.shards:
        path = folder / shard.file
        found = path.stat().st_size if path.exists() else None
        if found != shard.bytes:
            state = "is missing" if found is None else f"has {found} bytes"
            raise ZfnetError(
                f"{path}: the shard {state}, the manifest says {shard.bytes} bytes; copy it again or prepare the data "
                f"set again (delete {folder / 'manifest.json'})."
            )


def _check_statistics(manifest: Manifest, folder: Path) -> None:
    """The mean image and the covariance are those of the shards: their file is small enough to be read each time."""
    path = folder / manifest.statistics
    if not path.exists() or sha256(path) != manifest.statistics_sha256:
        raise ZfnetError(
            f"{path}: the file {'has changed' if path.exists() else 'is missing'} since the manifest was written; copy "
            f"it again or prepare the data set again (delete {folder / 'manifest.json'})."
        )


def _walk(manifest: Manifest, folder: Path) -> Index:
    rows, keys = [np.empty((0, 6), np.int64)], []  # keys: of a whole shard in one string
    for number, shard in enumerate(manifest.shards):
        found = _pictures(folder / shard.file)
        if len(found) != shard.images:
            raise ZfnetError(
                f"{folder / shard.file}: {len(found)} pictures, the manifest says {shard.images}; prepare the data set "
                f"again."
            )
        rows.append(np.array([(number, *row) for row in found.values()], np.int64).reshape(-1, 6))
        keys += ["\n".join(found)] if found else []
    table = np.concatenate(rows)
    columns = table[:, 0].astype(np.int32), table[:, 1:3].copy(), table[:, 3:5].copy(), table[:, 5].copy()
    return Index(*columns, Keys.of(keys))


def _pictures(path: Path) -> dict[str, tuple[int, int, int, int, int]]:
    """(offset, size, annotation offset, annotation size, label) of each picture of one shard, by its key."""
    found: dict[str, dict[str, tuple[int, int]]] = {}
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for name, offset, size in members(content, path):
            key, _, suffix = name.rpartition(".")
            found.setdefault(key, {})[suffix] = offset, size
        return {key: _row(content, parts, f"{path}: {key}") for key, parts in found.items()}


def _row(content: mmap.mmap, parts: dict[str, tuple[int, int]], name: str) -> tuple[int, int, int, int, int]:
    if not {"jpg", "cls"} <= parts.keys():
        raise ZfnetError(f"{name}: expected a .jpg and a .cls, found {sorted(parts)}; prepare the data set again.")
    offset, size = parts["cls"]
    label = read_label(content[offset : offset + size], name)
    return *parts["jpg"], *parts.get("json", (0, 0)), label


def _save(path: Path, stamp: str, index: Index) -> None:
    arrays = {field.name: getattr(index, field.name) for field in fields(index) if field.name != "keys"}
    arrays["keys"] = index.keys.text
    try:
        with atomic(path) as beside:
            save_file(arrays, beside, {"shards": stamp})
    except OSError:
        return  # a folder that cannot be written to: walk again next time


def _load(path: Path, stamp: str) -> Index | None:
    try:
        with safe_open(path, "pt") as file:  # torch maps the file, numpy would copy it
            if (file.metadata() or {}).get("shards") != stamp:
                return None
            arrays = {name: file.get_tensor(name).numpy() for name in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, SafetensorError):
        return None
    return Index(keys=Keys(arrays.pop("keys")), **arrays)
