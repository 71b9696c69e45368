"""SHA-256 of the shards, compared with the manifest once: on first use, and again after a file's size or time changed.

The result is kept next to the manifest, in `checked.json`: the shards' sizes, times and expected checksums. The writer
of the shards leaves it behind, so only copies are read in full. ZFNET_CHECK_SHARDS=0 skips the comparison, for storage
that is trusted and slow; sizes are compared always.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from zfnet.core.errors import ZfnetError
from zfnet.core.files import read_json, sha256, write_json
from zfnet.core.progress_bar import track
from zfnet.core.threads import cores
from zfnet.data.shards.manifest import Manifest, Shard

RECORD = "checked.json"
SKIP = "ZFNET_CHECK_SHARDS"


def check_shards(manifest: Manifest, folder: Path) -> None:
    """Compare the shards with their checksums, unless that was done for these files already.

    Raises
    ------
    ZfnetError
        A shard differs from what was written.
    """
    if os.environ.get(SKIP) == "0":
        return
    known = _known(folder)
    new = [shard for shard in manifest.shards if known.get(shard.file) != _state(shard, folder)]
    if not new:
        return
    with ThreadPoolExecutor(cores()) as pool:
        found = pool.map(lambda shard: sha256(folder / shard.file), new)
        for shard, digest in zip(new, track(found, f"checksums of {manifest.name}", len(new)), strict=True):
            _compare(shard, digest, folder)
    record(manifest, folder)


def record(manifest: Manifest, folder: Path) -> None:
    """Note that the shards are as the manifest says."""
    with suppress(OSError):  # the folder is not writable: compare again next time
        write_json(folder / RECORD, {shard.file: _state(shard, folder) for shard in manifest.shards})


def _known(folder: Path) -> dict[str, Any]:
    try:
        known = read_json(folder / RECORD)
    except (ZfnetError, OSError):
        return {}
    return known if isinstance(known, dict) else {}


def _state(shard: Shard, folder: Path) -> list[Any]:
    state = (folder / shard.file).stat()
    return [state.st_size, state.st_mtime_ns, shard.sha256]


def _compare(shard: Shard, digest: str, folder: Path) -> None:
    if digest != shard.sha256:
        raise ZfnetError(
            f"{folder / shard.file}: the shard has changed since it was written (its SHA-256 begins with {digest[:8]},"
            f" the manifest says {shard.sha256[:8]}); copy it again or prepare the data set again (delete"
            f" {folder / 'manifest.json'})."
        )
