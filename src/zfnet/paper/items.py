"""The register of all tables and figures (items.yaml), and the vocabulary in which their inputs are written.

This module needs neither torch nor pandas, because the workflow reads it before any job starts.

Inputs are a mapping with three keys, all optional:

`files` : paths below results/PRESET. `{NET}` is the first training of a net, such as `zf-s1` for `{zf}`; `{NET*}` is
    each of its trainings, and `{looked-at}` each net that visualize/ looks at.
`evaluations` : nets; stands for the errors and the predictions of all their trainings.
`evaluations_if_trained` : nets that only some settings train; the same for those that these settings train.
"""

import pkgutil
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from zfnet.core.errors import ZfnetError
from zfnet.core.suggest import require_known
from zfnet.training.experiments import run_name, variant_of

SHOWN = "zf"  # the net whose first training Figures 2-8 and Table 1 show
EVALUATION = ("evaluation.json", "predictions.safetensors")
LOOKED_AT = "looked-at"
_NET = re.compile(r"\{([\w-]+)(\*?)\}")  # {zf}, {zf*}


@dataclass(frozen=True)
class Item:
    """A table or figure as items.yaml registers it; the file's head explains the fields."""

    name: str
    module: str
    title: str
    caption: str
    look: str
    chapter: str
    category: str
    label: str
    decisions: tuple[str, ...]
    inputs: Mapping[str, Sequence[str]]
    sources: tuple[str, ...]
    alt: str = ""

    @property
    def folder(self) -> str:
        """The folder of its files below results/PRESET: `tables` or `figures`."""
        return self.module.split(".")[0]

    @property
    def number(self) -> str:
        """'Table 2' of table2, '' of an item without a number."""
        match = re.fullmatch(r"(table|figure)(\d+)", self.name)
        return f"{match[1].capitalize()} {match[2]}" if match else ""

    @property
    def heading(self) -> str:
        """Its number, if it has one, and its caption: 'Table 4. Caltech-101 accuracy (%)'."""
        return ". ".join(filter(None, [self.number, self.caption]))

    def load(self) -> Any:
        """Return the Table or Figure that makes it.

        Raises
        ------
        ZfnetError
            Its module, or the object in it, does not exist.
        """
        try:
            return pkgutil.resolve_name(f"zfnet.paper.{self.module}")
        except (ImportError, AttributeError, ValueError) as error:
            raise ZfnetError(f"items.yaml: {self.name}: module {self.module} cannot be loaded: {error}.") from error


@cache
def items(folder: str = "") -> dict[str, Item]:
    """Return all items by name, or those of one folder (`tables`, `figures`)."""
    text = Path(__file__).with_name("items.yaml").read_text(encoding="utf-8")
    registered = {name: _item(name, entry) for name, entry in yaml.safe_load(text).items()}
    return {name: item for name, item in registered.items() if folder in ("", item.folder)}


def _item(name: str, entry: Mapping[str, Any]) -> Item:
    """Return an item, after checking that its entry in items.yaml has the right fields."""
    required = {field.name: field.default is MISSING for field in fields(Item) if field.name != "name"}
    for field in entry:
        require_known(field, required, f"field of {name} in items.yaml")
    missing = [field for field, needed in required.items() if needed and field not in entry]
    if missing:
        raise ZfnetError(f"items.yaml: {name} has no {', '.join(missing)}; the file's head explains the fields.")
    return Item(name, **entry)


def find(name: str, folder: str) -> Any:
    """Return the Table or Figure of this name.

    Raises
    ------
    ZfnetError
        There is no such item in this folder (`tables`, `figures`).
    """
    known = items(folder)
    if name not in known:
        raise ZfnetError(f"There is no {folder.removesuffix('s')} {name!r}; choose one of {', '.join(known)}.")
    return known[name].load()


def input_paths(inputs: Mapping[str, Iterable[str]], runs: Sequence[str], looked_at: Sequence[str] = ()) -> list[str]:
    """Return the paths below results/PRESET that `inputs` stand for.

    Parameters
    ----------
    inputs : in the vocabulary of this module.
    runs : names of all trainings; those of one net in the order of their seeds.
    looked_at : names of the trainings that visualize/ looks at.
    """
    optional = set(inputs.get("evaluations_if_trained", ())) & set(map(variant_of, runs))
    nets = (*inputs.get("evaluations", ()), *sorted(optional))
    patterns = [f"runs/{{{net}*}}/{file}" for net in nets for file in EVALUATION]
    return [path for pattern in (*patterns, *inputs.get("files", ())) for path in _filled(pattern, runs, looked_at)]


def claim_inputs() -> dict[str, list[str]]:
    """Return what claims are decided from besides the inputs of all items."""
    return yaml.safe_load(Path(__file__).with_name("claims").joinpath("inputs.yaml").read_text(encoding="utf-8"))


def require_trained(runs: Iterable[str]) -> None:
    """Check that the workflow trains every net that an item or the claims are made from.

    Raises
    ------
    ZfnetError
        There is no training of a net; the message names the net and what needs it.
    """
    trained = dict.fromkeys(map(variant_of, runs))
    inputs = {f"the inputs of {item.name}, items.yaml": item.inputs for item in items().values()}
    for place, needed in {**inputs, "claims/inputs.yaml": claim_inputs()}.items():
        named = [match[1] for path in needed.get("files", ()) if (match := _NET.search(path))]
        for net in {*needed.get("evaluations", ()), *named} - {LOOKED_AT}:
            require_known(net, trained, f"net in {place}:")


def _filled(pattern: str, runs: Sequence[str], looked_at: Sequence[str] = ()) -> list[str]:
    match = _NET.search(pattern)
    if match is None:
        return [pattern]
    if match[1] == LOOKED_AT:
        chosen = looked_at
    else:
        trainings = [run for run in runs if variant_of(run) == match[1]] or [run_name(match[1])]
        chosen = trainings if match[2] else trainings[:1]
    return [pattern.replace(match[0], run) for run in chosen]
