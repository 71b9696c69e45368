"""The manifest of a prepared data set: what the shards hold and what they were made from.

It is the only file of a data set that later steps depend on. It records no time and no version, so that preparing the
same shards again gives the same text and does not restart any training.
"""

import hashlib
import threading
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zfnet.core.errors import ZfnetError
from zfnet.core.files import canonical_json, read_json, text_hash
from zfnet.data.readers import limits
from zfnet.data.readers.folder_members import listing
from zfnet.data.readers.skipped import Omitted

_CHUNK = 1 << 22
_ORIGIN = {"source", "settings", "damaged", "skipped", "renamed", "words"}  # fields that do not describe the shards


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Shard(_Entry):
    """One tar file in the folder of the manifest."""

    file: str = Field(pattern=r"^[\w-]+\.tar$")  # a file name, never a path out of the folder
    images: int = Field(ge=0, le=limits.SHARD_IMAGES)
    bytes: int = Field(ge=0, le=limits.SHARD)
    sha256: str


class Archive(_Entry):
    """An official archive; for an extracted folder, `sha256` is that of its listing (names and sizes)."""

    path: str
    bytes: int
    sha256: str


class Damaged(_Entry):
    """An image that could not be decoded and is not in the shards."""

    key: str
    source: str
    reason: str


class Manifest(_Entry):
    """Description of a prepared data set.

    `classes[i]` is the id of label i and `words` maps it to a readable name; `size` is S; `square` tells whether the
    shards hold centre squares or uncut images with shorter side S; `settings` are those of the preparation. `skipped`
    are the files that are no images of the data set, by reason.
    """

    name: str
    images: int = Field(ge=0)
    classes: list[str] = Field(max_length=limits.CLASSES)
    words: dict[str, str]
    size: int = Field(ge=1, le=limits.MAX_SIDE)
    square: bool
    quality: int
    shards: list[Shard]
    source: list[Archive]
    settings: dict[str, Any]
    damaged: list[Damaged]
    skipped: list[Omitted] = []
    renamed: dict[str, str] = {}  # key -> place of an image whose name is too long for a key
    statistics: str = Field(pattern=r"^[\w-]+\.safetensors$")
    statistics_sha256: str

    @classmethod
    def load(cls, path: str | Path) -> "Manifest":
        """Read a manifest.json.

        Raises
        ------
        ZfnetError
            The file is missing, is not JSON or is not a manifest.
        """
        content = read_json(path)
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the top level"
            raise ZfnetError(
                f"{path}: not a manifest of shards ({error.error_count()} mistakes, the first at {place}: "
                f"{first['msg']}); delete it and prepare the data set again (snakemake {path})."
            ) from None

    @property
    def hash(self) -> str:
        """Return the SHA-256 of what the shards hold: images, labels, classes, statistics, but not their origin."""
        return text_hash(
            canonical_json(self.model_dump(exclude={"source", "settings", "damaged", "skipped", "renamed", "words"}))
        )


def describe_archive(path: Path, stop: threading.Event | None = None) -> Archive:
    """Return size and checksum of an archive or an extracted folder; stop early once `stop` is set."""
    if path.is_dir():
        size, listing_hash = listing(path)
        return Archive(path=str(path), bytes=size, sha256=listing_hash)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while (chunk := file.read(_CHUNK)) and not (stop and stop.is_set()):
            digest.update(chunk)
    return Archive(path=str(path), bytes=path.stat().st_size, sha256=digest.hexdigest())
