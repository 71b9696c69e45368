r"""Names from archives, file systems and tables: the one place that decides what becomes of strange ones.

Names are compared as sequences of code points, after empty and "." parts of a path are dropped. Two readings exist,
both reversible:

* `readable`, for class names, messages and the manifest: characters that are not printable (control characters, line
  breaks, bytes that are not UTF-8) become Python's escapes, such as \n or \udce9. Names in archives hold no backslash.
* `key_part`, for keys of images: letters, digits, "-" and "_" stay. Other printable ASCII characters become "_", as in
  all keys of official archives. Any other character becomes its hexadecimal code between underscores (é: "_e9_"), so
  é as one code point (NFC) and as two (NFD) give different keys. A part longer than PART_LIMIT ends with a hash
  instead; the manifest then lists its name.
"""

import re
import unicodedata
from collections.abc import Iterable
from hashlib import blake2b

from zfnet.core.errors import ZfnetError

PART_LIMIT = 90  # characters of each part of a key: a tar has room for 100 in a name
_RESERVED = re.compile(r"__.*__")  # WebDataset skips members with such a part


def clean_path(name: str) -> str:
    """Return a path without empty and "." parts."""
    if "//" in name or "." in name.split("/") or name.endswith("/"):
        return "/".join(part for part in name.split("/") if part not in ("", "."))
    return name


def readable(name: str) -> str:
    """Return the name with escapes for all characters that are not printable."""
    if name.isprintable():
        return name
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def key_part(name: str) -> str:
    """Return a name as one part of a key, [A-Za-z0-9_-]{1,PART_LIMIT}."""
    part = re.sub(r"[^A-Za-z0-9_-]", _replacement, name)
    if _RESERVED.fullmatch(part) or not part:
        part = "_5f" + part  # the code of the underscore
    if len(part) > PART_LIMIT:
        digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        part = f"{part[: PART_LIMIT - len(digest) - 1]}-{digest}"
    return part


def is_shortened(key: str) -> bool:
    """Return whether a part of a key may lack the end of its name."""
    return any(len(part) >= PART_LIMIT for part in key.split("/"))


def _replacement(match: re.Match[str]) -> str:
    character = match[0]
    return "_" if " " <= character <= "~" else f"_{ord(character):x}_"


def same_name(name: str) -> str:
    """Return the form in which names of one file are equal on all systems: NFC, as Windows and Linux write them."""
    return unicodedata.normalize("NFC", name)


def is_hidden(name: str) -> bool:
    """Return whether a path holds a part that systems and editors add: .DS_Store, ._x.jpg, .nfs0001, __MACOSX, …"""
    return name.startswith(".") or "/." in name or "__MACOSX" in name or name.endswith(("Thumbs.db", "desktop.ini"))


def check_names(folders: Iterable[str], where: object) -> None:
    """Refuse class folders whose names differ only in the form of their accents, which one system takes for one folder.

    Raises
    ------
    ZfnetError
        Two names are equal after normalisation.
    """
    seen: dict[str, str] = {}
    for folder in folders:
        other = seen.setdefault(same_name(folder), folder)
        if other != folder:
            raise ZfnetError(
                f"{where}: two class folders look alike, {other!a} and {folder!a}: one name in two Unicode"
                " forms (NFC and NFD), as copies between macOS and other systems leave; merge them into one folder."
            )
