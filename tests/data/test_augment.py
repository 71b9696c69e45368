"""Crops, flips, mean and colour noise against plain loops and their definitions."""

import numpy as np
import pytest
import torch

from zfnet.core.errors import ZfnetError
from zfnet.data import augment
from zfnet.data.augment import Crops, centre_crops, colour_noise, epoch_order, prepare, random_crops, ten_crops

SIZE, CROP = 16, 12


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images():
    return torch.randint(0, 256, (40, SIZE, SIZE, 3), dtype=torch.uint8, generator=generator(1))


@pytest.fixture
def mean():
    return torch.rand(3, SIZE, SIZE, generator=generator(2)) * 255


def plainly(images, crops, crop, mean, colour=None):
    """Sections 2.1 and 2.3 pixel by pixel: subtract the mean of the square, cut, mirror, add colour."""
    inputs = []
    for number, image in enumerate(images.numpy()):
        top, left = int(crops.tops[number]), int(crops.lefts[number])
        centred = image.astype(np.float32).transpose(2, 0, 1) - mean.numpy()
        cut = centred[:, top : top + crop, left : left + crop]
        cut = cut[:, :, ::-1] if crops.flips[number] else cut
        inputs.append(cut if colour is None else cut + colour[number].numpy()[:, None, None])
    return torch.from_numpy(np.stack(inputs))


@pytest.mark.parametrize("coloured", [False, True])
@pytest.mark.parametrize("cut", [augment._crop_each, augment._crop_batch])
def test_prepare_is_exactly_the_plain_loop(images, mean, cut, coloured, monkeypatch):
    monkeypatch.setattr(augment, "_crop_each", cut)  # the GPU path must give the same on the CPU
    crops = random_crops(len(images), SIZE, CROP, generator())
    colour = torch.randn(len(images), 3, generator=generator(3)) * 20 if coloured else None
    ours = prepare(images, crops, CROP, mean, colour)
    assert torch.equal(ours, plainly(images, crops, CROP, mean, colour))
    assert ours.dtype == torch.float32 and ours.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_prepare_on_a_gpu_is_that_on_the_cpu(images, mean):
    crops = random_crops(len(images), SIZE, CROP, generator())
    assert torch.equal(prepare(images.cuda(), crops, CROP, mean).cpu(), prepare(images, crops, CROP, mean))


def test_prepare_leaves_its_arguments_alone(images, mean):
    before = images.clone(), mean.clone()
    prepare(images, random_crops(len(images), SIZE, CROP, generator()), CROP, mean, torch.ones(len(images), 3))
    assert torch.equal(images, before[0]) and torch.equal(mean, before[1])


def test_a_crop_of_the_whole_square_is_the_centred_image(images, mean):
    whole = prepare(images, centre_crops(len(images), SIZE, SIZE), SIZE, mean)
    assert torch.equal(whole, images.permute(0, 3, 1, 2).float() - mean)


def test_ten_crops_are_the_corners_and_the_centre_and_their_mirror_images():
    crops = ten_crops(256, 224)
    corners = [(0, 0), (0, 32), (32, 0), (32, 32), (16, 16)]
    assert list(zip(crops.tops.tolist(), crops.lefts.tolist(), strict=True)) == corners * 2
    assert crops.flips.tolist() == [False] * 5 + [True] * 5


def test_the_ten_crops_of_an_image(images, mean):
    views = prepare(images[:1].expand(10, -1, -1, -1), ten_crops(SIZE, CROP), CROP, mean)
    centred = images[0].permute(2, 0, 1).float() - mean
    windows = [
        centred[:, :12, :12],
        centred[:, :12, 4:],
        centred[:, 4:, :12],
        centred[:, 4:, 4:],
        centred[:, 2:14, 2:14],
    ]
    assert torch.equal(views, torch.stack([*windows, *(window.flip(2) for window in windows)]))


def test_random_crops_reach_all_33_positions_and_repeat_with_the_generator():
    crops = random_crops(20_000, 256, 224, generator())
    assert all(torch.equal(*pair) for pair in zip(crops, random_crops(20_000, 256, 224, generator()), strict=True))
    assert not torch.equal(crops.tops, random_crops(20_000, 256, 224, generator(1)).tops)
    for places in (crops.tops, crops.lefts):
        counts = torch.bincount(places)
        assert len(counts) == 33 and (counts - 20_000 / 33).abs().max() < 6 * (20_000 / 33) ** 0.5
    assert abs(crops.flips.float().mean() - 0.5) < 0.02
    assert abs(torch.corrcoef(torch.stack([values.float() for values in crops])) - torch.eye(3)).max() < 0.04


def test_colour_noise_has_the_covariance_of_the_colours_times_the_strength_squared():
    root = torch.tensor([[60.0, 0, 0], [55, 20, 0], [50, 15, 10]])
    covariance = root @ root.T
    noise = colour_noise(200_000, covariance, 0.1, generator())
    assert noise.shape == (200_000, 3) and noise.dtype == torch.float32
    np.testing.assert_allclose(torch.cov(noise.T), covariance * 0.01, rtol=0.02, atol=0)
    assert noise.mean(0).abs().max() < 0.1


def test_colour_noise_along_a_component_has_its_standard_deviation():
    """D30: standard deviations, where the paper says eigenvalues."""
    noise = colour_noise(100_000, torch.diag(torch.tensor([2500.0, 100, 0])), 0.1, generator())
    np.testing.assert_allclose(noise.std(0), torch.tensor([5.0, 1.0, 0.0]), rtol=0.02, atol=1e-6)


def test_colour_noise_repeats_with_the_generator():
    covariance = torch.eye(3)
    assert torch.equal(colour_noise(5, covariance, 1, generator()), colour_noise(5, covariance, 1, generator()))


def test_epoch_order_is_a_permutation_of_its_seed_and_epoch():
    order = epoch_order(1000, 3, 5)
    assert np.array_equal(np.sort(order), np.arange(1000))
    assert np.array_equal(order, epoch_order(1000, 3, 5))
    assert not np.array_equal(order, epoch_order(1000, 3, 6)) and not np.array_equal(order, epoch_order(1000, 5, 3))


def test_mistakes_are_explained(images, mean):
    with pytest.raises(ZfnetError, match="A crop of 17 px cannot be cut from squares of 16 px"):
        random_crops(1, 16, 17, generator())
    with pytest.raises(ZfnetError, match=r"mean image has shape \(3, 8, 8\), the images are squares of 16 px"):
        prepare(images, centre_crops(40, SIZE, CROP), CROP, mean[:, :8, :8])
    with pytest.raises(ZfnetError, match="3 crops for 40 images"):
        prepare(images, Crops(*(values[:3] for values in centre_crops(40, SIZE, CROP))), CROP, mean)
