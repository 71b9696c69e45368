"""The files below a folder: links to files and folders are followed, circles are not, and nothing is read twice."""

import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from zfnet.core.files import text_hash
from zfnet.data.readers.member import Member
from zfnet.data.readers.names import is_hidden, readable
from zfnet.data.readers.skipped import ALIAS, DANGLING, HIDDEN, SPECIAL, UNREADABLE, Skipped


def folder_members(root: Path, skipped: Skipped | None = None) -> Iterator[Member]:
    """Iterate over the files below `root`, sorted by name, whose names begin with that of the folder, as in an archive.

    A link to a folder within `root`, or to one that was read already, is passed over: its files have another name.
    """
    yield from _Walk(root, skipped or Skipped()).folder(root, root.name)


def listing(folder: Path) -> tuple[int, str]:
    """Return the total size of a folder's files, and the SHA-256 of the sorted listing of their names and sizes.

    Hidden files and dangling links are no part of it, so a file manager or an editor that looks in changes nothing.
    """
    start = len(folder.name) + 1
    lines = sorted((member.name[start:], member.size) for member in folder_members(folder))
    text = "".join(f"{name}\t{size}\n" for name, size in lines)
    return sum(size for _, size in lines), text_hash(readable(text) if not text.isascii() else text)


class _Walk:
    """One walk through a tree. `visited` holds device and inode of its folders."""

    def __init__(self, root: Path, skipped: Skipped):
        self.root, self.skipped = root.resolve(), skipped
        self.visited: set[tuple[int, int]] = set()

    def folder(self, folder: Path, name: str) -> Iterator[Member]:
        state = folder.stat()
        self.visited.add((state.st_dev, state.st_ino))
        for path in sorted(folder.iterdir()):
            yield from self._entry(path, f"{name}/{path.name}")

    def _entry(self, path: Path, name: str) -> Iterator[Member]:
        if is_hidden(path.name):
            self.skipped.add(HIDDEN, str(path))
            return
        try:
            state = path.stat()
        except OSError:  # a link to nothing or to itself
            self.skipped.add(DANGLING if path.is_symlink() else UNREADABLE, str(path))
            return
        if stat.S_ISREG(state.st_mode):
            yield Member(name, state.st_size, readable(str(path)), partial(path.open, "rb"))
        elif not stat.S_ISDIR(state.st_mode):
            self.skipped.add(SPECIAL, str(path))
        elif (state.st_dev, state.st_ino) in self.visited or self._leads_back(path):
            self.skipped.add(ALIAS, str(path))
        else:
            yield from self.folder(path, name)

    def _leads_back(self, path: Path) -> bool:
        """Return whether a link to a folder stays within the tree, which reads that folder anyway."""
        return path.is_symlink() and path.resolve().is_relative_to(self.root)
