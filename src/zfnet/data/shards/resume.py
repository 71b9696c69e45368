"""What a killed preparation leaves to the next: finished shards, each with a part file of its sums.

A part belongs to one stamp. It is taken over where the same source is prepared by the same settings and libraries, and
ignored anywhere else, so that a continued run ends with the same bytes as one that was never stopped.
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
from zfnet.data.readers.images import Source
from zfnet.data.shards.channel_stats import ChannelStats
from zfnet.data.shards.manifest import Damaged, Shard, listing
from zfnet.settings import Data

UNFINISHED = ".unfinished"  # the folder of the part files, beside the shards


@dataclass
class Part:
    """A finished shard with all that the manifest needs of it."""

    shard: Shard
    damaged: list[Damaged]
    sums: ChannelStats


def make_stamp(source: Source, settings: Data, square: bool) -> str:
    """Hash of all that a shard depends on, as far as can be known without reading the archives."""
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


def save_part(path: Path, stamp: str, part: Part) -> None:
    """Write a part file; its shard must be in place."""
    damaged = [entry.model_dump() for entry in part.damaged]
    about = {"stamp": stamp, "shard": part.shard.model_dump_json(), "damaged": json.dumps(damaged)}
    with atomic(path) as beside:
        save_file(part.sums.tensors(), beside, about)


def load_part(path: Path, stamp: str, shard: Path) -> Part | None:
    """The part, if it is of this stamp and its shard is there."""
    try:
        with safe_open(path, "np") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, SafetensorError):
        return None
    described = Shard.model_validate_json(about["shard"]) if about.get("stamp") == stamp else None
    if described is None or not shard.exists() or shard.stat().st_size != described.bytes:
        return None
    sums = ChannelStats(tensors["pixels"].shape[0])
    sums.merge(tensors)
    return Part(described, [Damaged(**entry) for entry in json.loads(about["damaged"])], sums)
