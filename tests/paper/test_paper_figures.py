"""Figures: mosaics pixel by pixel, layouts with the paper's counts, files that are the same every time."""

import numpy as np
import pytest
from PIL import Image

from zfnet.core.errors import ZfnetError
from zfnet.drawing.mosaic import GREY, blocks, contrast, mosaic
from zfnet.nets.architecture import describe
from zfnet.paper.figures import figure, figure3
from zfnet.paper.figures.figure2 import layer_mosaics
from zfnet.paper.items import find, items
from zfnet.paper.results import Results


def test_zero_stays_grey_and_the_strongest_value_reaches_the_edge():
    tiles = np.zeros((2, 3, 3, 3))
    tiles[0, 1, 1, 0], tiles[1, 0, 0, 2] = 5, -0.01
    shown = contrast(tiles)
    assert (shown[0, 1, 1, 0], shown[1, 0, 0, 2]) == (255, 1)
    assert (np.delete(shown.ravel(), np.flatnonzero(tiles)) == GREY).all()


def test_one_contrast_keeps_weak_filters_weak():
    tiles = np.stack([np.full((3, 3, 3), 1.0), np.full((3, 3, 3), 0.1)])
    assert (contrast(tiles, together=True)[1] == GREY + 13).all()
    assert (contrast(tiles)[1] == 255).all()


def test_mosaic_places_tiles_in_rows_and_keeps_their_pixels():
    tiles = np.arange(5, dtype=np.uint8).repeat(12).reshape(5, 2, 2, 3)
    sheet = mosaic(tiles, 3, gap=1, line=99)
    assert sheet.shape == (5, 8, 3)
    assert sheet[::3, ::3, 0].tolist() == [[0, 1, 2], [3, 4, 99]]
    assert (sheet[2] == 99).all()
    assert mosaic(tiles, 3, line=99, by_column=True)[::3, ::3, 0].tolist() == [[0, 2, 4], [1, 3, 99]]


def test_blocks_have_the_paper_s_size():
    assert blocks(np.zeros((15, 9, 27, 27, 3), np.uint8), 5).shape[:2] == (3 * 83 + 2 * 3, 5 * 83 + 4 * 3)


def test_figure_2_has_the_paper_s_grid_of_blocks(results):
    arrays = Results(results).arrays("visualize/zf-s1/features.safetensors")
    tile = arrays["conv3/patches"].shape[2]
    block, gap = 3 * tile + 2, max(2, tile // 9)
    for image in layer_mosaics(arrays, "conv3"):
        assert image.shape[:2] == (3 * block + 2 * gap, 4 * block + 3 * gap)


def test_figure_3_says_the_published_sizes_at_full_width():
    shapes = [stage.shape for stage in figure3.stages(describe("zf"))]
    assert shapes == [
        (3, 224, 224), (96, 55, 55), (256, 13, 13), (384, 13, 13), (384, 13, 13), (256, 6, 6),
        (4096,), (4096,), (1000,),
    ]  # fmt: skip
    assert figure3.stages(describe("zf"))[1].words == [
        "7×7, stride 2 → 110",
        "ReLU",
        "max pool 3/2 → 55",
        "contrast norm",
    ]


@pytest.mark.parametrize("name", items("figures"))
def test_every_figure_is_drawn_as_png_and_pdf(results, tmp_path, name):
    figure.figure_stage(name, results, tmp_path / f"{name}.png")
    with Image.open(tmp_path / f"{name}.png") as image:
        assert image.width >= 1400
        assert np.asarray(image.convert("L")).std() > 5
    assert (tmp_path / f"{name}.pdf").read_bytes().startswith(b"%PDF")


def test_a_figure_has_the_same_bytes_every_time(results, tmp_path):
    for name in ("a", "b"):
        figure.figure_stage("figure8", results, tmp_path / f"{name}.png")
    for ending in ("png", "pdf"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


@pytest.mark.parametrize("name", items("figures"))
def test_missing_inputs_are_a_sentence_that_names_the_file(empty, tmp_path, name):
    with pytest.raises(ZfnetError, match=r"no such file; (make|run|start)"):
        figure.figure_stage(name, empty, tmp_path / "figure.png")


def test_an_unknown_figure_is_a_sentence():
    with pytest.raises(ZfnetError, match=r"no figure 'figure1'; choose one of figure2, .*methods"):
        find("figure1", "figures")
