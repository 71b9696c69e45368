"""Upgrade of specs that were written by older versions, so that their checkpoints and results are still recognised.

`format` in spec.json counts changes of its keys: 1 (no such key) has the settings' old names, 2 the present ones. The
renamed keys are those of `zfnet.renamed_settings`. Rows of history.jsonl in old checkpoints are upgraded alike.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal

from zfnet.core.files import canonical_json, text_hash
from zfnet.renamed_settings import RENAMED

FORMAT: Literal[2] = 2  # written to spec.json
RECIPE, SCHEDULE = RENAMED["Recipe"], RENAMED["LRSchedule"]
HISTORY = {"rate": "learning_rate"}


def upgrade_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a spec of any format in the present one; what is no valid spec is left for the caller to refuse."""
    if spec.get("format", 1) != 1 or not isinstance(spec.get("recipe"), Mapping):
        return dict(spec)
    recipe = _rename(spec["recipe"], RECIPE)
    if isinstance(recipe.get("lr_schedule"), Mapping):
        recipe["lr_schedule"] = _rename(recipe["lr_schedule"], SCHEDULE)
    return {**spec, "recipe": recipe, "format": FORMAT}


def upgrade_history(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows of a history of any format in the present one."""
    return [_rename(row, HISTORY) for row in rows]


def format1_text(text: str) -> str:
    """Return the canonical text that format 1 had for the spec with the present canonical `text`."""
    spec = json.loads(text)
    recipe = spec["recipe"] | {"lr_schedule": _rename(spec["recipe"]["lr_schedule"], _inverse(SCHEDULE))}
    del spec["format"]
    return canonical_json({**spec, "recipe": _rename(recipe, _inverse(RECIPE))})


def known_hashes(text: str) -> set[str]:
    """Return the hashes by which results may name the spec with this canonical text: of the present and old formats."""
    return {text_hash(text), text_hash(format1_text(text))}


def _rename(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in values.items()}


def _inverse(names: Mapping[str, str]) -> dict[str, str]:
    return {new: old for old, new in names.items()}
