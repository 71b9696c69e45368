"""Contact sheet of near-duplicates: the pairs on both sides of the threshold, to be judged by eye (D29)."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from zfnet.core.files import atomic
from zfnet.data.loader import Shards

if TYPE_CHECKING:
    from zfnet.transfer.duplicates.pair_search import Matches

SHOWN = 24  # pictures on each side of the threshold
COLUMNS, SIDE, TEXT = 4, 112, 26  # pairs in a row; pixels of a picture; pixels of its caption


def contact_sheet(
    matches: Matches,
    places: list[tuple[str, int]],
    sets: dict[str, Shards],
    train: Shards,
    threshold: float,
    path: Path,
) -> None:
    """Draw transfer pictures (left) beside their nearest training pictures (right).

    At most `SHOWN` pictures whose largest correlation is just above the threshold, and as many just below, in
    descending order; captions are green above and red below.
    """
    order = np.argsort(-matches.best, kind="stable")
    found = int((matches.best >= threshold).sum())
    shown = [i for i in order[max(0, found - SHOWN) : found + SHOWN].tolist() if matches.best_train[i] >= 0]
    width, height = COLUMNS * (2 * SIDE + 8), max(1, -(-len(shown) // COLUMNS)) * (SIDE + TEXT)
    sheet = Image.new("RGB", (width, height), "white")
    for place, query in enumerate(shown):
        corner = (place % COLUMNS * (2 * SIDE + 8), place // COLUMNS * (SIDE + TEXT))
        name, number = places[query]
        sheet.paste(_picture(sets[name], number), corner)
        sheet.paste(_picture(train, int(matches.best_train[query])), (corner[0] + SIDE, corner[1]))
        best = float(matches.best[query])
        caption = f"{best:.3f} {sets[name].keys[number]}\n{train.keys[int(matches.best_train[query])]}"
        _write(sheet, (corner[0] + 2, corner[1] + SIDE), caption, "darkgreen" if best >= threshold else "firebrick")
    with atomic(path) as beside:
        sheet.save(beside)


def _picture(shards: Shards, number: int) -> Image.Image:
    return Image.open(io.BytesIO(shards.jpeg(number))).convert("RGB").resize((SIDE, SIDE))


def _write(sheet: Image.Image, corner: tuple[int, int], text: str, colour: str) -> None:
    ImageDraw.Draw(sheet).multiline_text(corner, text, fill=colour, spacing=1, font_size=10)
