"""Images of one's own: upright, in many formats, on white; what a folder holds besides is named."""

import os

import numpy as np
import pytest
from PIL import Image, features

from zfnet.data.image_folder import ImageFolder
from zfnet.data.own_images import decode_own, readable
from zfnet.data.readers.images import DamagedImage

QUADRANTS = np.zeros((40, 60, 3), np.uint8)
QUADRANTS[:20, :30], QUADRANTS[:20, 30:], QUADRANTS[20:, :30] = (250, 0, 0), (0, 250, 0), (0, 0, 250)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_photographs_are_upright(tmp_path, orientation, name):
    exif = Image.Exif()
    exif[274] = orientation
    options = {"lossless": True} if name.endswith("webp") else {"quality": 100, "subsampling": 0}
    Image.fromarray(QUADRANTS).save(tmp_path / name, exif=exif, **options)
    stored = np.asarray(Image.open(tmp_path / name).convert("RGB"))
    turns = {  # the published meaning of each value, as numpy writes it
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.transpose(1, 0, 2),
        6: stored[::-1].transpose(1, 0, 2),
        7: stored[::-1, ::-1].transpose(1, 0, 2),
        8: stored[:, ::-1].transpose(1, 0, 2),
    }
    found = decode_own(tmp_path / name, 32)
    assert found.shape == turns[orientation].shape and np.array_equal(found, turns[orientation])


@pytest.mark.parametrize("suffix", ["png", "gif", "bmp", "tiff", "webp", "avif", "jp2", "ppm"])
def test_formats(tmp_path, suffix):
    if suffix == "avif" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    path = tmp_path / f"a.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {"quality": 100} if suffix == "avif" else {}
    Image.fromarray(QUADRANTS).save(path, **options)
    difference = np.abs(decode_own(path, 32).astype(int) - QUADRANTS)
    assert (np.median(difference) <= 2) if suffix == "avif" else not difference.any()


def test_transparent_pixels_are_white_and_the_first_frame_counts(tmp_path):
    layer = np.dstack([QUADRANTS, np.where(QUADRANTS.any(2), 255, 0).astype(np.uint8)])
    Image.fromarray(layer).save(tmp_path / "a.png")
    expected = np.where(QUADRANTS.any(2, keepdims=True), QUADRANTS, 255)
    assert np.array_equal(decode_own(tmp_path / "a.png", 32), expected)
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert decode_own(tmp_path / "a.gif", 8)[0, 0].tolist() == [255, 0, 0]


def test_sixteen_bits_become_eight(tmp_path):
    Image.fromarray(np.full((9, 9), 0x8000, np.uint16)).save(tmp_path / "a.png")
    assert (decode_own(tmp_path / "a.png", 9) == 128).all()


@pytest.mark.parametrize(
    "name, write, words",
    [
        ("a.png", lambda path: Image.new("L", (65_000, 1)).save(path), "too narrow"),
        ("a.png", lambda path: Image.new("1", (120_000, 2)).save(path), "more than 65500 on a side"),
        ("a.heic", lambda path: path.write_bytes(b"\0\0\0\x18ftypheic"), "HEIC.* export it as JPEG"),
        ("a.jpg", lambda path: path.write_bytes(b""), "empty"),
        ("a.txt", lambda path: path.write_bytes(b"text"), "none of JPEG, PNG"),
        ("a.tiff", lambda path: Image.new("F", (9, 9)).save(path), "floating-point"),
        ("a.png", lambda path: path.mkdir(), "no file"),
    ],
)
def test_other_files_are_refused_with_a_reason(tmp_path, name, write, words):
    write(tmp_path / name)
    with pytest.raises(DamagedImage, match=words):
        decode_own(tmp_path / name, 64)


def test_everything_in_a_folder_is_read_or_named(tmp_path, capsys):
    folder, elsewhere = tmp_path / "pics", tmp_path / "elsewhere"
    for place in (folder / ".ipynb_checkpoints", folder / "@eaDir", folder / "deep", elsewhere):
        place.mkdir(parents=True)
        Image.fromarray(QUADRANTS).save(place / "a.png")
    for name in ("b.gif", "c.BMP", "d.webp", "e.jfif", "猫.png"):
        Image.fromarray(QUADRANTS).save(folder / name, "JPEG" if name == "e.jfif" else None)
    for name in ("IMG_1.HEIC", "notes.txt", "README", ".hidden.png"):
        (folder / name).write_bytes(b"x")
    (folder / "link").symlink_to(elsewhere)
    (folder / "deep/around").symlink_to(folder)
    (folder / "gone.png").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "pipe.png")
    found = ImageFolder([folder], 32)
    names = [key.removeprefix(f"{folder}/") for key in found.keys]
    assert names == ["b.gif", "c.BMP", "d.webp", "deep/a.png", "e.jfif", "link/a.png", "猫.png"]
    reasons = {name.removeprefix(f"{folder}/"): reason for name, reason in found.left_out.items()}
    assert reasons == {
        ".hidden.png": "hidden file",
        ".ipynb_checkpoints": "hidden folder",
        "@eaDir": "copies made by a system",
        "IMG_1.HEIC": "HEIC, the format of iPhones, cannot be read; export it as JPEG",
        "README": "a name without suffix; give the file itself to use it",
        "deep/around": f"the same folder as {folder}",
        "gone.png": "a link to nothing",
        "notes.txt": ".txt is no image suffix",
        "pipe.png": "no file",
    }
    assert "left out" in capsys.readouterr().err
    assert len(next(found.batches(range(7), 7)).images) == 7


def test_names_that_are_no_text_can_be_written(tmp_path):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")
    Image.fromarray(QUADRANTS).save(name)
    (key,) = ImageFolder([tmp_path], 32).keys
    assert key.endswith(r"caf\xe9.png") and key.encode()
    assert readable("a\x1b[31m\n.png") == r"a\x1b[31m\n.png"
