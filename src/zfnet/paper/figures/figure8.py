"""Figure 8 (arXiv only): the masked images behind Table 1.

One row per animal: the original; right eye, left eye and nose masked; then random masks on the animal (D21).
"""

from zfnet.drawing.figure_page import WIDTH, Page
from zfnet.drawing.mosaic import mosaic
from zfnet.paper.figures.figure import Figure
from zfnet.paper.results import Results

HEADINGS = ("original", "right eye", "left eye", "nose")
ANIMALS, TOP, MARGIN = 5, 0.28, 0.06


def draw(results: Results) -> Page:
    """Lay out animals x masks."""
    images = results.arrays(results.shown("correspondence.safetensors"))["images"][:ANIMALS]  # (n, 4 + k, s, s, 3)
    columns = images.shape[1]
    sheet = mosaic(images.reshape(-1, *images.shape[2:]), columns, gap=max(2, images.shape[2] // 40), line=255)
    width = WIDTH - 2 * MARGIN
    page = Page(TOP + width * sheet.shape[0] / sheet.shape[1] + MARGIN)
    page.image(sheet, MARGIN, TOP, width)
    for column in range(columns):
        heading = HEADINGS[column] if column < len(HEADINGS) else "random"
        page.text(heading, MARGIN + width * (column + 0.5) / columns, TOP - 0.08, ha="center")
    return page


FIGURE = Figure("figure8", draw)
