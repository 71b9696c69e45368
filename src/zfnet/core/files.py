"""Writing files so that nothing half-written ever looks finished: write beside, then rename."""

import hashlib
import json
import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from zfnet.core.errors import ZfnetError


def _umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


_UMASK = _umask()
_HOST = socket.gethostname()


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Give a temporary path of the same name, in a hidden folder beside `path`; it moves when the block ends well.

    A folder, since some writers (safetensors) make temporary files of their own beside what they are asked for, which
    a kill leaves behind. Some make files that only their owner may read; the finished file gets the usual permissions.
    The folder's name tells machine and process, so that the next to write the same file can remove what a kill left.

    Raises
    ------
    OSError
        The file cannot be written, also where safetensors has an error of its own for that.
    """
    path = Path(path)
    hidden = path.with_name(f".{path.name}.{_HOST}.{os.getpid()}")
    hidden.mkdir(parents=True, exist_ok=True)
    _remove_left(path)
    try:
        beside = hidden / path.name
        yield beside
        beside.chmod(0o666 & ~_UMASK)
        _to_disk(beside)
        beside.replace(path)
    except SafetensorError as error:
        raise _from_system(error, path) from None
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def remove_unfinished(path: str | Path) -> None:
    """Remove what killed processes of any machine left half-written beside `path`, while no other one writes it.

    The name may be a pattern (`*.tar`).
    """
    path = Path(path)
    for hidden in path.parent.glob(f".{path.name}.*[0-9]"):
        shutil.rmtree(hidden, ignore_errors=True)


def _remove_left(path: Path) -> None:
    """Remove what killed processes of this machine left half-written beside `path`."""
    for hidden in path.parent.glob(f".{escape(path.name)}.{escape(_HOST)}.*"):
        process = hidden.name.rpartition(".")[2]
        if process.isdecimal() and not _is_running(int(process)):
            shutil.rmtree(hidden, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except (OverflowError, PermissionError):  # no number of a process; another user's
        return True
    return True


def _from_system(error: SafetensorError, path: Path) -> Exception:
    """What the system refused safetensors, as the error that everything else raises for it; else the error itself."""
    number = re.search(r"(?:os error|code:) (\d+)", str(error))
    return OSError(int(number[1]), os.strerror(int(number[1])), str(path)) if number else error


def _to_disk(path: Path) -> None:
    """Wait until the content is on the disk: a name may outlive a power cut that its content does not."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def write_text(path: str | Path, text: str) -> None:
    """Write `text` (UTF-8) in one step."""
    with atomic(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_if_changed(path: str | Path, text: str) -> bool:
    """Write `text` only where the file says something else, so that its time stands still otherwise."""
    path = Path(path)
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    write_text(path, text)
    return True


def canonical_json(value: Any) -> str:
    """The one JSON text of `value`: sorted keys, two spaces, a final newline."""
    return json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, default=str) + "\n"


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as canonical JSON in one step."""
    write_text(path, canonical_json(value))


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    ZfnetError
        The file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ZfnetError(f"{path}: no such file; run the workflow step that makes it (snakemake {path}).") from None
    except ValueError as error:
        raise ZfnetError(f"{path}: not valid JSON ({error}); delete it and run the workflow again.") from None


def sha256(path: str | Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_hash(text: str) -> str:
    """Hexadecimal SHA-256 of a text, for stamps and specs."""
    return hashlib.sha256(text.encode()).hexdigest()
