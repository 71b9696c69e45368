"""One shard as a file: a plain POSIX tar that WebDataset reads, byte for byte reproducible.

The members of an image are adjacent: KEY.jpg (the image), KEY.cls (its label, ASCII), KEY.json (its annotation, if it
has one). All have the same owner, mode and time.
"""

import hashlib
import json
import mmap
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from zfnet.core.errors import ZfnetError
from zfnet.data.readers.limits import CLASSES
from zfnet.data.readers.names import readable

_BLOCK = 512
KEY = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
_LABEL = re.compile(rb"\s*-?\d{1,9}\s*")
_OCTAL = re.compile(rb"\s*([0-7]+)[ \0]*")  # a size: int() would take a sign as well


class ShardWriter:
    """Writer of members to an open file that counts and hashes its bytes."""

    def __init__(self, file: BinaryIO):
        self.bytes = 0
        self._file = file
        self._digest = hashlib.sha256()

    def add(self, key: str, jpeg: bytes, label: int, annotation: dict[str, Any] | None) -> None:
        """Write the members of one image."""
        if not KEY.fullmatch(key):
            raise ZfnetError(f"{key!r} cannot be the key of an image: expected letters, digits, '_', '-' and '/'.")
        self._member(f"{key}.jpg", jpeg)
        self._member(f"{key}.cls", str(label).encode())
        if annotation is not None:
            self._member(f"{key}.json", json.dumps(annotation, sort_keys=True).encode())

    def finish(self) -> str:
        """Write the end of the archive; return the SHA-256 of all bytes written."""
        self._write(bytes(2 * _BLOCK))
        return self._digest.hexdigest()

    def _member(self, name: str, content: bytes) -> None:
        header = tarfile.TarInfo(name)
        header.size = len(content)
        header.mode = 0o644
        self._write(header.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % _BLOCK))

    def _write(self, content: bytes) -> None:
        self._file.write(content)
        self._digest.update(content)
        self.bytes += len(content)


def walk_members(content: mmap.mmap, path: Path) -> Iterator[tuple[str, int, int]]:
    """Walk through the headers of a tar; yield name, content offset and content size of each regular file.

    Raises
    ------
    ZfnetError
        A header is not a POSIX tar header, or a member extends beyond the end of the file.
    """
    offset = 0
    while offset + _BLOCK <= len(content):
        header = content[offset : offset + _BLOCK]
        if not header[0]:  # the blank blocks at the end
            return
        name, size = _read_header(header, offset, path)
        offset += _BLOCK
        if offset + size > len(content):
            raise ZfnetError(
                f"{path}: {readable(name)} extends beyond the end of the file; prepare the data set again."
            )
        if header[156] in b"0\0":
            yield name, offset, size
        offset += -(-size // _BLOCK) * _BLOCK


def split_name(name: str, path: object) -> tuple[str, str]:
    """Return key and suffix of a member.

    Raises
    ------
    ZfnetError
        The key holds other characters than keys of shards do.
    """
    key, _, suffix = name.rpartition(".")
    if not KEY.fullmatch(key):
        raise ZfnetError(
            f"{path}: {readable(name)!r:.100} has no key of an image; expected letters, digits, '_', '-', '/'."
        )
    return key, suffix


def read_label(content: bytes, name: str, classes: int = 0) -> int:
    """Return the label in the .cls file of the image `name`.

    Parameters
    ----------
    classes : number of classes, 0 if unknown; a label is below it, and -1 where there is none

    Raises
    ------
    ZfnetError
        It is not a number, or too large.
    """
    largest = (classes or CLASSES) - 1
    if not _LABEL.fullmatch(content) or not -1 <= int(content) <= largest:
        raise ZfnetError(
            f"{name}.cls: {content[:20]!r} is not a label, expected an integer from -1 to {largest}; prepare the data"
            " set again."
        )
    return int(content)


def _read_header(header: bytes, offset: int, path: Path) -> tuple[str, int]:
    try:
        name = header[:100].rstrip(b"\0").decode()
        prefix = header[345:500].rstrip(b"\0").decode()
        octal = _OCTAL.fullmatch(header[124:136])
        size = int(octal[1] if octal else b"no number", 8)
    except ValueError:
        raise ZfnetError(f"{path}: no tar header at byte {offset}; prepare the data set again.") from None
    return f"{prefix}/{name}" if prefix else name, size
