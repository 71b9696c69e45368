"""Read the archives to their ends: every header, every name, and the checksums of compressed archives.

The members of a plain tar have no checksums; damage within one is found when its image is decoded.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue

from zfnet.core.errors import ZfnetError
from zfnet.core.progress_bar import track
from zfnet.core.threads import cores
from zfnet.data.readers.imagenet import find_tree, groups
from zfnet.data.readers.members import archive_format, members
from zfnet.data.readers.skipped import Omitted, Skipped

INNER = {"caltech101": "101_ObjectCategories.tar.gz"}
PARTS = {"imagenet_train": "train", "imagenet_val": "val", "imagenet_test": "test"}
TICK = 100  # files between two reports of progress

Found = tuple[list[str], dict[str, list[Omitted]]]


def read_fully(archives: dict[str, Path]) -> Found:
    """Read all archives to their ends, several at a time.

    Parameters
    ----------
    archives : key of config.yaml -> path

    Returns
    -------
    One sentence per problem; and for each archive what its readers would pass over.
    """
    ticks: SimpleQueue[int] = SimpleQueue()
    skipped = {key: Skipped() for key in archives}
    with ThreadPoolExecutor(cores()) as pool:
        tasks = {key: pool.submit(_read, key, path, skipped[key], ticks) for key, path in archives.items()}
        for _ in track(_until_done(list(tasks.values()), ticks), f"verify, files in units of {TICK}"):
            pass
    errors = {key: task.exception() for key, task in tasks.items()}
    problems = [_sentence(key, archives[key], error) for key, error in errors.items() if error]
    return problems, {key: noted.entries() for key, noted in skipped.items() if noted.entries()}


def _read(key: str, path: Path, skipped: Skipped, ticks: "SimpleQueue[int]") -> None:
    for count, _ in enumerate(_files(key, path, skipped)):
        if count % TICK == 0:
            ticks.put(count)


def _files(key: str, path: Path, skipped: Skipped) -> Iterator[object]:
    """Yield once for every file of an archive, having read what carries a checksum."""
    tree = find_tree(path, PARTS[key]) if key in PARTS else path
    if key == "imagenet_train":
        for _, group in groups(tree, skipped):
            yield from group(skipped)
        return
    # Each member of a zip has a checksum; a tar.gz has one at its end.
    is_zip = archive_format(tree) == "zip"
    for member in members(tree, INNER.get(key), skipped):
        if is_zip and not member.where.count(": ") > 1:
            member.read()
        yield member


def _until_done(tasks: list[Future[None]], ticks: "SimpleQueue[int]") -> Iterator[int]:
    while not all(task.done() for task in tasks):
        try:
            yield ticks.get(timeout=0.2)
        except Empty:
            continue


def _sentence(key: str, path: Path, error: BaseException) -> str:
    if isinstance(error, ZfnetError):
        return f"{error} (archives: {key} in config.yaml)"
    if isinstance(error, OSError):
        return f"{path}: cannot be read ({error.strerror}); correct archives: {key} in config.yaml."
    raise error
