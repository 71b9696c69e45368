"""The data sets by name: their archives, readers and stored form."""

from collections.abc import Sequence
from pathlib import Path

from zfnet.core.errors import ZfnetError
from zfnet.core.suggest import require_known
from zfnet.data.readers.images import Source
from zfnet.settings import Data

# Whether preparation cuts images to their centre square; otherwise the whole image is kept.
SQUARE = {
    "imagenet-train": True,
    "imagenet-val": True,
    "imagenet-test": True,
    "caltech101": False,
    "caltech256": False,
    "voc2012": False,
    "voc2012-test": False,
    "cifar10-train": True,
    "cifar10-test": True,
}


def _archive_count(name: str) -> int:
    return 2 if name.startswith("imagenet") else 1


def source(name: str, archives: Sequence[Path], data: Data) -> Source:
    """Open the data set `name`.

    Parameters
    ----------
    name : str
        A key of `SQUARE`.
    archives : sequence of Path
        Its archives; for ImageNet the images and the development kit.
    data : settings.Data
        Subset and background choices.

    Raises
    ------
    ZfnetError
        The name is unknown, or an archive is missing or not the expected one.
    """
    from zfnet.data.readers import caltech, cifar, imagenet, voc

    require_known(name, SQUARE, "data set")
    if len(archives) != _archive_count(name):
        raise ZfnetError(
            f"{name}: {len(archives)} archives were given, expected {_archive_count(name)}"
            f"{' (the images, then the devkit)' if _archive_count(name) == 2 else ''}."
        )
    first, last = archives[0], archives[-1]
    readers = {
        "imagenet-train": lambda: imagenet.train(first, last, data.imagenet),
        "imagenet-val": lambda: imagenet.val(first, last, data.imagenet),
        "imagenet-test": lambda: imagenet.test(first, last, data.imagenet),
        "caltech101": lambda: caltech.caltech101(first, data.background_class),
        "caltech256": lambda: caltech.caltech256(first, data.background_class),
        "voc2012": lambda: voc.voc2012(first),
        "voc2012-test": lambda: voc.voc2012_test(first),
        "cifar10-train": lambda: cifar.cifar10(first, part="train"),
        "cifar10-test": lambda: cifar.cifar10(first, part="test"),
    }
    return readers[name]()
