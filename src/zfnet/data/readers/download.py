"""Download of the archives that need no account: Caltech-101, Caltech-256, PASCAL VOC 2012 and CIFAR-10.

They come from their official sites through torchvision's downloader, which verifies the checksums of its own dataset
classes. They stay packed: nothing is extracted, and torchvision's unpickling is not used.
"""

from pathlib import Path
from typing import NamedTuple

from zfnet.core.errors import ZfnetError
from zfnet.core.files import atomic
from zfnet.core.suggest import did_you_mean


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
    from torchvision.datasets.utils import check_integrity, download_url  # here, because it takes two seconds

    keys = {name: key for key, name in FILES.items()}
    if file not in keys:
        raise ZfnetError(f"{file}: cannot be downloaded; choose one of {', '.join(keys)}{did_you_mean(file, keys)}")
    url, md5 = REMOTE[keys[file]]
    path = Path(folder) / file
    if check_integrity(path, md5):
        return path
    try:
        with atomic(path) as temporary:
            download_url(url, temporary.parent, file, md5)
    except (OSError, RuntimeError, ValueError) as error:  # URLError is an OSError, a wrong checksum a RuntimeError
        raise ZfnetError(
            f"{url}: the download failed ({error}); try again, or download it by hand and point archives: "
            f"{keys[file]} in config.yaml to it."
        ) from None
    return path
