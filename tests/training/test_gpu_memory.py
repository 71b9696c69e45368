"""The memory of a training is estimated, and checked against the GPU before the training starts."""

from types import SimpleNamespace

import pytest
import torch

from zfnet.core.errors import ZfnetError
from zfnet.core.memory import GIB
from zfnet.nets import build
from zfnet.settings import Recipe
from zfnet.training.gpu_memory import require_room, training_bytes

CUDA = torch.device("cuda")


@pytest.fixture
def gpu(monkeypatch):
    """A GPU of this total and free memory, GiB."""

    def make(total, free):
        properties = SimpleNamespace(total_memory=total * GIB)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free * GIB, total * GIB))
        for name in ("memory_reserved", "memory_allocated"):
            monkeypatch.setattr(torch.cuda, name, lambda device: 0)

    return make


@pytest.fixture(scope="module")
def net():
    with torch.device("meta"):
        return build("zf")


def test_the_full_net_needs_several_gigabytes_more_in_fp32(net):
    bf16, fp32 = (training_bytes(net, Recipe(precision=each), 128) / GIB for each in ("bf16", "fp32"))
    assert 4 < bf16 < 8 and bf16 + 1 < fp32 < 2 * bf16


def test_a_free_gpu_has_room_and_a_cpu_is_not_asked(net, gpu):
    gpu(12, 11)
    require_room(net, Recipe(precision="bf16"), 128, 1, CUDA)
    require_room(net, Recipe(), 10**6, 9, torch.device("cpu"))


def test_trainings_that_share_a_gpu_are_counted_before_they_have_started(net, gpu):
    gpu(8, 7.5)
    with pytest.raises(ZfnetError, match=r"2 of them \(jobs\.trainings_per_gpu\) need about .* which has 8\.0"):
        require_room(net, Recipe(precision="bf16"), 128, 2, CUDA)


def test_a_gpu_that_others_fill_is_refused(net, gpu):
    gpu(24, 2)
    with pytest.raises(ZfnetError, match=r"GiB of memory are needed on cuda and 2\.0 are free; use a GPU with more"):
        require_room(net, Recipe(precision="bf16"), 128, 1, CUDA)
