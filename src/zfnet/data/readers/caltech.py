"""Caltech-101 and Caltech-256 (ZF sect. 5.2): a folder per class in one archive.

Whether the folder of background images (BACKGROUND_Google, 257.clutter) counts as a class is a setting (D24). The
official archives hold stray files (a `tmp` in the background, `RENAME2` in the spiders, a folder in the dogs): only
images directly in a class folder count, 9,144 and 30,607 of them.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from zfnet.core.errors import ZfnetError
from zfnet.data.readers.images import EncodedImage, Source, is_image, make_key
from zfnet.data.readers.members import Member, members
from zfnet.data.readers.names import check_names, readable
from zfnet.data.readers.skipped import NO_IMAGE, UNWANTED, Skipped


def caltech101(path: Path, background: bool = True) -> Source:
    """Open Caltech-101.

    Parameters
    ----------
    path : 101_ObjectCategories.tar.gz, the caltech-101.zip around it, or the extracted folder
    background : whether BACKGROUND_Google is the 102nd class

    Raises
    ------
    ZfnetError
        The archive is missing, damaged, or a different one.
    """
    return _source("caltech101", path, "101_ObjectCategories", None if background else "BACKGROUND_Google")


def caltech256(path: Path, background: bool = True) -> Source:
    """Open Caltech-256.

    Parameters
    ----------
    path : 256_ObjectCategories.tar or the extracted folder
    background : whether 257.clutter is the 257th class

    Raises
    ------
    ZfnetError
        The archive is missing, damaged, or a different one.
    """
    return _source("caltech256", path, "256_ObjectCategories", None if background else "257.clutter")


def _source(name: str, path: Path, root: str, without: str | None) -> Source:
    path, skipped = Path(path), Skipped()
    read_members = partial(_image_members, path, root, without)
    folders = [member.parts[-2] for member in read_members(Skipped())]  # a first pass, to number the classes
    if not folders:
        raise ZfnetError(f"{path}: no image below a folder {root}; expected the archive {root}.tar of Caltech.")
    labels = {folder: label for label, folder in enumerate(sorted(set(folders)))}
    check_names(labels, path)

    def images() -> Iterator[EncodedImage]:
        skipped.clear()
        for member in read_members(skipped):
            folder = member.parts[-2]
            yield EncodedImage(make_key(folder, member.stem), labels[folder], member.read(), member.where)

    classes = [readable(folder) for folder in labels]
    return Source(name, classes, {word: _word(word) for word in classes}, [path], images, len(folders), skipped)


def _image_members(path: Path, root: str, without: str | None, skipped: Skipped) -> Iterator[Member]:
    """Yield the members root/CLASS/image."""
    for member in members(path, f"{root}.tar.gz", skipped):
        if member.parts[-3:-2] != (root,) or not is_image(member.name):
            skipped.add(NO_IMAGE, member.where)
        elif member.parts[-2] == without:
            skipped.add(UNWANTED, member.where)
        else:
            yield member


def _word(folder: str) -> str:
    """Return a readable class name: "003.backpack" -> "backpack", "BACKGROUND_Google" -> "BACKGROUND Google"."""
    return folder.split(".", 1)[-1].replace("_", " ")
