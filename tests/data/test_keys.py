"""Packed keys behave like a list, and key sets like a set, in little memory."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zfnet.data.shards import keys as module
from zfnet.data.shards.keys import Keys, KeySet

NAMES = st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1), max_size=30)


@given(names=NAMES, block=st.integers(1, 7))
def test_packed_keys_equal_the_list_they_were_built_from(names, block):
    packed = Keys.of(names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        assert list(packed) == names
    assert packed == names and names == packed and len(packed) == len(names)
    assert [packed[place] for place in range(len(names))] == names
    assert [packed[place] for place in range(-len(names), 0)] == names
    assert packed[1:-1] == names[1:-1] and packed[::-2] == names[::-2]
    assert packed == Keys(packed.text.copy())


@given(names=NAMES, cut=st.integers(0, 30))
def test_keys_of_a_whole_shard_may_be_one_string(names, cut):
    parts = ["\n".join(part) for part in (names[:cut], names[cut:]) if part]
    assert Keys.of(parts) == names


def test_an_index_out_of_range_is_refused():
    packed = Keys.of(["a", "b"])
    assert packed[np.int64(1)] == "b" and "b" in packed and "c" not in packed
    for place in (2, -3):
        with pytest.raises(IndexError):
            packed[place]


def test_packed_keys_differ_if_one_does():
    assert Keys.of(["a", "b"]) != ["a", "c"] and Keys.of(["a"]) != ["a", "b"]


@given(names=st.lists(st.integers(0, 40).map(str), max_size=80))
def test_a_key_set_is_a_set(names):
    seen, known = KeySet(), set()
    for name in names:
        assert seen.add(name) == (name not in known)
        known.add(name)
    assert len(seen) == len(known)


def test_a_key_set_grows_in_little_memory():
    names = [f"n{number:08d}/{number:012d}" for number in range(5000)]
    tracemalloc.start()
    seen = KeySet()
    assert all(map(seen.add, names))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not any(map(seen.add, names)) and len(seen) == 5000
    assert peak < 60 * 5000  # while it grows it has 16 + 32 bytes a key; a set of these strings has 100
