"""The members of a shard that is read as a stream, from a server or a command.

Shards of others are untrusted. So this reads plain tars (POSIX, with GNU's and PAX's long names, as WebDataset writes
them), holds one image at a time, and refuses sizes that no image has, before anything is allocated.
"""

import re
from collections.abc import Iterator
from typing import Any

from zfnet.data.readers.limits import HEADER, SHARD_MEMBER
from zfnet.data.readers.names import clean_path

BLOCK = 512  # bytes
FILE, LONG_NAME, PAX, PAX_GLOBAL = b"0\0", b"L", b"x", b"g"  # types of members
_SIZE = re.compile(rb"\s*([0-7]+)[ \0]*")
_PATH = re.compile(rb"(?:^|\n)\d+ path=([^\n]*)\n")
_RESERVED = re.compile(r"(^|/)__[^/]*__($|/)")  # WebDataset's own notes

Content = dict[str, bytes | str]


def read_images(stream: Any) -> Iterator[Content]:
    """Yield the files of each image by suffix, and its key as `__key__`. Files of one key are adjacent.

    Raises
    ------
    ValueError
        It is not a tar, is cut off, holds a file larger than an image, or a suffix twice in one image.
    """
    current: Content = {}
    for name, data in _files(stream):
        folder, _, file = name.rpartition("/")
        stem, _, suffix = file.partition(".")
        key = f"{folder}/{stem}" if folder else stem
        if current and current["__key__"] != key:
            yield current
            current = {}
        if suffix.lower() in current:
            raise ValueError(f"{key!r:.100} has two files .{suffix:.20}")
        current["__key__"] = key
        current[suffix.lower()] = data
    if current:
        yield current


def _files(stream: Any) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each regular file up to the end mark."""
    long_name = b""
    while any(header := _exactly(stream, BLOCK)):
        size, kind = _size(header), header[156:157]
        if size > (SHARD_MEMBER if kind in FILE else HEADER):
            raise ValueError(f"a file of {size} bytes, more than any image of a shard")
        data = _exactly(stream, size)
        _exactly(stream, -size % BLOCK)
        if kind == LONG_NAME:
            long_name = data.rstrip(b"\0")
        elif kind == PAX:
            paths = _PATH.findall(data)
            long_name = paths[-1] if paths else b""
        elif kind != PAX_GLOBAL:
            name, long_name = long_name or _short_name(header), b""
            text = clean_path(name.decode("utf-8", "surrogateescape"))
            if kind in FILE and not _RESERVED.search(text):
                yield text, data


def _exactly(stream: Any, count: int) -> bytes:
    """Read `count` bytes; a stream may deliver them in pieces."""
    pieces, left = [], count
    while left:
        piece = stream.read(min(left, 1 << 20))
        if not piece:
            raise ValueError("it is cut off" if left < count or count != BLOCK else "it has no end mark")
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _size(header: bytes) -> int:
    match = _SIZE.fullmatch(header[124:136])
    checksum = _SIZE.fullmatch(header[148:156])
    total = sum(header) - sum(header[148:156]) + 8 * ord(" ")  # the field itself counts as blanks
    if not match or not checksum or int(checksum[1], 8) != total:
        raise ValueError("no header of a tar")
    return int(match[1], 8)


def _short_name(header: bytes) -> bytes:
    name, prefix = header[:100].rstrip(b"\0"), header[345:500].rstrip(b"\0")
    return prefix + b"/" + name if prefix and header[257:262] == b"ustar" and header[262:263] == b"\0" else name
