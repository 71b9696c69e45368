"""The members of a tar, read in place.

A tar has no checksums of its own, but its end is marked by empty blocks, filled up with zeros to a record. The standard
library stops at the first empty block. So a block that was never copied, or a second tar behind the first, would be a
silent end: here whatever follows the mark must be less than a record of zeros.
"""

import gzip
import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO

from zfnet.core.errors import ZfnetError
from zfnet.data.readers.limits import END_OF_TAR, HEADER, MEMBER, MEMBERS
from zfnet.data.readers.member import Member, Names, damage
from zfnet.data.readers.skipped import HARD_LINK, LINK, SPECIAL, Skipped

BLOCK = 512  # bytes


def tar_members(file: IO[bytes] | gzip.GzipFile, where: str, skipped: Skipped | None = None) -> Iterator[Member]:
    """Iterate over the regular files of a tar open as a seekable `file`, called `where` in messages.

    `Member.open` returns a seekable view, so a tar within an uncompressed tar is read in place. Others than regular
    files are noted in `skipped`.

    Raises
    ------
    ZfnetError
        The tar is truncated, damaged, or followed by something else; or a name is refused.
    """
    watched, skipped = _LimitedReads(file), skipped or Skipped()
    names = Names(where, skipped)
    with damage(where), tarfile.open(fileobj=watched, mode="r:") as archive:  # type: ignore[call-overload]
        for count, info in enumerate(archive):
            archive.members.clear()  # tarfile would keep every header in memory
            if info.size < 0 or count > MEMBERS:
                raise ValueError(f"{info.size} bytes in member {count}")  # some versions of tarfile would loop forever
            if name := _admitted(info, names):
                watched.limit = MEMBER + 1
                yield Member(name, info.size, names.place(name), partial(archive.extractfile, info))
                watched.limit = HEADER
        _check_rest(watched, where)


def check_end(path: Path) -> None:
    """Check by its last bytes that an uncompressed tar is complete.

    Raises
    ------
    ZfnetError
        It does not end like a tar.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(size - BLOCK, 0))
        last = file.read()
    if size % BLOCK or last != bytes(BLOCK):
        raise ZfnetError(
            f"{path}: truncated after {size} bytes, expected the empty blocks at the end of every tar; copy it again"
            " and compare its size with the original."
        )


def _admitted(info: tarfile.TarInfo, names: Names) -> str | None:
    """Return the name of a regular file; note anything else but folders."""
    if info.isreg() and not info.issparse():
        return names.admit(info.name)
    if not info.isdir():
        kind = HARD_LINK if info.islnk() else LINK if info.issym() else SPECIAL
        names.skipped.add(kind, f"{names.where}: {info.name}")
    return None


def _check_rest(file: "_LimitedReads", where: str) -> None:
    """Check what follows the block at which tarfile stopped."""
    if file.last != bytes(BLOCK):  # tarfile accepts any end
        raise EOFError("no end-of-archive mark")
    start = file.tell()
    rest = file.read(END_OF_TAR + 1)
    if rest.strip(b"\0"):
        raise ZfnetError(
            f"{where}: the tar ends at byte {start}, but more data follows: blocks of zeros in its middle (a copy with"
            " holes), or several tars joined by `cat`; copy it again, or pack the parts into one tar."
        )
    if len(rest) > END_OF_TAR:
        raise ZfnetError(
            f"{where}: the tar ends at byte {start}, but more than {END_OF_TAR} zeros follow: the rest of it was never"
            " written (an interrupted download or copy); copy it again and compare its checksum with the original."
        )


class _LimitedReads:
    """A file that remembers its last read: after the last member, that is the block at which the tar ended.

    It also prevents tarfile from reading an arbitrary amount that the header of a long name requests.
    """

    def __init__(self, file: IO[bytes] | gzip.GzipFile):
        self.file, self.last, self.limit = file, b"", HEADER
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self.limit:
            raise ValueError(f"{size} bytes requested at once")
        self.last = self.file.read(size)
        return self.last
