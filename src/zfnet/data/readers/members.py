"""Iteration over the members of tar, tar.gz and zip archives and of folders, without unpacking to disk.

Archives are untrusted input. Only regular files are returned; names that point outside the archive, names that are
there twice, and members larger than any image or label file are refused; and a truncated archive is an error, never a
silent end. Everything is streamed: memory holds one member, and a pass over an uncompressed tar that reads no member
only touches its headers, 512 bytes each.
"""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from zfnet.core.errors import ZfnetError
from zfnet.data.readers.folder_members import folder_members
from zfnet.data.readers.member import Member, damage
from zfnet.data.readers.skipped import Skipped
from zfnet.data.readers.tar_members import BLOCK, check_end, tar_members
from zfnet.data.readers.zip_members import gzip_members, zip_members

__all__ = ["Member", "archive_format", "check_end", "members", "tar_members"]

ArchiveFormat = Literal["folder", "tar", "gzip", "zip"]


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


def members(path: Path, inner: str | None = None, skipped: Skipped | None = None) -> Iterator[Member]:
    """Iterate over the regular files of an archive or a folder, in its own order.

    Parameters
    ----------
    path : a tar, tar.gz or zip, or a folder (sorted by name)
    inner : for a zip, the file name of the tar.gz in it whose members are returned; if it is not there, the zip's own
    skipped : takes note of all that is passed over: hidden files, links, devices

    Raises
    ------
    ZfnetError
        `path` is not an archive, is damaged or truncated, or holds a name twice or one that points outside.
    """
    path, skipped = Path(path), skipped or Skipped()
    match archive_format(path):
        case "folder":
            with damage(str(path)):
                yield from folder_members(path, skipped)
        case "tar":
            with path.open("rb") as file:
                yield from tar_members(file, path.name, skipped)
        case "gzip":
            with path.open("rb") as file:
                yield from gzip_members(file, path.name, skipped)
        case "zip":
            yield from zip_members(path, inner, skipped)


def _head(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise ZfnetError(
                f"{path}: a pipe or device, expected an archive; correct the path in config.yaml (archives)."
            )
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
