"""ILSVRC-2012 (ZF sect. 3, K sect. 2), in all common layouts.

Training images: the official tar with one tar per class, a folder of those tars, or a folder per class. Validation
images: the official tar, a folder with all of them, or a folder per class. Kaggle's tree
(ILSVRC/Data/CLS-LOC/{train,val,test}) is found below the given folder. Class names and labels come from the devkit, or
from Kaggle's LOC_synset_mapping.txt and LOC_val_solution.csv.

Labels are indices into the sorted WordNet ids in use: neither the devkit's ids nor the order of an archive matter. The
official tar of 138 GB is read once, class after class. Using only some images of a class costs a second pass over the
headers of that class's tar (1,300 blocks of 512 bytes); other classes are skipped unread.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from zfnet.core.errors import ZfnetError
from zfnet.data.readers.devkit import Devkit, read_devkit
from zfnet.data.readers.images import EncodedImage, Source, is_image, make_key
from zfnet.data.readers.members import Member, archive_format, members, tar_members
from zfnet.data.readers.skipped import NO_CLASS, NO_IMAGE, Skipped
from zfnet.settings import Subset

WNID = re.compile(r"n\d{8}")
EVERYTHING = Subset()
FORMS = "expected ILSVRC2012_img_train.tar (138 GB, from image-net.org), its class tars, or a folder per class"
SET_DEVKIT = "set archives: imagenet_devkit in config.yaml to the matching one"
NONE: Mapping[str, int] = {}
Group = tuple[str, Callable[[Skipped], Iterator[Member]]]


class Expected(NamedTuple):
    """The number of training images of a class that the devkit or Kaggle's tables tell."""

    exactly: int | None
    at_least: int

    def check(self, count: int, where: str) -> None:
        """Raise a ZfnetError if a class has another number of images."""
        if self.exactly not in (None, count) or count < self.at_least:
            told = f"at least {self.at_least}" if self.exactly is None else self.exactly
            raise ZfnetError(f"{where}: {count} images, the devkit says {told}; copy them again, or {SET_DEVKIT}.")


def train(path: Path, devkit: Path | None, subset: Subset = EVERYTHING) -> Source:
    """Open the training set.

    Parameters
    ----------
    path : ILSVRC2012_img_train.tar, a folder of its class tars, a tree of class folders, or Kaggle's folder
    devkit : ILSVRC2012_devkit_t12.tar.gz, its extracted folder, or the folder of Kaggle's LOC_ tables; without it the
        classes are those of the archive, and have no names
    subset : how many classes, and images per class, to use; chosen by a hash of seed and name

    Raises
    ------
    ZfnetError
        A file is missing, damaged or not the expected one, or the archive lacks a class of the devkit.
    """
    kit = _kit(devkit)
    source = _by_class("imagenet-train", find_tree(path, "train"), kit, kit.counts, subset, kit.at_least)
    source.archives = _archives(path, devkit)
    return source


def val(path: Path, devkit: Path | None, subset: Subset = EVERYTHING) -> Source:
    """Open the validation set. The same devkit and subset give the same classes as `train`.

    Parameters
    ----------
    path : ILSVRC2012_img_val.tar, a folder of its images, a tree of class folders, or Kaggle's folder
    devkit, subset : as in `train`; the devkit also provides the labels of images that are not in class folders

    Raises
    ------
    ZfnetError
        A file is missing, damaged or not the expected one, or an image has no label.
    """
    tree, kit = find_tree(path, "val"), _kit(devkit)
    by_class = tree.is_dir() and any(WNID.fullmatch(entry.name) for entry in tree.iterdir())
    if by_class:
        source = _by_class("imagenet-val", tree, kit, Counter(kit.truth.values()), subset)
    else:
        source = _by_truth("imagenet-val", tree, kit, subset)
    source.archives = _archives(path, devkit)
    return source


def test(path: Path, devkit: Path | None, subset: Subset = EVERYTHING) -> Source:
    """Open the test set. Only the server knows its labels: every label is -1, and `subset` only selects the classes."""
    kit, tree, skipped = _kit(devkit), find_tree(path, "test"), Skipped()
    classes = choose(kit.words, subset.classes, subset.seed)

    def images() -> Iterator[EncodedImage]:
        skipped.clear()
        for member in _image_members(members(tree, skipped=skipped), skipped):
            yield EncodedImage(make_key(member.stem), -1, member.read(), member.where)

    return Source("imagenet-test", classes, _words(kit, classes), _archives(path, devkit), images, skipped=skipped)


def choose(names: Iterable[str], count: int | None, seed: int) -> list[str]:
    """Choose `count` of `names` (None: all), sorted.

    The choice depends only on the set of names and the seed, and a larger choice contains every smaller one.
    """
    ranked = sorted(names, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())
    return sorted(ranked[:count])


# Layouts --------------------------------------------------------------------------------------------------------------


def _by_class(
    name: str, tree: Path, kit: Devkit, counts: Mapping[str, int], subset: Subset, at_least: Mapping[str, int] = NONE
) -> Source:
    """Read images in one tar or folder per class; `counts` and `at_least` hold their numbers, if known."""
    present = {wnid for wnid, _ in groups(tree)}
    classes = choose(kit.words or present, subset.classes, subset.seed)
    _check_classes(classes, present, tree)
    labels, skipped = {wnid: label for label, wnid in enumerate(classes)}, Skipped()

    def images() -> Iterator[EncodedImage]:
        skipped.clear()
        for wnid, group in groups(tree, skipped):
            if wnid in labels:
                expected = Expected(counts.get(wnid), at_least.get(wnid, 0))
                for member in _choose_members(group, subset, f"{tree}: {wnid}", expected, skipped):
                    yield _encoded(member, wnid, labels)

    expected = sum(min(counts[wnid], subset.images_per_class or counts[wnid]) for wnid in classes) if counts else None
    return Source(name, classes, _words(kit, classes), [], images, expected, skipped)


def _by_truth(name: str, tree: Path, kit: Devkit, subset: Subset) -> Source:
    """Read images in a single folder, whose labels are in the devkit."""
    if not kit.truth:
        raise ZfnetError(f"{tree}: the labels of these images are in ILSVRC2012_devkit_t12.tar.gz; {SET_DEVKIT}.")
    classes = choose(kit.words, subset.classes, subset.seed)
    labels = {wnid: label for label, wnid in enumerate(classes)}
    stems: dict[str, list[str]] = {wnid: [] for wnid in kit.words}
    for stem, wnid in kit.truth.items():
        stems.setdefault(wnid, []).append(stem)
    chosen = {stem for wnid in classes for stem in choose(stems[wnid], subset.images_per_class, subset.seed)}

    skipped = Skipped()

    def images() -> Iterator[EncodedImage]:
        skipped.clear()
        for member in _image_members(members(tree, skipped=skipped), skipped):
            if member.stem not in kit.truth:
                raise ZfnetError(f"{member.where}: the devkit has no label for this image; {SET_DEVKIT}.")
            if member.stem in chosen:
                yield _encoded(member, kit.truth[member.stem], labels)

    return Source(name, classes, _words(kit, classes), [], images, len(chosen), skipped)


def groups(tree: Path, skipped: Skipped | None = None) -> Iterator[Group]:
    """Yield each class with a function that iterates over its members and notes in its argument what it passes over."""
    layout, skipped = archive_format(tree), skipped or Skipped()
    if layout == "folder":
        found = _folder_groups(tree)
    elif layout == "tar":
        found = ((member.name, member.where, partial(_inner, member)) for member in members(tree, skipped=skipped))
    else:
        raise ZfnetError(f"{tree}: this is a {layout} file; {FORMS}.")
    for name, where, group in found:
        wnid = name.rpartition("/")[2].removesuffix(".tar")
        if WNID.fullmatch(wnid):
            yield wnid, group
        else:
            skipped.add(NO_CLASS, where)


def _folder_groups(tree: Path) -> Iterator[tuple[str, str, Callable[[Skipped], Iterator[Member]]]]:
    for path in sorted(tree.iterdir()):
        if path.is_dir() or path.suffix == ".tar":
            yield path.name, str(path), partial(_outer, path)


def _outer(path: Path, skipped: Skipped) -> Iterator[Member]:
    return members(path, skipped=skipped)


def _inner(member: Member, skipped: Skipped) -> Iterator[Member]:
    return tar_members(member.open(), member.where, skipped)


def find_tree(path: Path, part: str) -> Path:
    """Return the folder of this part in Kaggle's tree, else `path` itself."""
    path = Path(path)
    for place in ("ILSVRC/Data/CLS-LOC", "Data/CLS-LOC", "."):
        if (path / place / part).is_dir():
            return path / place / part
    return path


# Details --------------------------------------------------------------------------------------------------------------


def _choose_members(
    group: Callable[[Skipped], Iterator[Member]], subset: Subset, where: str, expected: Expected, skipped: Skipped
) -> Iterator[Member]:
    """Yield the chosen images of one class. A choice needs all names, so it costs a first pass over the headers."""
    if subset.images_per_class is None:
        count = 0
        for member in _image_members(group(skipped), skipped):
            count += 1
            yield member
        return Expected(None, expected.at_least).check(count, where)  # the writer compares the exact total
    stems = [member.stem for member in _image_members(group(Skipped()), Skipped())]
    expected.check(len(stems), where)  # choosing from fewer images would silently give others
    chosen = set(choose(stems, subset.images_per_class, subset.seed))
    yield from (member for member in _image_members(group(skipped), skipped) if member.stem in chosen)


def _image_members(all_members: Iterator[Member], skipped: Skipped) -> Iterator[Member]:
    for member in all_members:
        if is_image(member.name):
            yield member
        else:
            skipped.add(NO_IMAGE, member.where)


def _encoded(member: Member, wnid: str, labels: dict[str, int]) -> EncodedImage:
    return EncodedImage(make_key(wnid, member.stem), labels[wnid], member.read(), member.where)


def _check_classes(classes: list[str], present: set[str], tree: Path) -> None:
    missing = [wnid for wnid in classes if wnid not in present]
    if not present:
        raise ZfnetError(f"{tree}: it holds no tar or folder of a class (n01440764 …); {FORMS}.")
    if missing:
        raise ZfnetError(
            f"{tree}: {len(missing)} of the {len(classes)} classes of the devkit are missing, such as {missing[0]};"
            " copy the archive again, or use the matching devkit."
        )


def _kit(devkit: Path | None) -> Devkit:
    return read_devkit(devkit) if devkit else Devkit({}, {}, {})


def _words(kit: Devkit, classes: list[str]) -> dict[str, str]:
    return {wnid: kit.words[wnid] for wnid in classes if wnid in kit.words}


def _archives(path: Path, devkit: Path | None) -> list[Path]:
    return [Path(path), Path(devkit)] if devkit else [Path(path)]
