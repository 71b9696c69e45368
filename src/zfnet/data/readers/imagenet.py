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

from zfnet.core.errors import ZfnetError
from zfnet.data.readers.devkit import Devkit, read_devkit
from zfnet.data.readers.images import EncodedImage, Source, is_image, make_key
from zfnet.data.readers.members import Member, archive_format, members, tar_members
from zfnet.settings import Subset

WNID = re.compile(r"n\d{8}")
EVERYTHING = Subset()
FORMS = "expected ILSVRC2012_img_train.tar (138 GB, from image-net.org), its class tars, or a folder per class"
SET_DEVKIT = "set archives: imagenet_devkit in config.yaml to the matching one"
Group = tuple[str, Callable[[], Iterator[Member]]]


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
    source = _by_class("imagenet-train", find_tree(path, "train"), kit, kit.counts, subset)
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
    kit, tree = _kit(devkit), find_tree(path, "test")
    classes = choose(kit.words, subset.classes, subset.seed)

    def images() -> Iterator[EncodedImage]:
        for member in _image_members(members(tree)):
            yield EncodedImage(make_key(member.stem), -1, member.read(), member.where)

    return Source("imagenet-test", classes, _words(kit, classes), _archives(path, devkit), images)


def choose(names: Iterable[str], count: int | None, seed: int) -> list[str]:
    """Choose `count` of `names` (None: all), sorted.

    The choice depends only on the set of names and the seed, and a larger choice contains every smaller one.
    """
    ranked = sorted(names, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())
    return sorted(ranked[:count])


# Layouts --------------------------------------------------------------------------------------------------------------


def _by_class(name: str, tree: Path, kit: Devkit, counts: Mapping[str, int], subset: Subset) -> Source:
    """Read images in one tar or folder per class; `counts` holds their numbers, if known."""
    present = {wnid for wnid, _ in groups(tree)}
    classes = choose(kit.words or present, subset.classes, subset.seed)
    _check_classes(classes, present, tree)
    labels = {wnid: label for label, wnid in enumerate(classes)}

    def images() -> Iterator[EncodedImage]:
        for wnid, group in groups(tree):
            if wnid in labels:
                chosen = _choose_members(group, subset, f"{tree}: {wnid}", counts.get(wnid))
                yield from (_encoded(member, wnid, labels) for member in chosen)

    expected = sum(min(counts[wnid], subset.images_per_class or counts[wnid]) for wnid in classes) if counts else None
    return Source(name, classes, _words(kit, classes), [], images, expected)


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

    def images() -> Iterator[EncodedImage]:
        for member in _image_members(members(tree)):
            if member.stem not in kit.truth:
                raise ZfnetError(f"{member.where}: the devkit has no label for this image; {SET_DEVKIT}.")
            if member.stem in chosen:
                yield _encoded(member, kit.truth[member.stem], labels)

    return Source(name, classes, _words(kit, classes), [], images, len(chosen))


def groups(tree: Path) -> Iterator[Group]:
    """Yield each class with a function that iterates over its members."""
    layout = archive_format(tree)
    if layout == "folder":
        entries = [path for path in sorted(tree.iterdir()) if path.is_dir() or path.suffix == ".tar"]
        groups = ((path.name.removesuffix(".tar"), partial(members, path)) for path in entries)
    elif layout == "tar":
        tars = (member for member in members(tree) if member.name.endswith(".tar"))
        groups = ((member.stem, partial(_inner, member)) for member in tars)
    else:
        raise ZfnetError(f"{tree}: this is a {layout} file; {FORMS}.")
    yield from (group for group in groups if WNID.fullmatch(group[0]))


def _inner(member: Member) -> Iterator[Member]:
    return tar_members(member.open(), member.where)


def find_tree(path: Path, part: str) -> Path:
    """Return the folder of this part in Kaggle's tree, else `path` itself."""
    path = Path(path)
    for place in ("ILSVRC/Data/CLS-LOC", "Data/CLS-LOC", "."):
        if (path / place / part).is_dir():
            return path / place / part
    return path


# Details --------------------------------------------------------------------------------------------------------------


def _choose_members(
    group: Callable[[], Iterator[Member]], subset: Subset, where: str, expected: int | None
) -> Iterator[Member]:
    """Return the chosen images of one class. A choice needs all names, so it costs a first pass over the headers."""
    if subset.images_per_class is None:
        return _image_members(group())
    stems = [member.stem for member in _image_members(group())]
    if expected not in (None, len(stems)):  # choosing from fewer images would silently give others
        raise ZfnetError(f"{where}: {len(stems)} images, the devkit says {expected}; copy them again, or {SET_DEVKIT}.")
    chosen = set(choose(stems, subset.images_per_class, subset.seed))
    return (member for member in _image_members(group()) if member.stem in chosen)


def _image_members(all_members: Iterator[Member]) -> Iterator[Member]:
    return (member for member in all_members if is_image(member.name))


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
