"""The class table of the devkit: equal to SciPy's reading, and no damage does more than raise an error."""

import io
import tarfile
import tracemalloc
import zlib

import builders
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import loadmat, savemat

from zfnet.core.errors import ZfnetError
from zfnet.data.readers.devkit import FIELDS, read_devkit
from zfnet.data.readers.mat_file import read_structs

LIMIT = 1 << 20
FOLDER = "ILSVRC2012_devkit_t12/data"


def table(rows, compress=False) -> bytes:
    names = list(rows[0])
    synsets = np.zeros((len(rows), 1), dtype=[(name, object) for name in names])
    for number, row in enumerate(rows):
        synsets[number, 0] = tuple(row.values())
    file = io.BytesIO()
    savemat(file, {"other": np.arange(5), "synsets": synsets}, do_compression=compress)
    return file.getvalue()


def assert_equal_to_scipy(content: bytes, fields) -> None:
    theirs = np.atleast_1d(loadmat(io.BytesIO(content), squeeze_me=True, variable_names=["synsets"])["synsets"])
    ours = read_structs(content, "synsets", fields, LIMIT)
    assert len(ours) == len(theirs)
    for row, node in zip(ours, theirs, strict=True):
        for field in fields:
            if isinstance(row[field], str):
                assert (
                    row[field].rstrip(" ") == str(node[field]) if np.size(node[field]) else row[field].strip(" ") == ""
                )
            else:
                np.testing.assert_array_equal(np.squeeze(row[field]), node[field])


numbers = st.integers(-(2**31), 2**31) | st.floats(allow_nan=False, width=32)
arrays = st.lists(st.integers(0, 255), min_size=2, max_size=9).map(lambda values: np.array(values, np.uint8))
texts = st.text(st.characters(codec="latin-1", categories=["L", "N", "P"]), min_size=1, max_size=30)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.fixed_dictionaries({"id": numbers, "word": texts, "list": arrays}), min_size=1, max_size=5),
    st.booleans(),
)
def test_any_table_equals_scipys_reading(rows, compress):
    assert_equal_to_scipy(table(rows, compress), ["id", "word", "list"])


@pytest.mark.parametrize("order", [">", "<"])
def test_both_byte_orders(order):
    rows = [{"id": 258, "word": "dög"}]
    content = table(rows)
    if order == ">":
        number = np.array([258], ">u2").tobytes()
        content = big_endian(number)
    ours = read_structs(content, "synsets", ["id"], LIMIT)
    assert [int(row["id"].item()) for row in ours] == [258]


def big_endian(number: bytes) -> bytes:
    """A file in Motorola's byte order with the struct array synsets = {id: 258}."""

    def element(kind: int, data: bytes) -> bytes:
        return kind.to_bytes(4, "big") + len(data).to_bytes(4, "big") + data + bytes(-len(data) % 8)

    def words(*values: int) -> bytes:
        return b"".join(value.to_bytes(4, "big") for value in values)

    value = element(6, words(11, 0)) + element(5, words(1, 1)) + element(1, b"") + element(4, number)
    fields = element(5, words(8)) + element(1, b"id".ljust(8, b"\0")) + element(14, value)
    array = element(6, words(2, 0)) + element(5, words(1, 1)) + element(1, b"synsets") + fields
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\x01\x00MI" + element(14, array)


@pytest.mark.real
@pytest.mark.parametrize("kit", ["imagenet", "imagenet-more"])
def test_the_real_tables_equal_scipys_reading(kit, real_data):
    with tarfile.open(real_data / kit / "ILSVRC2012_devkit_t12.tar.gz") as archive:
        assert_equal_to_scipy(archive.extractfile(f"{FOLDER}/meta.mat").read(), FIELDS)


META = builders.devkit_files()[f"{FOLDER}/meta.mat"]


def read(meta: bytes, tmp_path):
    files = builders.devkit_files() | {f"{FOLDER}/meta.mat": meta}
    return read_devkit(builders.put(tmp_path / "kit.tar.gz", builders.packed(files)))


def test_one_changed_byte_is_read_or_refused_wherever_it_is(tmp_path):
    """SciPy ends the process at some of these."""
    refused = 0
    for position in range(0, len(META), 3):
        changed = bytearray(META)
        changed[position] ^= 0x55
        try:
            read(bytes(changed), tmp_path)
        except ZfnetError as error:
            assert "kit.tar.gz: " in str(error)
            refused += 1
    assert refused > 50


def test_a_table_cut_anywhere_is_refused(tmp_path):
    for length in range(0, len(META) - 8, 37):
        with pytest.raises(ZfnetError, match=r"meta\.mat: not a class table \(.+\); the official kit is"):
            read(META[:length], tmp_path)


@pytest.mark.parametrize("declared", [2**20, 2**31 - 1])
def test_declared_sizes_allocate_nothing(declared, tmp_path):
    content = bytearray(big_endian(b"\x01\x02"))
    at = content.index((258).to_bytes(2, "big")) if (258).to_bytes(2, "big") in content else len(content) - 8
    content[at - 4 : at] = declared.to_bytes(4, "big")
    tracemalloc.start()
    with pytest.raises(ValueError):
        read_structs(bytes(content), "synsets", ["id"], LIMIT)
    assert tracemalloc.get_traced_memory()[1] < LIMIT
    tracemalloc.stop()


def test_a_bomb_is_inflated_to_the_limit_only(tmp_path):
    packed = zlib.compress(bytes(1 << 26), 9)
    content = META[:128] + (15).to_bytes(4, "little") + len(packed).to_bytes(4, "little") + packed
    tracemalloc.start()
    with pytest.raises(ValueError, match="larger than such a table"):
        read_structs(content, "synsets", FIELDS, LIMIT)
    assert tracemalloc.get_traced_memory()[1] < 4 * LIMIT
    tracemalloc.stop()


def test_a_million_empty_structs_need_their_bytes():
    content = bytearray(big_endian(b"\x01\x02"))
    shape = content.index(b"\0\0\0\1\0\0\0\1")
    content[shape : shape + 4] = (10**6).to_bytes(4, "big")
    with pytest.raises(ValueError, match="1000000 elements in"):
        read_structs(bytes(content), "synsets", ["id"], LIMIT)
