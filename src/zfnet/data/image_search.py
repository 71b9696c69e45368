"""Find the images in a folder of one's own, and name everything that is left out, with the reason.

Links to files and folders are followed; a folder that is reached twice, such as by a link to a folder around it, is
read once. Hidden folders (`.ipynb_checkpoints`, `.thumbnails`) and those of file managers hold copies and stay out.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from zfnet.data.own_images import SUFFIXES, UNREADABLE, readable

COPIES = {"@eaDir", "__MACOSX", "$RECYCLE.BIN", "lost+found"}


class FoundImages:
    """The images below a folder.

    Attributes
    ----------
    paths : the images, sorted.
    left_out : readable path -> reason, for everything else; a folder that is left out is one entry.
    """

    def __init__(self, folder: Path) -> None:
        self.left_out: dict[str, str] = {}
        self._seen: dict[tuple[int, int], Path] = {}
        self.paths = sorted(self._search(folder))

    def _search(self, folder: Path) -> Iterator[Path]:
        state = folder.stat()
        before = self._seen.setdefault((state.st_dev, state.st_ino), folder)
        if before != folder:
            self._leave_out(folder, f"the same folder as {readable(before)}")
            return
        try:
            entries = sorted(folder.iterdir(), key=os.fsencode)
        except OSError as error:
            self._leave_out(folder, error.strerror or str(error))
            return
        for path in entries:
            reason = _reason(path)
            if reason:
                self._leave_out(path, reason)
            elif path.is_dir():
                yield from self._search(path)
            else:
                yield path

    def _leave_out(self, path: Path, reason: str) -> None:
        self.left_out[readable(path)] = reason


def _reason(path: Path) -> str:
    """Return why an entry of a folder is left out; "" if it is not."""
    suffix = path.suffix.lower()
    if path.name.startswith("."):
        return "hidden folder" if path.is_dir() else "hidden file"
    if path.is_dir():
        return "copies made by a system" if path.name in COPIES else ""
    if not path.exists():
        return "a link to nothing"
    if not path.is_file():
        return "no file"
    if suffix in SUFFIXES:
        return ""
    return UNREADABLE.get(suffix) or (
        f"{suffix} is no image suffix" if suffix else "a name without suffix; give the file itself to use it"
    )
