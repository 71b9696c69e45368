"""Resuming an interrupted preparation: every finished shard has a record file with its sums.

A record carries a stamp of source, settings and library versions. It is reused under the same stamp and ignored
otherwise, so that a resumed run ends with the same bytes as an uninterrupted one.
"""

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from zfnet.core.errors import ZfnetError
from zfnet.core.files import atomic, canonical_json, text_hash
from zfnet.core.parsing import parse_json
from zfnet.data.readers.folder_members import listing
from zfnet.data.readers.images import Source
from zfnet.data.shards.channel_stats import ChannelStats
from zfnet.data.shards.manifest import Damaged, Shard
from zfnet.settings import Data

UNFINISHED = ".unfinished"  # folder of the record files, next to the shards


@dataclass
class FinishedShard:
    """A finished shard with everything the manifest needs to know about it."""

    shard: Shard
    damaged: list[Damaged]
    stats: ChannelStats


def make_stamp(source: Source, settings: Data, square: bool) -> str:
    """Return a hash of everything a shard depends on that is known without reading the archives."""
    content = {
        "name": source.name,
        "classes": source.classes,
        "archives": [_state(path) for path in source.archives],
        "settings": settings.model_dump(mode="json", exclude={"max_bad_fraction"}),
        "square": square,
        "versions": {name: version(name) for name in ("zfnet", "torch", "simplejpeg", "pillow")},
    }
    return text_hash(canonical_json(content))


def _state(path: Path) -> tuple[Any, ...]:
    if path.is_dir():
        return (path.name, *listing(path))
    try:
        return path.name, path.stat().st_size, path.stat().st_mtime_ns
    except OSError as error:
        raise ZfnetError(
            f"{path}: the archive cannot be read ({error.strerror}); check archives in config.yaml."
        ) from None


def save_record(path: Path, stamp: str, finished: FinishedShard) -> None:
    """Write the record of a finished shard, whose file must be in place."""
    damaged = [entry.model_dump() for entry in finished.damaged]
    header = {"stamp": stamp, "shard": finished.shard.model_dump_json(), "damaged": json.dumps(damaged)}
    with atomic(path) as temporary:
        save_file(finished.stats.tensors(), temporary, header)


def load_record(path: Path, stamp: str, shard: Path) -> FinishedShard | None:
    """Return the recorded shard, or None if the record is missing, has another stamp, or its shard is not there."""
    try:
        with safe_open(path, "np") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        described = Shard.model_validate_json(header["shard"]) if header.get("stamp") == stamp else None
        if described is None or shard.stat().st_size != described.bytes:
            return None
        stats = ChannelStats(tensors["pixels"].shape[0])
        stats.merge(tensors)
        return FinishedShard(described, [Damaged(**entry) for entry in parse_json(header["damaged"])], stats)
    except (OSError, SafetensorError, LookupError, TypeError, ValueError):  # damaged: make the shard again
        return None
