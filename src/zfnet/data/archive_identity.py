"""Tell an archive from another wherever it is kept, in milliseconds: what was moved is not prepared again."""

import hashlib
import os
from pathlib import Path

END = 1 << 20  # bytes read at each end of a file


def identity(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's size, beginning and end, or of the names in a folder.

    Every member of a tar or zip moves its end, and compressed archives end with a checksum of the whole.

    Raises
    ------
    OSError
        There is no such file or folder, or it cannot be read.
    """
    if path.is_dir():
        return hashlib.sha256(b"\0".join(sorted(os.fsencode(each.name) for each in path.iterdir()))).hexdigest()
    with path.open("rb") as file:
        beginning = file.read(END)
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - END))
        return hashlib.sha256(b"%d\0" % size + beginning + file.read()).hexdigest()
