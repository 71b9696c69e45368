"""Decoding by torchvision (here on the CPU) equals simplejpeg's within rounding, in the same batches."""

import numpy as np
import pytest
import simplejpeg
import torch
from drawn import prepare

from zfnet.core.errors import ZfnetError
from zfnet.data.gpu_loader import DeviceShards, open_shards
from zfnet.data.loader import Shards

COUNT = 17


@pytest.fixture(scope="module", params=[True, False], ids=["square", "uncut"])
def manifest(request, tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("shards"), COUNT, 32, 5, request.param, threads=2)


def check_close(device, plain, levels):
    order = np.random.default_rng(1).permutation(COUNT)
    for ours, theirs in zip(device.batches(order, 5), plain.batches(order, 5), strict=True):
        assert torch.equal(ours.labels, theirs.labels) and torch.equal(ours.indices, theirs.indices)
        assert ours.images.dtype == torch.uint8 and ours.images.shape == theirs.images.shape
        assert ours.images.is_contiguous()
        assert (ours.images.cpu().int() - theirs.images.int()).abs().max() <= levels


def test_torchvision_decodes_the_same_batches_within_two_levels(manifest):
    check_close(DeviceShards(manifest, "cpu"), Shards(manifest), 2)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_decodes_the_same_batches_nearly(manifest):
    shards = DeviceShards(manifest)
    assert next(shards.batches([0], 1)).images.is_cuda
    check_close(shards, Shards(manifest), 8)  # nvJPEG upsamples the chroma differently


def test_squares_and_no_images_at_all(manifest):
    shards = DeviceShards(manifest, "cpu")
    assert shards.squares([3, 1]).shape == (2, 32, 32, 3) and shards.squares([]).shape == (0, 32, 32, 3)
    assert list(shards.batches([], 4)) == []


def test_batches_may_be_left_before_their_end(manifest):
    batches = DeviceShards(manifest, "cpu").batches(range(COUNT), 2)
    assert next(batches).indices.tolist() == [0, 1]
    batches.close()


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about machines without a GPU")
def test_a_missing_gpu_is_explained(manifest):
    assert type(open_shards(manifest, "cpu")) is Shards
    with pytest.raises(ZfnetError, match=r"training\.decode = gpu, but this machine has no CUDA device"):
        next(open_shards(manifest, "gpu").batches([0], 1))


@pytest.mark.parametrize("content", [b"", simplejpeg.encode_jpeg(np.zeros((8, 9, 3), np.uint8))], ids=["no", "small"])
def test_an_image_that_cannot_be_decoded_is_reported(manifest, monkeypatch, content):
    shards = DeviceShards(manifest, "cpu")
    wrong = torch.tensor([*(content or b"no JPEG")], dtype=torch.uint8)
    monkeypatch.setattr(shards, "encoded", lambda index: wrong)
    with pytest.raises(ZfnetError, match=r"class-2/0002.* cannot be decoded on cpu"):
        next(shards.batches([2], 1))
