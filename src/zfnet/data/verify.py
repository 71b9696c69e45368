"""A look at the archives before anything is computed: is each there, whole as far as can be seen, and the right one?

Seconds even for ImageNet: only first headers and last blocks are read. What this cannot see (a damaged member, the bad
end of a .gz) the readers report when they come to it.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from zfnet.core.errors import ZfnetError
from zfnet.data.readers.devkit import check_devkit
from zfnet.data.readers.imagenet import find_tree, groups
from zfnet.data.readers.images import is_image
from zfnet.data.readers.keypoints import read_marks
from zfnet.data.readers.members import check_end, kind, members
from zfnet.settings import Archives

LOOK = 10_000  # members among which an archive must show what it is
IMAGENET = "image-net.org (needs an account and consent to its terms)"
CALTECH = "data.caltech.edu"
NEEDED_BY = {  # the devkit tells the classes and their words, of pictures in class folders, too
    "imagenet_train": ("imagenet_val", "imagenet_test"),
    "imagenet_val": ("imagenet_train",),
    "imagenet_devkit": ("imagenet_train", "imagenet_val", "imagenet_test"),
    "voc2012": ("voc2012_test",),
    "parts_images": ("parts_keypoints",),
    "parts_keypoints": ("parts_images",),
}


@dataclass(frozen=True)
class Official:
    """An official archive: names of its files, where they come from, and a check that raises ZfnetError."""

    files: str
    origin: str
    check: Callable[[Path], None]


def check_archives(archives: Archives) -> list[str]:
    """Look at every archive that is named.

    Returns
    -------
    One sentence a problem: what was found where, what was expected, where it comes from, and which key of config.yaml
    to set. Empty if all looks right.
    """
    return [*_check_each(archives), *_check_company(archives)]


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


def _check_company(archives: Archives) -> Iterator[str]:
    """Some archives are of no use without others, and must not be mixed with generated ones."""
    for other, keys in NEEDED_BY.items():
        given = [key for key in keys if getattr(archives, key)]
        if given and not getattr(archives, other):
            place = f"{OFFICIAL[other].files}, from {OFFICIAL[other].origin}"
            yield f"archives: {given[0]} is set in config.yaml, so set {other} too: {place}."


# Checks ---------------------------------------------------------------------------------------------------------------


def _check_train(path: Path) -> None:
    """The first class, with its first picture, and the end."""
    tree = find_tree(path, "train")
    for wnid, group in groups(tree):
        if not any(is_image(member.name) for member in islice(group(), LOOK)):
            raise ZfnetError(f"{path}: its first class, {wnid}, holds no picture.")
        return _check_end(tree)
    raise ZfnetError(f"{path}: there is no tar or folder of a class (n01440764 …) in it.")


def _check_val(path: Path) -> None:
    _check_members(find_tree(path, "val"), r"ILSVRC2012_val_\d{8}\.\w+$")


def _check_test(path: Path) -> None:
    _check_members(find_tree(path, "test"), r"ILSVRC2012_test_\d{8}\.\w+$")


def _check_members(path: Path, pattern: str, inner: str | None = None) -> None:
    """One of the first members is named as in the official archive, and a tar ends as a tar."""
    names = (member.name for member in islice(members(path, inner), LOOK))
    if not any(re.search(pattern, name, re.IGNORECASE) for name in names):
        raise ZfnetError(f"{path}: no member looks like the official ones.")
    _check_end(path)


def _check_end(path: Path) -> None:
    """Only a plain tar tells by its end whether it is whole."""
    if kind(path) == "tar":
        check_end(path)


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
    "parts_images": Official("a tar of pictures of frontal animals", "your own choice", _named(r"\.(jpe?g|png)$")),
    "parts_keypoints": Official(
        "their key points, .json or .csv", "your own choice", lambda path: read_marks(path) and None
    ),
}
