"""Fetch the archives that need no account: Caltech-101, Caltech-256, PASCAL VOC 2012 and CIFAR-10.

They come from their official places by torchvision's downloader, which checks the published checksums (those of its own
dataset classes), and stay packed: nothing is extracted, and none of torchvision's unpickling is used.
"""

from pathlib import Path
from typing import NamedTuple

from zfnet.errors import ZfnetError
from zfnet.settings import Archives


class Remote(NamedTuple):
    """Where an archive is, and its MD5."""

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


def fetch(archives: Archives, folder: Path) -> Archives:
    """Download what `archives` leaves empty, if it allows that; what is there already is checked and kept.

    Parameters
    ----------
    archives : nothing happens unless `archives.download`
    folder : where the files go

    Returns
    -------
    `archives` with the paths filled in.

    Raises
    ------
    ZfnetError
        A download failed, or has another checksum.
    """
    if not archives.download:
        return archives
    missing = [key for key in REMOTE if getattr(archives, key) is None]
    return archives.model_copy(update={key: _download(key, Path(folder)) for key in missing})


def _download(key: str, folder: Path) -> Path:
    from torchvision.datasets.utils import download_url  # two seconds that only this needs

    url, md5 = REMOTE[key]
    path = folder / url.rsplit("/", 1)[-1]
    try:
        download_url(url, str(folder), path.name, md5)
    except (OSError, RuntimeError, ValueError) as error:  # URLError is an OSError, a wrong checksum a RuntimeError
        raise ZfnetError(
            f"{url}: the download failed ({error}); try again, or fetch it by hand and set archives: {key} in"
            " config.yaml to it."
        ) from None
    return path
