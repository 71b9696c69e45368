"""Names that are checked against the legal ones, with a suggestion for what was probably meant."""

from collections.abc import Collection
from difflib import get_close_matches
from typing import Any

from zfnet.core.errors import ZfnetError

CUTOFF = 0.5  # similarity from 0 to 1: `zfnet` still suggests `zf`


def did_you_mean(name: Any, legal: Collection[Any]) -> str:
    """Return the end of an error sentence: `; did you mean 'conv5'?`, or a full stop if no legal name is close."""
    close = get_close_matches(str(name), [str(candidate) for candidate in legal], 1, cutoff=CUTOFF)
    return f"; did you mean {close[0]!r}?" if close else "."


def require_known(name: Any, legal: Collection[Any], what: str) -> None:
    """Check that `name` is one of the legal names of a `what`.

    Raises
    ------
    ZfnetError
        It is not; the message lists the legal names and suggests the closest one.
    """
    if name not in legal:
        names = ", ".join(map(str, legal))
        raise ZfnetError(f"There is no {what} {name!r}; there are {names}{did_you_mean(name, legal)}")
