"""Loose pictures: found, squared as shards are, damaged ones named once and left out."""

import numpy as np
import pytest
import torch
from drawn import draw, encode

from zfnet.core.errors import ZfnetError
from zfnet.data.image_folder import ImageFolder
from zfnet.data.resize import centre_square, short_side


@pytest.fixture
def folder(tmp_path):
    """Pictures 0 to 4, of which 2 is damaged, and what is none."""
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for number in range(5):
        data = encode(draw(number))
        place = tmp_path / "deep/er" if number == 3 else tmp_path
        (place / f"{number}.PNG").write_bytes(data[: len(data) // 2] if number == 2 else data)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "._1.png").write_text("a twin of macOS")
    return tmp_path


@pytest.mark.parametrize("batch", [1, 2, 9])
def test_squares_are_those_of_shards_and_damage_is_told_once(folder, capsys, batch):
    pictures = ImageFolder([folder], 32)
    names = ["0.PNG", "1.PNG", "2.PNG", "4.PNG", "deep/er/3.PNG"]
    assert pictures.keys == [str(folder / name) for name in names] and len(pictures) == 5
    for _ in range(2):
        batches = list(pictures.batches(range(5), batch, 2))
        assert torch.cat([one.indices for one in batches]).tolist() == [0, 1, 3, 4]
        assert max(len(one.indices) for one in batches) <= batch
    images = torch.cat([one.images for one in batches]).numpy()
    for image, number in zip(images, (0, 1, 4, 3), strict=True):
        assert np.array_equal(image, centre_square(short_side(draw(number), 32), 32))
    assert list(pictures.damaged) == [str(folder / "2.PNG")]
    assert capsys.readouterr().err.count("2.PNG is left out: ") == 1
    assert batches[0].labels.tolist() == [-1] * len(batches[0].labels)


def test_files_are_taken_by_any_name_and_places_in_order(folder):
    renamed = (folder / "4.PNG").rename(folder / "picture.of-mine")
    assert ImageFolder([renamed, folder / "deep", folder / "0.PNG"], 32).keys == [
        str(renamed),
        str(folder / "deep/er/3.PNG"),
        str(folder / "0.PNG"),
    ]
    assert ImageFolder([renamed], 32).squares([0]).shape == (1, 32, 32, 3)


def test_nothing_to_see_is_a_sentence(folder, tmp_path):
    with pytest.raises(ZfnetError, match=r"None of 1 pictures could be decoded, .*2.PNG"):
        list(ImageFolder([folder / "2.PNG"], 32).batches([0], 4))
    with pytest.raises(ZfnetError, match="no such file or folder"):
        ImageFolder([folder / "5.PNG"], 32)
    (folder / "empty").mkdir()
    with pytest.raises(ZfnetError, match="holds no pictures"):
        ImageFolder([folder, folder / "empty"], 32)


def test_a_file_that_vanished_is_left_out(folder, capsys):
    pictures = ImageFolder([folder], 32)
    (folder / "0.PNG").unlink()
    assert [one.indices.tolist() for one in pictures.batches([0, 1], 4)] == [[1]]
    assert "0.PNG is left out: No such file" in capsys.readouterr().err
