"""Names of classes: from torchvision, from a text file or from a run of the workflow; and classes found by their names.

A run stores the ids of its classes (WordNet's, for ImageNet); their words are in the manifest of its training set.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zfnet.core.errors import ZfnetError
from zfnet.core.files import read_json
from zfnet.core.suggest import did_you_mean

LIMIT = 1 << 24  # bytes of a file of names


def read_classes(path: Path, count: int) -> list[str]:
    """Read names of classes from a text file, one per line in the order of the net's outputs.

    Raises
    ------
    ZfnetError
        The file is missing, no text, or does not have `count` names.
    """
    try:
        with path.open("rb") as file:
            text = file.read(LIMIT + 1).decode("utf-8-sig")
    except OSError as error:
        raise ZfnetError(f"{path}: {error.strerror}; expected a text file with a class per line.") from None
    except ValueError:
        raise ZfnetError(f"{path}: not UTF-8 text; expected a class per line.") from None
    names = [line.strip() for line in text.splitlines() if line.strip()]
    if len(names) != count:
        raise ZfnetError(f"{path}: names {len(names)} classes, but the net has {count}; expected one per line.")
    return names


def classes_of(net: Path, ids: Any, count: int) -> list[str]:
    """Return the names of the classes of a net saved by zfnet, in words where the run's manifest lies beside it."""
    if not isinstance(ids, list) or len(ids) != count:
        return []
    words = _words_beside(net) if all(re.fullmatch(r"n\d{8}", str(one)) for one in ids) else {}
    return [str(words.get(str(one), one)) for one in ids]


def _words_beside(net: Path) -> dict[str, Any]:
    """Look for the words in RESULTS/data/*/manifest.json, where the net is RESULTS/runs/RUN/weights.safetensors."""
    for manifest in sorted(net.absolute().parents[min(2, len(net.absolute().parents) - 1)].glob("*/*/manifest.json")):
        try:
            content = read_json(manifest)
        except (ZfnetError, OSError):
            continue  # the words are a comfort; a damaged manifest is reported by the stages that need it
        if isinstance(content, dict) and isinstance(content.get("words"), dict) and content["words"]:
            return content["words"]
    return {}


def find_class(text: str, classes: Sequence[str], count: int) -> int:
    """Return the class with this number or name; parts of a name and small letters will do.

    Raises
    ------
    ZfnetError
        There is no such class, or several; the message lists them.
    """
    if re.fullmatch(r"\d+", text.strip()):
        if int(text) < count:
            return int(text)
        raise ZfnetError(f"There is no class {text}; the net has {count}, 0 to {count - 1}.")
    if not classes:
        raise ZfnetError(
            f"There is no class {text!r}: the names of this net's classes are unknown; give a number, or --classes "
            "FILE with a name per line."
        )
    wanted = _plain(text)
    tests = (
        lambda name: wanted == _plain(name),
        lambda name: wanted in [_plain(part) for part in name.split(",")],
        lambda name: f" {wanted} " in f" {_plain(name)} ",
    )
    for test in tests:
        found = [label for label, name in enumerate(classes) if test(name)]
        if len(found) == 1:
            return found[0]
        if found:
            several = "; ".join(f"{label}: {classes[label]}" for label in found[:10])
            raise ZfnetError(f"{text!r} names {len(found)} classes ({several}); give the number of one.")
    raise ZfnetError(f"There is no class {text!r} among the {count} of this net{did_you_mean(text, classes)}")


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("_", " ").replace("-", " ").split())
