"""Check of the archives before anything is computed: is each present, complete, and the right one? What is missing?

The quick check takes seconds even for ImageNet: only the first headers and the last blocks are read. The full check
(`zfnet.data.verify_fully`) then reads every archive to its end.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from zfnet.core.errors import ZfnetError
from zfnet.data.readers.devkit import check_devkit
from zfnet.data.readers.download import REMOTE
from zfnet.data.readers.imagenet import find_tree, groups
from zfnet.data.readers.images import is_image
from zfnet.data.readers.keypoints import read_marks
from zfnet.data.readers.members import archive_format, check_end, members
from zfnet.data.readers.skipped import Skipped
from zfnet.settings import Archives

PROBED = 10_000  # members among which one must look like the official archive's
IMAGENET = "image-net.org (needs an account and consent to its terms)"
CALTECH = "data.caltech.edu"
NEEDED_BY = {  # the devkit defines the classes and their words, even for images in class folders
    "imagenet_train": ("imagenet_val", "imagenet_test"),
    "imagenet_val": ("imagenet_train",),
    "imagenet_devkit": ("imagenet_train", "imagenet_val", "imagenet_test"),
    "voc2012": ("voc2012_test",),
    "parts_images": ("parts_keypoints",),
    "parts_keypoints": ("parts_images",),
}


IMAGENET_LACKS = "no net is trained, so no table, figure or claim can be computed"
LACKS = {  # what a run without the archive will not have
    "imagenet_train": IMAGENET_LACKS,
    "imagenet_val": IMAGENET_LACKS,
    "imagenet_devkit": IMAGENET_LACKS,
    "imagenet_test": "no predictions for the challenge's server; nothing else is affected",
    "caltech101": "Table 4, its column of Table 7 and their claims are not run",
    "caltech256": "Table 5, Figure 9, its column of Table 7 and their claims are not run",
    "voc2012": "Table 6 and its claims are not run",
    "voc2012_test": "no predictions for the VOC server; nothing else is affected",
    "cifar10": "it is not prepared; no table, figure or claim uses it yet",
    "parts_images": "Table 1, Figure 8 and their claims are not run",
    "parts_keypoints": "Table 1, Figure 8 and their claims are not run",
}


@dataclass(frozen=True)
class Official:
    """An official archive: names of its files, their origin, and a check that raises ZfnetError."""

    files: str
    origin: str
    check: Callable[[Path], None]


def check_archives(archives: Archives) -> list[str]:
    """Check every archive that is configured.

    Returns
    -------
    One sentence per problem: what was found where, what was expected, where to get it, and which key of config.yaml to
    set. Empty if there is none.
    """
    return [*_check_each(archives), *_check_companions(archives)]


def missing(archives: Archives) -> list[str]:
    """Return one sentence for each official archive without a path: what a run without it will not have."""
    fetched = REMOTE if archives.download else {}
    absent = [key for key in OFFICIAL if getattr(archives, key) is None and key not in fetched]
    return [
        f"archives: {key} is not set ({OFFICIAL[key].files}, from {OFFICIAL[key].origin}): {LACKS[key]}."
        for key in absent
    ]


def _check_each(archives: Archives) -> Iterator[str]:
    for key, official in OFFICIAL.items():
        path = getattr(archives, key)
        try:
            if path is not None:
                official.check(path)
        except ZfnetError as error:
            yield f"{error} It should be {official.files}, from {official.origin}: archives: {key} in config.yaml."
        except OSError as error:
            yield f"{path}: cannot be read ({error.strerror}); correct archives: {key} in config.yaml."


def useful(keys: Iterable[str]) -> set[str]:
    """Return those of these archives that are not useless for want of another, which may itself be useless."""
    found = set(keys)
    while useless := {key for other, needing in NEEDED_BY.items() if other not in found for key in needing} & found:
        found -= useless
    return found


def _check_companions(archives: Archives) -> Iterator[str]:
    """Report archives that are useless without others, which must not be replaced by generated ones."""
    for other, keys in NEEDED_BY.items():
        configured = [key for key in keys if getattr(archives, key)]
        if configured and not getattr(archives, other):
            missing = f"{OFFICIAL[other].files}, from {OFFICIAL[other].origin}"
            yield f"archives: {configured[0]} is set in config.yaml, so set {other} too: {missing}."


# Checks ---------------------------------------------------------------------------------------------------------------


def _check_train(path: Path) -> None:
    """Check the first class, its first image, and the end of the archive."""
    tree = find_tree(path, "train")
    for wnid, group in groups(tree):
        if not any(is_image(member.name) for member in islice(group(Skipped()), PROBED)):
            raise ZfnetError(f"{path}: its first class, {wnid}, holds no image.")
        return _check_end(tree)
    raise ZfnetError(f"{path}: it holds no tar or folder of a class (n01440764 …).")


def _check_val(path: Path) -> None:
    _check_members(find_tree(path, "val"), r"ILSVRC2012_val_\d{8}\.\w+$")


def _check_test(path: Path) -> None:
    _check_members(find_tree(path, "test"), r"ILSVRC2012_test_\d{8}\.\w+$")


def _check_members(path: Path, pattern: str, inner: str | None = None) -> None:
    """Check that one of the first members has an official name, and that a tar is complete."""
    probed = None if path.is_dir() else PROBED  # a tree may hold other data sets before this one
    names = (member.name for member in islice(members(path, inner), probed))
    if not any(re.search(pattern, name, re.IGNORECASE) for name in names):
        raise ZfnetError(f"{path}: no member has a name like those of the official archive.")
    _check_end(path)


def _check_end(path: Path) -> None:
    """Check that a tar is complete; compressed archives do not show it at their end."""
    if archive_format(path) == "tar":
        check_end(path)


def _check_marks(path: Path) -> None:
    read_marks(path)


def _named(pattern: str, inner: str | None = None) -> Callable[[Path], None]:
    return partial(_check_members, pattern=pattern, inner=inner)


OFFICIAL = {
    "imagenet_train": Official("ILSVRC2012_img_train.tar or its extracted tree", IMAGENET, _check_train),
    "imagenet_val": Official("ILSVRC2012_img_val.tar or its extracted tree", IMAGENET, _check_val),
    "imagenet_devkit": Official("ILSVRC2012_devkit_t12.tar.gz", IMAGENET, check_devkit),
    "imagenet_test": Official("ILSVRC2012_img_test_v10102019.tar or its extracted tree", IMAGENET, _check_test),
    "caltech101": Official(
        "caltech-101.zip, or the 101_ObjectCategories.tar.gz in it",
        CALTECH,
        _named(r"(^|/)101_ObjectCategories/[^/]+/[^/]+\.jpg$", "101_ObjectCategories.tar.gz"),
    ),
    "caltech256": Official(
        "256_ObjectCategories.tar", CALTECH, _named(r"(^|/)256_ObjectCategories/\d{3}\.[^/]+/[^/]+\.jpg$")
    ),
    "voc2012": Official(
        "VOCtrainval_11-May-2012.tar",
        "host.robots.ox.ac.uk/pascal/VOC/voc2012",
        _named(r"(^|/)VOC2012/(Annotations|ImageSets|JPEGImages|Segmentation\w+)/"),
    ),
    "voc2012_test": Official(
        "VOC2012test.tar",
        "host.robots.ox.ac.uk:8080 (needs an account)",
        _named(r"(^|/)VOC2012/(Annotations|ImageSets|JPEGImages|Segmentation\w*)/"),
    ),
    "cifar10": Official(
        "cifar-10-python.tar.gz", "www.cs.toronto.edu/~kriz/cifar.html", _named(r"(^|/)cifar-10-batches-py/\w+")
    ),
    "parts_images": Official("a tar of images of frontal animals", "your own collection", _named(r"\.(jpe?g|png)$")),
    "parts_keypoints": Official("their key points, .json or .csv", "your own collection", _check_marks),
}
