"""Decoding: equal to PIL where PIL is right, correct where it is not, and every kind of damage reported."""

import io
import struct
import zlib
from contextlib import suppress

import builders
import numpy as np
import pytest
import simplejpeg
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from zfnet.data.readers.images import DamagedImage, decode, is_image, make_key, read_size


def by_pil(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def png(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"quality": 30},
        {"progressive": True},
        {"subsampling": 0},
        {"subsampling": 1},
        {"keep_rgb": True},
        {"restart_marker_blocks": 2},
    ],
)
def test_ordinary_jpegs_equal_pil_bit_for_bit(options):
    data = builders.noise(**options)
    np.testing.assert_array_equal(decode(data), by_pil(data))


def test_a_grey_jpeg_has_three_equal_channels():
    decoded = decode(builders.image(mode="L"))
    assert decoded.shape == (8, 12, 3)
    np.testing.assert_array_equal(decoded, np.full((8, 12, 3), decoded[0, 0, 0]))


def test_cmyk_is_inverted_as_adobe_writes_it():
    """The file stores 255 minus the ink, so red is cyan's value times black's."""
    data = builders.image(mode="CMYK")
    stored = simplejpeg.decode_jpeg(data, "CMYK").astype(float)
    np.testing.assert_allclose(decode(data), stored[..., :3] * stored[..., 3:] / 255, atol=1)
    np.testing.assert_allclose(decode(data)[4, 6], builders.RED, atol=4)


def test_a_png_under_a_jpeg_name_is_exact():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(decode(png(pixels), "n1/n1_2.JPEG"), pixels)


@pytest.mark.parametrize("mode", ["P", "RGBA", "1"])
def test_other_modes_become_rgb(mode):
    assert tuple(decode(builders.image((255, 255, 255), mode=mode, form="PNG"))[3, 3]) == (255, 255, 255)


def test_alpha_is_dropped_and_not_blended():
    pixels = np.array([[[10, 20, 30, 0], [40, 50, 60, 128]]], dtype=np.uint8)
    np.testing.assert_array_equal(decode(png(pixels)), pixels[..., :3])


def test_sixteen_bits_are_scaled_and_not_clipped():
    pixels = np.array([[0, 255, 256, 0x8000, 0xFFFF]], dtype=np.uint16)
    assert decode(png(pixels))[0, :, 0].tolist() == [0, 0, 1, 128, 255]


def test_orientation_in_exif_is_not_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees
    assert decode(builders.image(exif=exif)).shape == (8, 12, 3)
    assert decode(builders.image(mode="CMYK", exif=exif)).shape == (8, 12, 3)


@pytest.mark.filterwarnings("ignore:.*EXIF:UserWarning")
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_corrupt_exif_block_does_no_harm(mode):
    clean, broken = builders.image(mode=mode), builders.image(mode=mode, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff\xff")
    np.testing.assert_array_equal(decode(broken), decode(clean))


# Damage ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_truncated_image_is_damaged(form, share):
    data = builders.noise() if form == "JPEG" else png(by_pil(builders.noise()))
    with pytest.raises(DamagedImage, match=r"^here cannot be decoded \(.+\)$"):
        decode(data[: int(len(data) * share)], "here")


@pytest.mark.parametrize("data, reason", [(b"", "here is empty"), (b"<html>Sign in</html>", "none of JPEG, PNG")])
def test_a_file_that_is_not_an_image_is_damaged(data, reason):
    with pytest.raises(DamagedImage, match=reason) as caught:
        decode(data, "here")
    assert caught.value.reason == str(caught.value) and "0x" not in caught.value.reason


def test_formats_beyond_the_four_are_not_tried():
    with pytest.raises(DamagedImage, match="none of"):
        decode(builders.image(form="TIFF"))


def huge_png() -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">II5B", 12_000, 12_000, 8, 2, 0, 0, 0)  # not so large that PIL itself refuses it
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"")


def huge_jpeg() -> bytes:
    data = bytearray(builders.image())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 12_000, 12_000)
    return bytes(data)


@pytest.mark.filterwarnings("ignore:Image size:Warning")
@pytest.mark.parametrize("make", [huge_jpeg, huge_png])
def test_a_huge_size_is_refused_by_the_header_alone(make):
    for read in (decode, read_size):
        with pytest.raises(DamagedImage, match="12000 x 12000 pixels, more than the limit of 120000000"):
            read(make(), max_pixels=120_000_000)


@pytest.mark.parametrize("form, mode", [("JPEG", "RGB"), ("JPEG", "CMYK"), ("PNG", "P"), ("GIF", "L"), ("BMP", "RGB")])
def test_the_size_is_read_from_the_header_alone(form, mode):
    data = builders.image(size=(123, 67), form=form, mode=mode)
    assert read_size(data) == decode(data).shape[:2] == (67, 123)
    assert read_size(data[: len(data) - 20]) == (67, 123)
    for nothing in (b"", b"<html>Sign in</html>"):
        with pytest.raises(DamagedImage, match=r"is empty|none of JPEG"):
            read_size(nothing)


@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_the_max_pixels_is_inclusive(mode):
    data = builders.image(mode=mode)
    assert decode(data, max_pixels=96).shape == (8, 12, 3)
    with pytest.raises(DamagedImage, match="12 x 8 pixels, more than the limit of 95"):
        decode(data, max_pixels=95)


@pytest.mark.filterwarnings("ignore:Image size:Warning")
@given(st.binary(max_size=64), st.integers(0, 10_000), st.sampled_from(["JPEG", "PNG", "GIF", "BMP"]))
def test_hostile_bytes_are_decoded_or_damaged(noise, at, form):
    """There is no other outcome, whatever bytes of an image are overwritten."""
    data = bytearray(builders.image(form=form))
    at %= len(data)
    data[at : at + len(noise)] = noise
    with suppress(DamagedImage):
        assert min(read_size(bytes(data), max_pixels=1_000_000)) >= 0
    try:
        decoded = decode(bytes(data), max_pixels=1_000_000)
    except DamagedImage:
        return
    assert decoded.dtype == np.uint8 and decoded.ndim == 3 and decoded.shape[2] == 3


# Names ----------------------------------------------------------------------------------------------------------------


@given(st.text(), st.text())
def test_keys_have_only_the_letters_they_may(folder, name):
    key = make_key(folder, name)
    assert key.count("/") == 1
    assert all(letter.isascii() and (letter.isalnum() or letter in "_-/") for letter in key)


def test_keys_keep_ordinary_names():
    assert make_key("003.backpack", "003_0001") == "003_backpack/003_0001"


@pytest.mark.parametrize(
    "name, expected", [("a/b.JPEG", True), ("a/b.jpg", True), ("a/._b.jpg", False), ("a/tmp", False)]
)
def test_images_are_recognised_by_name(name, expected):
    assert is_image(name) is expected


@pytest.mark.real
@pytest.mark.filterwarnings("ignore:.*EXIF:UserWarning")
def test_odd_files_of_imagenet_decode_to_the_right_colours(real_data):
    from zfnet.data.readers import imagenet

    odd = {
        "n02747177_733", "n01930112_792", "n04296562_566", "n03347037_630", "n03272010_819", "n03838899_855",
        "n04418357_954",
    }  # fmt: skip
    folder = real_data / "imagenet"
    source = imagenet.train(folder / "ILSVRC2012_img_train.tar", folder / "ILSVRC2012_devkit_t12.tar.gz")
    found = {image.key.split("/")[1]: image.data for image in source.images() if image.key.split("/")[1] in odd}
    assert found.keys() == odd
    for name in ("n01930112_792", "n04296562_566", "n03347037_630"):
        stored = simplejpeg.decode_jpeg(found[name], "CMYK").astype(float)
        np.testing.assert_allclose(decode(found[name]), stored[..., :3] * stored[..., 3:] / 255, atol=1)
    for name in odd - {"n01930112_792", "n04296562_566", "n03347037_630"}:
        np.testing.assert_array_equal(decode(found[name]), by_pil(found[name]))
