"""The members of a zip, stored or deflated, which every zip program writes; and of a tar.gz within a zip."""

import gzip
import stat
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from posixpath import basename
from typing import IO

from zfnet.core.errors import ZfnetError
from zfnet.data.readers.member import Member, Names, damage
from zfnet.data.readers.skipped import LINK, Skipped
from zfnet.data.readers.tar_members import tar_members

METHODS = {zipfile.ZIP_STORED: "none", zipfile.ZIP_DEFLATED: "Deflate"}
OTHERS = {9: "Deflate64, which Windows Explorer uses beyond 2 GB", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz"}
ENCRYPTED = 1  # flag bit


def zip_members(path: Path, inner: str | None, skipped: Skipped) -> Iterator[Member]:
    """Iterate over the files of a zip; or, if the zip holds a file named `inner`, over those of that tar.gz."""
    with damage(path.name), zipfile.ZipFile(path) as archive:
        names = Names(path.name, skipped)
        files = [(info, name) for info in archive.infolist() if (name := _admitted(info, names))]
        packed = [(info, name) for info, name in files if basename(name) == inner]
        if packed:
            info, name = packed[0]
            with archive.open(info) as file:
                yield from gzip_members(file, names.place(name), skipped)
            return
        for info, name in files:
            yield Member(name, info.file_size, names.place(name), partial(archive.open, info))


def gzip_members(packed: IO[bytes], where: str, skipped: Skipped) -> Iterator[Member]:
    """Iterate over the files of a tar.gz; the checksum at its end is verified."""
    with damage(where), gzip.open(packed) as file:
        yield from tar_members(file, where, skipped)
        while file.read(1 << 20):
            pass  # nothing is left but the checksum


def _admitted(info: zipfile.ZipInfo, names: Names) -> str | None:
    if stat.S_ISLNK(info.external_attr >> 16):
        names.skipped.add(LINK, f"{names.where}: {info.filename}")
        return None
    name = names.safe(info.filename) if info.is_dir() else names.admit(info.filename)
    if info.is_dir() or name is None:
        return None
    if info.compress_type not in METHODS or info.flag_bits & ENCRYPTED:
        method = OTHERS.get(info.compress_type, f"method {info.compress_type}")
        problem = "is encrypted" if info.flag_bits & ENCRYPTED else f"is compressed with {method}"
        raise ZfnetError(
            f"{names.place(name)}: {problem}, and only stored and deflated files of a zip are read; pack it again with"
            " `zip`, or as a tar."
        )
    return name
