"""Batch memory is reused, but never while anything views it."""

import gc

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zfnet.data.buffers import Buffers


def test_memory_is_reused_once_its_last_view_is_gone():
    buffers = Buffers(spare=2)
    first = buffers.empty(4, 5)
    address = first.data_ptr()
    row = first[2:3].numpy()  # an array of a slice of the tensor
    del first
    assert buffers.empty(4, 5).data_ptr() != address
    del row
    assert address in (buffers.empty(4, 5).data_ptr() for _ in range(1))


def test_smaller_batches_fit_into_the_memory_of_larger_ones_only():
    buffers = Buffers(spare=1)
    address = buffers.empty(10, 2).data_ptr()
    assert buffers.empty(3, 2).data_ptr() == address
    assert buffers.empty(11, 2).shape == (11, 2)


def test_no_more_than_a_few_wait_for_use():
    buffers = Buffers(spare=2)
    held = [buffers.empty(8) for _ in range(9)]
    assert len({tensor.data_ptr() for tensor in held}) == 9
    held.clear()
    gc.collect()
    assert len(buffers._free) == 2


@settings(max_examples=60, deadline=None)
@given(keep=st.lists(st.sampled_from(["tensor", "slice", "array", "nothing"]), max_size=40))
def test_memory_in_use_is_never_overwritten(keep):
    buffers, held = Buffers(spare=3), []
    for number, kind in enumerate(keep):
        tensor = buffers.empty(3, 4).fill_(number)
        look = {"tensor": tensor, "slice": tensor[1:], "array": tensor.permute(1, 0)[2].numpy(), "nothing": None}[kind]
        held.append((number, look))
        del tensor, look
    assert all(look is None or (torch.as_tensor(look) == number).all() for number, look in held)


def test_memory_outlives_its_buffers():
    tensor = Buffers(spare=1).empty(6).fill_(7)
    gc.collect()
    assert tensor.tolist() == [7] * 6
