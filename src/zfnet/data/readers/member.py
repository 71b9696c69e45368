"""One regular file of an archive or folder, and what all kinds of archives have in common: names, damage, limits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from posixpath import basename, splitext
from typing import IO, Any

from zfnet.core.errors import Stopped, ZfnetError
from zfnet.core.parsing import reason
from zfnet.data.readers.limits import MEMBER, MEMBERS
from zfnet.data.readers.names import clean_path, is_hidden, readable
from zfnet.data.readers.skipped import HIDDEN, Skipped
from zfnet.data.shards.keys import KeySet


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

    def read(self, limit: int = MEMBER) -> bytes:
        """Return the whole content.

        Raises
        ------
        ZfnetError
            It is larger than `limit` bytes, or the archive is truncated or damaged here.
        """
        if self.size > limit:
            raise ZfnetError(
                f"{self.where}: {self.size} bytes, where at most {limit} were expected; this is not the official"
                f" archive; get it from its official site."
            )
        with damage(self.where), self.open() as file:
            data = file.read(self.size + 1)
            if len(data) != self.size:
                raise EOFError(f"{len(data)} bytes instead of {self.size}")
        return data


class Names:
    """The names of one archive: cleaned, hidden ones passed over, and none twice."""

    def __init__(self, where: str, skipped: Skipped):
        self.where, self.skipped = where, skipped
        self._seen = KeySet()

    def admit(self, name: str) -> str | None:
        """Return the cleaned name of a regular file, or None if it is passed over.

        Raises
        ------
        ZfnetError
            It points outside the archive or is there twice, or there are too many.
        """
        name = self.safe(name)
        if is_hidden(name):
            self.skipped.add(HIDDEN, f"{self.where}: {name}")
            return None
        if not self._seen.add(name):
            raise ZfnetError(
                f"{self.place(name)}: the archive holds two files of this name, so one would be lost; remove one of"
                " them (both may be there after `tar -r` or `tar -u`), or pack it again."
            )
        if len(self._seen) > MEMBERS:
            raise ZfnetError(f"{self.where}: more than {MEMBERS} files; this is not the official archive.")
        return name

    def safe(self, name: str) -> str:
        """Refuse a name that points outside: nothing is unpacked, but the archive is forged."""
        if name.startswith("/") or "\\" in name or ".." in name.split("/"):
            raise ZfnetError(
                f"{self.where}: the name {name!r} points outside the archive, so it was not made by the data set's"
                " authors; get it from its official site."
            )
        return clean_path(name)

    def place(self, name: str) -> str:
        """Return "archive: name" for messages."""
        return f"{self.where}: {readable(name)}"


@contextmanager
def damage(where: str) -> Iterator[None]:
    """Convert any error on a damaged archive to a ZfnetError."""
    try:
        yield
    except (ZfnetError, Stopped):
        raise
    except Exception as error:
        raise ZfnetError(
            f"{where}: truncated or damaged ({reason(error)}), expected a complete archive; copy it again, compare its"
            " size with the original, and run the same command again."
        ) from None
