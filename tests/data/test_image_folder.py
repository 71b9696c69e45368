"""Image files as a data set: found, squared like shards, damaged ones reported once and skipped."""

import numpy as np
import pytest
import torch
from drawn import draw, encode

from zfnet.core.errors import ZfnetError
from zfnet.data.image_folder import ImageFolder
from zfnet.data.resize import centre_square, short_side


@pytest.fixture
def folder(tmp_path):
    """Images 0 to 4, of which 2 is damaged, and files that are not images."""
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for number in range(5):
        data = encode(draw(number))
        place = tmp_path / "deep/er" if number == 3 else tmp_path
        (place / f"{number}.PNG").write_bytes(data[: len(data) // 2] if number == 2 else data)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "._1.png").write_text("a twin of macOS")
    return tmp_path


@pytest.mark.parametrize("batch", [1, 2, 9])
def test_squares_match_those_of_shards_and_damage_is_reported_once(folder, capsys, batch):
    files = ImageFolder([folder], 32)
    names = ["0.PNG", "1.PNG", "2.PNG", "4.PNG", "deep/er/3.PNG"]
    assert files.keys == [str(folder / name) for name in names] and len(files) == 5
    for _ in range(2):
        batches = list(files.batches(range(5), batch, 2))
        assert torch.cat([part.indices for part in batches]).tolist() == [0, 1, 3, 4]
        assert max(len(part.indices) for part in batches) <= batch
    images = torch.cat([part.images for part in batches]).numpy()
    for image, number in zip(images, (0, 1, 4, 3), strict=True):
        assert np.array_equal(image, centre_square(short_side(draw(number), 32), 32))
    assert list(files.damaged) == [str(folder / "2.PNG")]
    assert capsys.readouterr().err.count("2.PNG is skipped: ") == 1
    assert batches[0].labels.tolist() == [-1] * len(batches[0].labels)


def test_files_may_have_any_name_and_places_keep_their_order(folder):
    renamed = (folder / "4.PNG").rename(folder / "image.of-mine")
    assert ImageFolder([renamed, folder / "deep", folder / "0.PNG"], 32).keys == [
        str(renamed),
        str(folder / "deep/er/3.PNG"),
        str(folder / "0.PNG"),
    ]
    assert ImageFolder([renamed], 32).squares([0]).shape == (1, 32, 32, 3)


def test_places_without_images_are_reported(folder, tmp_path):
    with pytest.raises(ZfnetError, match=r"None of 1 images could be decoded, .*2.PNG"):
        list(ImageFolder([folder / "2.PNG"], 32).batches([0], 4))
    with pytest.raises(ZfnetError, match="no such file or folder"):
        ImageFolder([folder / "5.PNG"], 32)
    (folder / "empty").mkdir()
    with pytest.raises(ZfnetError, match="holds no images"):
        ImageFolder([folder, folder / "empty"], 32)


def test_a_file_that_vanished_is_skipped(folder, capsys):
    files = ImageFolder([folder], 32)
    (folder / "0.PNG").unlink()
    assert [part.indices.tolist() for part in files.batches([0, 1], 4)] == [[1]]
    assert "0.PNG is skipped: No such file" in capsys.readouterr().err
