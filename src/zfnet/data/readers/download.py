"""Download of the archives that need no account: Caltech-101, Caltech-256, PASCAL VOC 2012 and CIFAR-10.

They come from their official sites and are checked by the MD5 sums that the data sets' users know them by. They stay
packed. What a broken download has left is kept beside the archive as `.NAME.part`, and the next one goes on from there.
"""

import hashlib
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from zfnet.core.errors import ZfnetError
from zfnet.core.files import publish
from zfnet.core.progress_bar import track
from zfnet.core.suggest import did_you_mean

CHUNK = 1 << 20  # bytes
TIMEOUT = 60  # seconds without a byte


class Remote(NamedTuple):
    """Address of an archive, and its MD5."""

    url: str
    md5: str


REMOTE = {
    "caltech101": Remote(
        "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip", "3138e1922a9193bfa496528edbbc45d0"
    ),
    "caltech256": Remote(
        "https://data.caltech.edu/records/nyy15-4j048/files/256_ObjectCategories.tar",
        "67b4f42ca05d46448c6bb8ecd2220f6d",
    ),
    "voc2012": Remote(
        "https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
        "6cd6e144f989b92b3379bac3b3de84fd",
    ),
    "cifar10": Remote("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"),
}


FILES = {key: remote.url.rsplit("/", 1)[-1] for key, remote in REMOTE.items()}


def fetch(file: str, folder: Path) -> Path:
    """Download one archive, unless the folder holds it with the right checksum.

    A file gets its final name only after its checksum has been verified.

    Parameters
    ----------
    file : its name, one of `FILES`
    folder : where it goes

    Raises
    ------
    ZfnetError
        The name is not one of these, the download failed, or the checksum is wrong.
    """
    keys = {name: key for key, name in FILES.items()}
    if file not in keys:
        raise ZfnetError(f"{file}: cannot be downloaded; choose one of {', '.join(keys)}{did_you_mean(file, keys)}")
    remote, path = REMOTE[keys[file]], Path(folder) / file
    if path.exists() and _md5(path) == remote.md5:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{file}.part")
    try:
        _go_on(remote.url, part)
    except (OSError, HTTPException, ValueError) as error:  # no connection, an error of the server, a broken line
        raise ZfnetError(
            f"{remote.url}: the download failed ({error}). Run the same command again, which goes on from there, or "
            f"download it by hand and point archives: {keys[file]} in config.yaml to it."
        ) from None
    if _md5(part) != remote.md5:
        part.unlink()
        raise ZfnetError(
            f"{remote.url}: the download failed (its MD5 is not {remote.md5}); it was removed. Run the same command "
            f"again, or download it by hand and point archives: {keys[file]} in config.yaml to it."
        )
    publish(part, path)
    return path


def _go_on(url: str, part: Path) -> None:
    """Append to `part` what it lacks; start anew if the server cannot send a part of the file."""
    done = part.stat().st_size if part.exists() else 0
    try:
        answer = urlopen(Request(url, headers={"User-Agent": "zfnet", "Range": f"bytes={done}-"}), timeout=TIMEOUT)
    except HTTPError as error:
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and done:
            return  # nothing is lacking; the checksum decides
        raise
    with answer, part.open("ab" if answer.status == HTTPStatus.PARTIAL_CONTENT else "wb") as file:
        expected = file.tell() + int(answer.headers.get("Content-Length") or 0)
        for chunk in track(iter(lambda: answer.read(CHUNK), b""), f"{part.name[1:-5]}: MB"):
            file.write(chunk)
        if file.tell() < expected:
            raise OSError(f"the connection broke after {file.tell()} of {expected} bytes")


def _md5(path: Path) -> str:
    """Return the hexadecimal MD5 of a file, which guards against damage, not against malice."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
