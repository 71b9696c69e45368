"""Which image of an archive a file name in a table means.

A name that is there as it stands is meant. Otherwise names are compared without their suffixes and in one Unicode
form. With folders, the folders must agree as far as both have some. A name whose folders are other ones is accepted if
nothing else can be meant.
"""

from collections.abc import Iterable
from posixpath import splitext

from zfnet.core.errors import ZfnetError
from zfnet.data.readers.names import clean_path, readable, same_name


def match(files: Iterable[str], members: Iterable[str], where: object) -> dict[str, str]:
    """Return the member that each file name means; names without one are left out.

    Parameters
    ----------
    files : names as a table gives them, with or without folders and suffix
    members : names of the images in the archive
    where : the table, for messages

    Raises
    ------
    ZfnetError
        A name could mean several images.
    """
    files = list(dict.fromkeys(files))
    by_stem: dict[str, list[str]] = {stem: [] for stem in map(_stem, files)}
    for member in members:
        if (stem := _stem(member)) in by_stem:
            by_stem[stem].append(member)
    alone = {stem for stem, names in by_stem.items() if len(names) == 1} - _shared(files)
    found = {file: _best(file, by_stem[_stem(file)], _stem(file) in alone, where) for file in files}
    return {file: member for file, member in found.items() if member is not None}


def _best(file: str, candidates: list[str], alone: bool, where: object) -> str | None:
    if alone or file in candidates:
        return candidates[0] if alone else file
    fitting = [member for member in candidates if _agree(_folders(file), _folders(member))]
    exact = [member for member in fitting if splitext(member)[1] == splitext(file)[1]]
    fitting = exact or fitting
    if len(fitting) > 1:
        raise ZfnetError(
            f"{where}: {readable(file)} could be {readable(fitting[0])} or {readable(fitting[1])}; give file names with"
            " their folders and suffixes, as in the archive."
        )
    return fitting[0] if fitting else None


def _agree(one: list[str], other: list[str]) -> bool:
    """Return whether two lists of folders end alike, as far as the shorter one reaches."""
    count = min(len(one), len(other))
    return not count or one[-count:] == other[-count:]


def _shared(files: list[str]) -> set[str]:
    """Return the names that several files have."""
    seen: set[str] = set()
    return {stem for stem in map(_stem, files) if stem in seen or seen.add(stem)}  # type: ignore[func-returns-value]


def _folders(name: str) -> list[str]:
    return same_name(clean_path(name.replace("\\", "/"))).split("/")[:-1]


def _stem(name: str) -> str:
    return splitext(same_name(name.replace("\\", "/")).rpartition("/")[2])[0]
