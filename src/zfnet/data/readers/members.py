"""The members of tar, tar.gz and zip archives and of folders, one after the other, without unpacking to disk.

Archives are untrusted input. Only regular files are given out; names that point outside the archive are refused, so
are members larger than any picture or label file; and an archive that ends too early is a sentence, never a silent
end. Everything is streamed: memory holds one member, and a pass over an uncompressed tar that reads no member only
touches its headers, 512 bytes each.
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
from typing import IO, Literal

from zfnet.core.errors import ZfnetError

MEMBER_LIMIT = 1 << 28  # bytes; the largest official member that is read as a whole is a CIFAR batch of 31 MB
BLOCK = 512  # of a tar
DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)

Kind = Literal["folder", "tar", "gzip", "zip"]


@dataclass(frozen=True)
class Member:
    """One regular file of an archive. It can be read until the next member is asked for.

    name : its path within the archive, with "/"
    size : bytes
    where : "archive.tar: member", for messages
    open : gives the file, seekable
    """

    name: str
    size: int
    where: str
    open: Callable[[], IO[bytes]]

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(self.name.split("/"))

    @property
    def stem(self) -> str:
        return splitext(basename(self.name))[0]

    def read(self) -> bytes:
        """Read all of it.

        Raises
        ------
        ZfnetError
            It is larger than MEMBER_LIMIT, or the archive is cut off or damaged here.
        """
        if self.size > MEMBER_LIMIT:
            raise ZfnetError(
                f"{self.where}: {self.size} bytes, where at most {MEMBER_LIMIT} were expected; this is not the official"
                f" archive, get it from its official place."
            )
        with _reading(self.where), self.open() as file:
            data = file.read(self.size + 1)
            if len(data) != self.size:
                raise EOFError(f"{len(data)} bytes instead of {self.size}")
        return data


def kind(path: Path) -> Kind:
    """Tell by its first bytes what is at `path`.

    Raises
    ------
    ZfnetError
        Nothing is there, or it is no archive.
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
    """Go through the regular files of an archive or a folder, in its own order.

    Parameters
    ----------
    path : a tar, tar.gz or zip, or a folder (in the order of names)
    inner : in a zip, the file name of the tar.gz within it whose members are meant

    Raises
    ------
    ZfnetError
        `path` is no archive, is damaged or cut off, or holds a name that leads outside.
    """
    path = Path(path)
    match kind(path):
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


def tar_members(file: IO[bytes], where: str) -> Iterator[Member]:
    """Go through the regular files of a tar that is open as a seekable `file`, called `where` in messages.

    `Member.open` gives a seekable view, so a tar within an uncompressed tar is read in place.
    """
    watched = _Watched(file)
    with _reading(where), tarfile.open(fileobj=watched, mode="r:") as archive:
        for info in archive:
            archive.members.clear()  # tarfile would keep every header it has seen
            if info.size < 0:
                raise ValueError(f"{info.size} bytes in a member")  # some versions of tarfile would go in circles
            if info.isreg() and not info.issparse():
                place = f"{where}: {_safe(info.name, where)}"
                yield Member(info.name, info.size, place, partial(archive.extractfile, info))
        if watched.last != bytes(BLOCK):  # tarfile takes any end for the end; a whole tar ends with empty blocks
            raise EOFError("no end-of-archive mark")


def check_end(path: Path) -> None:
    """Tell at once, by its last bytes, whether an uncompressed tar was copied as a whole.

    Raises
    ------
    ZfnetError
        It does not end as a tar does.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(size - BLOCK, 0))
        last = file.read()
    if size % BLOCK or last != bytes(BLOCK):
        raise ZfnetError(
            f"{path}: cut off after {size} bytes, expected the empty blocks every tar ends with; copy it again and"
            " compare its size with the original's."
        )


class _Watched:
    """A file that remembers what was read last: after the last member, that is the block at which a tar ended.

    It also keeps tarfile from reading whatever amount the header of a long name asks for.
    """

    def __init__(self, file: IO[bytes]):
        self.file, self.last = file, b""
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MEMBER_LIMIT + 1:
            raise ValueError(f"{size} bytes wanted at once")
        self.last = self.file.read(size)
        return self.last


def _gzip_members(packed: IO[bytes], where: str) -> Iterator[Member]:
    with gzip.open(packed) as file:
        yield from tar_members(file, where)
        with _reading(where):
            while file.read(1 << 20):
                pass  # the checksum comes after the padding, and is compared only when all is read


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
    """Names begin with the folder's own, as those in an archive do. Links to folders are left out: no circles."""
    for path in sorted(folder.iterdir()):
        inside = f"{name}/{path.name}"
        if path.is_dir() and not path.is_symlink():
            yield from _folder_members(path, inside)
        elif path.is_file():
            yield Member(inside, path.stat().st_size, str(path), partial(path.open, "rb"))


def _safe(name: str, where: str) -> str:
    """Refuse a name that leads outside: nothing is unpacked, but it betrays a forged archive. Else fit it for print."""
    if name.startswith("/") or "\\" in name or ".." in name.split("/"):
        raise ZfnetError(
            f"{where}: the name {name!r} leads outside the archive, so it was not made by the data set's authors;"
            " get it from its official place."
        )
    return name if name.isprintable() else ascii(name)


@contextmanager
def _reading(where: str) -> Iterator[None]:
    """Turn what the standard library raises on damaged archives into a sentence."""
    try:
        yield
    except DAMAGE as error:
        raise ZfnetError(
            f"{where}: cut off or damaged ({error or type(error).__name__}), expected a whole archive; copy it again,"
            " compare its size with the original's, and run the same command once more."
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
        return "it begins with zeros (a download that never got its data)"
    return f"it begins with {head[:12]!r}"
