"""Predictions: ten crops cut by hand, any batch size, and a net left as it was."""

import numpy as np
import pytest
import torch
from fake_shards import FakeShards

from zfnet.core.errors import ZfnetError
from zfnet.evaluation.predict import centre, evaluating, ten_crop
from zfnet.nets import save
from zfnet.visualize.net_inputs import open_net


def by_hand(net, shards, index, top, left, flip):
    """Return the softmax of one crop of one image, float32 (classes,)."""
    image = torch.from_numpy(shards.images[index]).permute(2, 0, 1).float() - net.mean  # (3, S, S)
    cut = image[:, top : top + net.crop, left : left + net.crop]
    with torch.no_grad():
        return net((cut.flip(2) if flip else cut)[None]).softmax(1)[0]


def test_ten_crops_are_corners_and_centre_with_reflections(net, shards):
    found = ten_crop(net, shards, [4, 0, 9], batch=2)
    end, middle = shards.size - net.crop, (shards.size - net.crop) // 2
    places = [(0, 0), (0, end), (end, 0), (end, end), (middle, middle)]
    net.eval()
    for row, index in zip(found, [4, 0, 9], strict=True):
        crops = [by_hand(net, shards, index, *place, flip) for place in places for flip in (False, True)]
        torch.testing.assert_close(row, torch.stack(crops).mean(0), rtol=1e-4, atol=1e-6)
        assert max((row - crop).abs().max() for crop in crops) > 1e-3  # the crops do differ


def test_the_centre_crop_is_one_of_them(net, shards):
    found = centre(net, shards, [3], batch=8)
    middle = (shards.size - net.crop) // 2
    torch.testing.assert_close(found[0], by_hand(net.eval(), shards, 3, middle, middle, False), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("predict", [ten_crop, centre])
def test_the_batch_size_does_not_matter(net, shards, predict):
    every = np.arange(len(shards))
    expected = predict(net, shards, every, batch=len(shards))
    assert expected.shape == (11, 7) and expected.dtype == torch.float32
    torch.testing.assert_close(expected.sum(1), torch.ones(11))
    for batch in (1, 4):
        torch.testing.assert_close(predict(net, shards, every, batch), expected, rtol=1e-4, atol=1e-6)


def test_rows_come_in_the_order_of_the_indices(net, shards):
    forward, backward = centre(net, shards, [1, 5, 7], batch=2), centre(net, shards, [7, 5, 1], batch=2)
    torch.testing.assert_close(backward, forward.flip(0), rtol=1e-4, atol=1e-6)


def test_nothing_of_the_net_is_changed(net, shards):
    net.fc7.eval()  # an odd mixture of modes, on purpose
    modes = {name: module.training for name, module in net.named_modules()}
    before = {key: value.clone() for key, value in net.state_dict().items()}
    found = ten_crop(net, shards, [0], batch=1)
    assert {name: module.training for name, module in net.named_modules()} == modes
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
    assert torch.equal(found, ten_crop(net, shards, [0], batch=1))  # dropout was off
    net(torch.zeros(1, 3, 64, 64)).sum().backward()


@pytest.fixture
def tf32():
    """What cuDNN does by itself, and does again afterwards."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    yield
    torch.backends.cudnn.allow_tf32 = before


def test_a_gpu_rounds_nothing_to_tf32(tf32, net, shards, tmp_path):
    save(net, tmp_path / "weights.safetensors")
    for look in (lambda: ten_crop(net, shards, [0], batch=1), lambda: open_net(tmp_path / "weights.safetensors")):
        torch.backends.cudnn.allow_tf32 = True
        look()
        assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32


def test_modes_come_back_after_an_error(net):
    with pytest.raises(KeyError), evaluating(net):
        assert not net.training and not torch.is_grad_enabled()
        raise KeyError
    assert net.training and net.dropout6.training and torch.is_grad_enabled()


def test_no_images_give_no_rows(net, shards):
    assert ten_crop(net, shards, [], batch=4).shape == (0, 7)


def test_squares_of_another_size_are_refused(net):
    with pytest.raises(ZfnetError, match=r"squares of 73 px, .* 80 px"):
        ten_crop(net, FakeShards(size=80), [0], batch=1)
