"""Index of the images in the shards, built by one walk through the tar headers and cached next to the manifest.

The cached index is memory-mapped: it opens instantly whatever the number of images, and several jobs on one machine
share it.
"""

import mmap
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from zfnet.core.errors import ZfnetError
from zfnet.core.files import atomic, sha256, text_hash
from zfnet.data.shards.checksums import check_shards
from zfnet.data.shards.keys import Keys
from zfnet.data.shards.manifest import Manifest
from zfnet.data.shards.tar import read_label, split_name, walk_members

_FILE = "index.safetensors"
LABEL_BYTES = 20  # of a .cls file; more is no label


@dataclass(frozen=True)
class Index:
    """Positions of N images, in the order of the shards."""

    shards: np.ndarray  # int32 (N,), number of the shard
    images: np.ndarray  # int64 (N, 2), offset and size of the JPEG in its shard, bytes
    annotations: np.ndarray  # int64 (N, 2), offset and size of the annotation; size 0: none
    labels: np.ndarray  # int64 (N,)
    keys: Keys


def read_index(manifest: Manifest, folder: Path) -> Index:
    """Return the index of the shards of `manifest`: the cached one if it belongs to these shards, else a new one.

    Raises
    ------
    ZfnetError
        A shard is missing, or its size or number of images differs from the manifest; a label is not a number; or the
        statistics are missing or have changed.
    """
    _check_sizes(manifest, folder)
    _check_statistics(manifest, folder)
    check_shards(manifest, folder)
    stamp = text_hash(" ".join(shard.sha256 for shard in manifest.shards))
    index = _load(folder / _FILE, stamp)
    if index is None or not _fits(index, manifest):
        index = _walk(manifest, folder)
        _save(folder / _FILE, stamp, index)
    return index


def _check_sizes(manifest: Manifest, folder: Path) -> None:
    for shard in manifest.shards:
        path = folder / shard.file
        size = path.stat().st_size if path.is_file() else None
        if size != shard.bytes:
            state = "is missing" if size is None else f"has {size} bytes"
            raise ZfnetError(
                f"{path}: the shard {state}, the manifest says {shard.bytes} bytes; copy it again or prepare the data "
                f"set again (delete {folder / 'manifest.json'})."
            )


def _check_statistics(manifest: Manifest, folder: Path) -> None:
    """Check that the statistics belong to the shards; their file is small enough to be hashed each time."""
    path = folder / manifest.statistics
    if not path.is_file() or sha256(path) != manifest.statistics_sha256:
        raise ZfnetError(
            f"{path}: the file {'has changed' if path.exists() else 'is missing'} since the manifest was written; copy "
            f"it again or prepare the data set again (delete {folder / 'manifest.json'})."
        )


def _walk(manifest: Manifest, folder: Path) -> Index:
    rows, keys = [np.empty((0, 6), np.int64)], []  # keys: those of a whole shard in one string
    for number, shard in enumerate(manifest.shards):
        entries = _read_entries(folder / shard.file, len(manifest.classes))
        if len(entries) != shard.images:
            raise ZfnetError(
                f"{folder / shard.file}: {len(entries)} images, the manifest says {shard.images}; prepare the data set "
                f"again."
            )
        rows.append(np.array([(number, *entry) for entry in entries.values()], np.int64).reshape(-1, 6))
        keys += ["\n".join(entries)] if entries else []
    table = np.concatenate(rows)
    columns = table[:, 0].astype(np.int32), table[:, 1:3].copy(), table[:, 3:5].copy(), table[:, 5].copy()
    return Index(*columns, Keys.of(keys))


def _read_entries(path: Path, classes: int) -> dict[str, tuple[int, int, int, int, int]]:
    """Return (offset, size, annotation offset, annotation size, label) of each image of one shard, by key."""
    files: dict[str, dict[str, tuple[int, int]]] = {}
    if not path.stat().st_size:
        return {}  # an empty file cannot be mapped
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for name, offset, size in walk_members(content, path):
            key, suffix = split_name(name, path)
            files.setdefault(key, {})[suffix] = offset, size
        return {key: _entry(content, by_suffix, f"{path}: {key}", classes) for key, by_suffix in files.items()}


def _entry(
    content: mmap.mmap, by_suffix: dict[str, tuple[int, int]], name: str, classes: int
) -> tuple[int, int, int, int, int]:
    if not {"jpg", "cls"} <= by_suffix.keys():
        raise ZfnetError(f"{name}: expected a .jpg and a .cls, found {sorted(by_suffix)}; prepare the data set again.")
    offset, size = by_suffix["cls"]
    label = read_label(content[offset : offset + min(size, LABEL_BYTES)], name, classes)
    return *by_suffix["jpg"], *by_suffix.get("json", (0, 0)), label


def _save(path: Path, stamp: str, index: Index) -> None:
    arrays = {field.name: getattr(index, field.name) for field in fields(index) if field.name not in ("images", "keys")}
    arrays |= {"pictures": index.images, "keys": index.keys.text}  # `pictures` is the images' name on disk
    try:
        with atomic(path) as temporary:
            save_file(arrays, temporary, {"shards": stamp})
    except OSError:
        return  # the folder is not writable: walk again next time


def _fits(index: Index, manifest: Manifest) -> bool:
    """Return whether a cached index, which may be damaged, describes places within the shards."""
    count, sizes = manifest.images, np.array([shard.bytes for shard in manifest.shards], np.int64)
    shapes = {name: np.shape(getattr(index, name)) for name in ("shards", "images", "annotations", "labels")}
    if shapes != {"shards": (count,), "images": (count, 2), "annotations": (count, 2), "labels": (count,)}:
        return False
    if len(index.keys) != count or not count:
        return len(index.keys) == count
    inside = (index.shards >= 0).all() and (index.shards < len(sizes)).all()
    labels = (index.labels >= -1).all() and (index.labels < len(manifest.classes)).all()
    return bool(
        inside and labels and all(_within(places, sizes[index.shards]) for places in (index.images, index.annotations))
    )


def _within(places: np.ndarray, sizes: np.ndarray) -> bool:
    """Return whether offset and size of each place lie within its shard."""
    offset, size = places.T
    return bool((offset >= 0).all() and (size >= 0).all() and (offset <= sizes - size).all())


def _load(path: Path, stamp: str) -> Index | None:
    try:
        with safe_open(path, "pt") as file:  # torch maps the file, numpy would copy it
            if (file.metadata() or {}).get("shards") != stamp:
                return None
            arrays = {name: file.get_tensor(name).numpy() for name in file.keys()}  # noqa: SIM118 - not a dict
        return Index(images=arrays.pop("pictures"), keys=Keys(arrays.pop("keys")), **arrays)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None
