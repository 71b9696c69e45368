"""Draw the near-duplicates on both sides of the threshold, so that it can be judged by eye (D29)."""

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

SHOWN = 24  # images on each side of the threshold
COLUMNS, SIDE, TEXT = 4, 112, 26  # pairs per row; pixels of an image; pixels of its caption


def contact_sheet(
    matches: Matches,
    places: list[tuple[str, int]],
    sets: dict[str, Shards],
    train: Shards,
    threshold: float,
    path: Path,
) -> None:
    """Draw transfer images (left) next to their best matches in the training set (right).

    At most `SHOWN` images whose largest correlation is just above the threshold, and as many just below, in
    descending order. Captions are green above the threshold and red below.
    """
    order = np.argsort(-matches.best, kind="stable")
    above = int((matches.best >= threshold).sum())
    shown = [i for i in order[max(0, above - SHOWN) : above + SHOWN].tolist() if matches.best_train[i] >= 0]
    width, height = COLUMNS * (2 * SIDE + 8), max(1, -(-len(shown) // COLUMNS)) * (SIDE + TEXT)
    sheet = Image.new("RGB", (width, height), "white")
    for position, query in enumerate(shown):
        corner = (position % COLUMNS * (2 * SIDE + 8), position // COLUMNS * (SIDE + TEXT))
        name, number = places[query]
        sheet.paste(_image(sets[name], number), corner)
        sheet.paste(_image(train, int(matches.best_train[query])), (corner[0] + SIDE, corner[1]))
        best = float(matches.best[query])
        caption = f"{best:.3f} {sets[name].keys[number]}\n{train.keys[int(matches.best_train[query])]}"
        _write(sheet, (corner[0] + 2, corner[1] + SIDE), caption, "darkgreen" if best >= threshold else "firebrick")
    with atomic(path) as unfinished:
        sheet.save(unfinished)


def _image(shards: Shards, number: int) -> Image.Image:
    return Image.open(io.BytesIO(shards.jpeg(number))).convert("RGB").resize((SIDE, SIDE))


def _write(sheet: Image.Image, corner: tuple[int, int], text: str, colour: str) -> None:
    ImageDraw.Draw(sheet).multiline_text(corner, text, fill=colour, spacing=1, font_size=10)
