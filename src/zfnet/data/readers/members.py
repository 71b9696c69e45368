"""Iteration over the members of tar, tar.gz and zip archives and of folders, without unpacking to disk.

Archives are untrusted input. Only regular files are returned; names that point outside the archive and members larger
than any image or label file are refused; and a truncated archive is an error, never a silent end. Everything is
streamed: memory holds one member, and a pass over an uncompressed tar that reads no member only touches its headers,
512 bytes each.
"""

import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from posixpath import basename, splitext
from typing import IO, Any, Literal

from zfnet.core.errors import ZfnetError

MEMBER_LIMIT = 1 << 28  # bytes; the largest official member read as a whole is a CIFAR batch of 31 MB
BLOCK = 512  # bytes, of a tar
DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)

ArchiveFormat = Literal["folder", "tar", "gzip", "zip"]


@dataclass(frozen=True)
class Member:
    """One regular file of an archive, readable until the next member is requested.

    name : its path within the archive, with "/"
    size : bytes
    where : "archive.tar: member", for messages
    open : returns the file, seekable
    """

    name: str
    size: int
    where: str
    open: Callable[[], IO[Any]]

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(self.name.split("/"))

    @property
    def stem(self) -> str:
        return splitext(basename(self.name))[0]

    def read(self) -> bytes:
        """Return the whole content.

        Raises
        ------
        ZfnetError
            It is larger than MEMBER_LIMIT, or the archive is truncated or damaged here.
        """
        if self.size > MEMBER_LIMIT:
            raise ZfnetError(
                f"{self.where}: {self.size} bytes, where at most {MEMBER_LIMIT} were expected; this is not the official"
                f" archive; get it from its official site."
            )
        with _reading(self.where), self.open() as file:
            data = file.read(self.size + 1)
            if len(data) != self.size:
                raise EOFError(f"{len(data)} bytes instead of {self.size}")
        return data


def archive_format(path: Path) -> ArchiveFormat:
    """Return the format of the file or folder at `path`, judged by its first bytes.

    Raises
    ------
    ZfnetError
        There is nothing at `path`, or it is not an archive.
    """
    if path.is_dir():
        return "folder"
    head = _head(path)
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if _is_tar_header(head):
        return "tar"
    raise ZfnetError(f"{path}: expected a tar, tar.gz or zip archive, but {_guess(head)}; get the archive again.")


def members(path: Path, inner: str | None = None) -> Iterator[Member]:
    """Iterate over the regular files of an archive or a folder, in its own order.

    Parameters
    ----------
    path : a tar, tar.gz or zip, or a folder (sorted by name)
    inner : for a zip, the file name of the tar.gz in it whose members are returned

    Raises
    ------
    ZfnetError
        `path` is not an archive, is damaged or truncated, or holds a name that points outside.
    """
    path = Path(path)
    match archive_format(path):
        case "folder":
            with _reading(str(path)):
                yield from _folder_members(path, path.name)
        case "tar":
            with path.open("rb") as file:
                yield from tar_members(file, path.name)
        case "gzip":
            with path.open("rb") as file:
                yield from _gzip_members(file, path.name)
        case "zip":
            yield from _zip_members(path, inner)


def tar_members(file: IO[bytes] | gzip.GzipFile, where: str) -> Iterator[Member]:
    """Iterate over the regular files of a tar open as a seekable `file`, called `where` in messages.

    `Member.open` returns a seekable view, so a tar within an uncompressed tar is read in place.
    """
    watched = _LastRead(file)
    with _reading(where), tarfile.open(fileobj=watched, mode="r:") as archive:  # type: ignore[call-overload]
        for info in archive:
            archive.members.clear()  # tarfile would keep every header in memory
            if info.size < 0:
                raise ValueError(f"{info.size} bytes in a member")  # some versions of tarfile would loop forever
            if info.isreg() and not info.issparse():
                place = f"{where}: {_safe(info.name, where)}"
                yield Member(info.name, info.size, place, partial(archive.extractfile, info))
        if watched.last != bytes(BLOCK):  # tarfile accepts any end; a complete tar ends with empty blocks
            raise EOFError("no end-of-archive mark")


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


class _LastRead:
    """A file that remembers its last read: after the last member, that is the block at which the tar ended.

    It also prevents tarfile from reading an arbitrary amount that the header of a long name requests.
    """

    def __init__(self, file: IO[bytes] | gzip.GzipFile):
        self.file, self.last = file, b""
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MEMBER_LIMIT + 1:
            raise ValueError(f"{size} bytes requested at once")
        self.last = self.file.read(size)
        return self.last


def _gzip_members(packed: IO[bytes], where: str) -> Iterator[Member]:
    with gzip.open(packed) as file:
        yield from tar_members(file, where)
        with _reading(where):
            while file.read(1 << 20):
                pass  # the checksum follows the padding and is verified only at the end


def _zip_members(path: Path, inner: str | None) -> Iterator[Member]:
    with _reading(path.name), zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            place = f"{path.name}: {_safe(info.filename, path.name)}"
            if inner is None and not info.is_dir():
                yield Member(info.filename, info.file_size, place, partial(archive.open, info))
            elif basename(info.filename) == inner:
                with archive.open(info) as file:
                    yield from _gzip_members(file, place)


def _folder_members(folder: Path, name: str) -> Iterator[Member]:
    """Yield files whose names begin with the folder's, as in an archive. Links to folders are skipped: no cycles."""
    for path in sorted(folder.iterdir()):
        inside = f"{name}/{path.name}"
        if path.is_dir() and not path.is_symlink():
            yield from _folder_members(path, inside)
        elif path.is_file():
            yield Member(inside, path.stat().st_size, str(path), partial(path.open, "rb"))


def _safe(name: str, where: str) -> str:
    """Return a printable name; refuse one that points outside: nothing is unpacked, but the archive is forged."""
    if name.startswith("/") or "\\" in name or ".." in name.split("/"):
        raise ZfnetError(
            f"{where}: the name {name!r} points outside the archive, so it was not made by the data set's"
            " authors; get it from its official site."
        )
    return name if name.isprintable() else ascii(name)


@contextmanager
def _reading(where: str) -> Iterator[None]:
    """Convert the standard library's errors on damaged archives to a ZfnetError."""
    try:
        yield
    except DAMAGE as error:
        raise ZfnetError(
            f"{where}: truncated or damaged ({error or type(error).__name__}), expected a complete archive; copy it"
            " again, compare its size with the original, and run the same command again."
        ) from None


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(BLOCK)
    except OSError as error:
        raise ZfnetError(f"{path}: {error.strerror}; correct the path in config.yaml (archives).") from None
    if not head:
        raise ZfnetError(f"{path}: the file is empty, expected an archive; get it again.")
    return head


def _is_tar_header(head: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.TarError:
        return False
    return True


def _guess(head: bytes) -> str:
    if head.lstrip()[:1] == b"<":
        return "it is a web page (a download that needed a login)"
    if not head.strip(b"\0"):
        return "it begins with zeros (a download that received no data)"
    return f"it begins with {head[:12]!r}"
