"""One policy for all parsers: whatever they raise on bad input becomes a sentence, and input is bounded beforehand.

Parsers of the standard library and of others raise almost anything on hostile bytes: LookupError (XML encodings),
OverflowError (pickles), RecursionError (JSON), struct.error, MemoryError. So a parser runs inside `reading`, which
names the file, the reason and the next step. Limits on bytes and nesting are checked before the parser runs.
"""

import json
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zfnet.core.errors import Stopped, ZfnetError, first_line

JSON_BYTES = 1 << 28  # the largest of our own, the list of near-duplicates, has a few million
JSON_DEPTH = 64
_JSON_NOT_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[^"\[\]{}]++', re.DOTALL)  # strings, and all else


@contextmanager
def reading(where: object, what: str, advice: str) -> Iterator[None]:
    """Convert any error of a parser in the block to "where: not what (reason); advice."

    Parameters
    ----------
    where : the file, or "archive: member"
    what : a format with its article, such as "a MATLAB 5 file"
    advice : the next step, without a full stop

    Raises
    ------
    ZfnetError
        The block raised an exception. A ZfnetError and a missing file pass unchanged.
    """
    try:
        yield
    except (ZfnetError, Stopped, FileNotFoundError):
        raise
    except Exception as error:
        raise ZfnetError(f"{where}: not {what} ({reason(error)}); {advice}.") from None


def reason(error: Exception) -> str:
    """Return an error's first line, in words where the library gives none, and never longer than a line."""
    match error:
        case MemoryError():
            return "it needs more memory than is free"
        case RecursionError():
            return "it is nested too deeply"
        case OSError(strerror=str(text)):
            return text
        case KeyError() | IndexError() | AttributeError():
            return f"{type(error).__name__}: {first_line(error)}"[:200]
    text = first_line(error)[:200]
    return text if text.isprintable() else ascii(text)


def read_limited(path: str | Path, limit: int) -> bytes:
    """Return the content of a regular file of at most `limit` bytes.

    Raises
    ------
    OSError
        It is missing or cannot be read.
    ValueError
        It is larger, or a pipe or device, which could wait or go on for ever.
    """
    path = Path(path)
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("a folder, pipe or device, expected a file")
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"more than {limit} bytes")
    return content


def parse_json(content: bytes | str) -> Any:
    """Parse JSON, whose brackets are nested at most JSON_DEPTH deep.

    Raises
    ------
    ValueError
        It is not UTF-8, not JSON, or nested too deeply.
    """
    text = content if isinstance(content, str) else content.decode()
    check_depth(text)
    return json.loads(text)


def check_depth(text: str) -> None:
    """Check that the brackets of JSON are nested at most JSON_DEPTH deep.

    Raises
    ------
    ValueError
        They are nested deeper, or do not close.
    """
    if text.count("[") + text.count("{") <= JSON_DEPTH:
        return
    brackets = _JSON_NOT_BRACKETS.sub("", text).replace("{", "[").replace("}", "]")
    for _ in range(JSON_DEPTH):  # remove the innermost pairs, level by level
        brackets = brackets.replace("[]", "")
    if "[" in brackets:
        raise ValueError(f"its brackets do not close, or are nested more than {JSON_DEPTH} deep")
