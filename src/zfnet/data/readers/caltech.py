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
    path = Path(path)
    read_members = partial(_image_members, path, root, without)
    folders = [member.parts[-2] for member in read_members()]  # a first pass over the names, to number the classes
    if not folders:
        raise ZfnetError(f"{path}: no image below a folder {root}; expected the archive {root}.tar of Caltech.")
    classes = sorted(set(folders))
    labels = {folder: label for label, folder in enumerate(classes)}

    def images() -> Iterator[EncodedImage]:
        for member in read_members():
            folder = member.parts[-2]
            yield EncodedImage(make_key(folder, member.stem), labels[folder], member.read(), member.where)

    return Source(name, classes, {folder: _word(folder) for folder in classes}, [path], images, len(folders))


def _image_members(path: Path, root: str, without: str | None) -> Iterator[Member]:
    """Yield the members root/CLASS/image."""
    for member in members(path, inner=f"{root}.tar.gz"):
        if member.parts[-3:-2] == (root,) and member.parts[-2] != without and is_image(member.name):
            yield member


def _word(folder: str) -> str:
    """Return a readable class name: "003.backpack" -> "backpack", "BACKGROUND_Google" -> "BACKGROUND Google"."""
    return folder.split(".", 1)[-1].replace("_", " ")
