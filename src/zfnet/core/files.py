"""Atomic file writes: write to a temporary file, then rename, so that a half-written file never looks finished."""

import hashlib
import json
import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from zfnet.core.errors import ZfnetError
from zfnet.core.parsing import JSON_BYTES, parse_json, read_limited, reading


def _umask() -> int:
    """Return the process's umask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


_UMASK = _umask()
_HOST = socket.gethostname()


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in a hidden folder next to `path`; rename it to `path` if the block succeeds.

    A folder, because some writers (safetensors) create temporary files of their own next to their target, which a
    kill leaves behind. Some writers create files that only their owner may read; the finished file gets the usual
    permissions. The folder's name holds host and process id, so that the next writer of the same file can remove what
    a killed one left.

    Raises
    ------
    OSError
        The file cannot be written; errors of safetensors are converted to it.
    """
    path = Path(path)
    hidden = path.with_name(f".{path.name}.{_HOST}.{os.getpid()}")
    hidden.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    try:
        temporary = hidden / path.name
        yield temporary
        publish(temporary, path)
    except SafetensorError as error:
        raise _as_os_error(error, path) from None
    except OSError as error:
        if error.filename is None:  # a full disk does not say which file did not fit
            error.filename = str(path)
        raise
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def publish(temporary: Path, path: Path) -> None:
    """Give a finished file of the same folder its name, with the usual permissions, once its content is on disk."""
    with suppress(PermissionError):  # some file systems (CIFS, exFAT, S3) have no permissions
        temporary.chmod(0o666 & ~_UMASK)
    _flush_to_disk(temporary)
    temporary.replace(path)


def remove_unfinished(path: str | Path) -> None:
    """Remove half-written files next to `path` left by killed processes of any machine. Nothing may be writing it.

    The name may be a pattern (`*.tar`).
    """
    path = Path(path)
    for hidden in path.parent.glob(f".{path.name}.*[0-9]"):
        shutil.rmtree(hidden, ignore_errors=True)


def _remove_leftovers(path: Path) -> None:
    """Remove half-written files next to `path` left by killed processes of this machine."""
    for hidden in path.parent.glob(f".{escape(path.name)}.{escape(_HOST)}.*"):
        process = hidden.name.rpartition(".")[2]
        if process.isdecimal() and not _is_running(int(process)):
            shutil.rmtree(hidden, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except (OverflowError, PermissionError):  # not a process id; a process of another user
        return True
    return True


def _as_os_error(error: SafetensorError, path: Path) -> Exception:
    """Return the OSError behind an error of safetensors; the error itself if there is none."""
    number = re.search(r"(?:os error|code:) (\d+)", str(error))
    return OSError(int(number[1]), os.strerror(int(number[1])), str(path)) if number else error


def _flush_to_disk(path: Path) -> None:
    """Wait until the content is on disk: a rename may survive a power cut that the content does not."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def write_text(path: str | Path, text: str) -> None:
    """Write `text` (UTF-8) atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_if_changed(path: str | Path, text: str) -> bool:
    """Write `text` only if the file's content differs, so that its time is kept; return whether it was written."""
    path = Path(path)
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    write_text(path, text)
    return True


def canonical_json(value: Any) -> str:
    """Return the canonical JSON text of `value`: sorted keys, two spaces, a final newline."""
    return json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, default=str) + "\n"


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as canonical JSON, atomically."""
    write_text(path, canonical_json(value))


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    ZfnetError
        The file is missing, is not JSON, is larger than JSON_BYTES or is nested deeper than JSON_DEPTH.
    """
    try:
        with reading(path, "valid JSON", "delete it and run the workflow again"):
            return parse_json(read_limited(path, JSON_BYTES))
    except FileNotFoundError:
        raise ZfnetError(f"{path}: no such file; run the workflow step that makes it (snakemake {path}).") from None


def sha256(path: str | Path) -> str:
    """Return the hexadecimal SHA-256 of a file's content."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_hash(text: str) -> str:
    """Return the hexadecimal SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
