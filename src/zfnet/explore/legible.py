"""Letters that the font of the sheets lacks, such as Chinese ones: another installed font, or a mark and a sentence."""

import sys
from functools import cache

from matplotlib import font_manager

OTHERS = ("Noto Sans CJK JP", "Noto Sans CJK SC", "WenQuanYi Zen Hei", "IPAGothic", "Droid Sans Fallback", "Noto Sans")
MISSING = "□"


def legible(text: str) -> str:
    """Return `text` with a mark for every letter that no font of the sheets has."""
    lacking = {letter for letter in text if not any(ord(letter) in font for font in _fonts())}
    if lacking - {MISSING}:
        _say_once()
    return "".join(MISSING if letter in lacking else letter for letter in text)


def font_families() -> list[str]:
    """Return the fonts of the sheets: the usual one, then those installed with more letters."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in OTHERS if name in installed)]


@cache
def _fonts() -> list[frozenset[int]]:
    paths = [font_manager.findfont(name) for name in font_families()]
    return [frozenset(font_manager.get_font(path).get_charmap()) for path in paths]


@cache
def _say_once() -> None:
    print(
        f"zfnet: some letters of the titles are drawn as {MISSING}, since no installed font has them; the tables have "
        "the full names. Installing Noto Sans CJK adds Chinese, Japanese and Korean.",
        file=sys.stderr,
    )
