"""Top activations against a full sort, and their patches against zero padding."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zfnet.core.errors import ZfnetError
from zfnet.nets.geometry import Field
from zfnet.visualize.backward import project
from zfnet.visualize.net_inputs import InputLoader, to_inputs
from zfnet.visualize.patches import PEAK, Box, as_half, box, cut, tiles
from zfnet.visualize.top_activations import TopK, find_strongest, random_maps

MAPS = [2, 0, 2]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 6), st.integers(0, 10_000))
def test_any_batches_and_order_give_what_sorting_everything_gives(batch, k, seed):
    """Few different values, so that ties are everywhere: between images the lower index wins, in a map the first."""
    draw = np.random.default_rng(seed)
    everything = torch.from_numpy(draw.integers(0, 3, (11, 4, 2, 3)).astype(np.float32))
    order = torch.from_numpy(draw.permutation(11))
    tracker = TopK(MAPS, k)
    for part in order.split(batch):
        tracker.update(everything[part], part)
    values, images, rows, columns = (found.tolist() for found in tracker.result)
    for one, chosen in enumerate(MAPS):
        planes = everything[:, chosen].flatten(1).tolist()
        expected = sorted(range(11), key=lambda image, planes=planes: (-max(planes[image]), image))[:k]
        assert images[one] == expected
        assert values[one] == [max(planes[image]) for image in expected]
        places = [planes[image].index(max(planes[image])) for image in expected]
        assert [3 * row + column for row, column in zip(rows[one], columns[one], strict=True)] == places


def test_every_batch_size_finds_the_maxima_of_stored_activations(make_net, shards):
    net, maps = make_net().double(), {"conv2": [3, 1], "conv5": [0]}
    (whole,) = InputLoader(net, shards, 1, 24).batches()
    stored = net.trace(whole.inputs, "conv5").activations
    for batch in range(1, 25):
        found = find_strongest(net, InputLoader(net, shards, 1, batch).batches(), maps, 4)
        for layer, chosen in maps.items():
            planes = stored[layer][:, chosen].flatten(2)
            expected = planes.amax(2).T.topk(4)
            values, images, rows, columns = found[layer]
            assert torch.equal(images, expected.indices)
            torch.testing.assert_close(values, expected.values.float(), rtol=1e-6, atol=0)
            places = planes.argmax(2).T.gather(1, images)
            assert torch.equal(rows * stored[layer].shape[3] + columns, places)


def test_tiles_are_the_projection_of_the_winner(make_net, shards):
    net = make_net()
    loader = InputLoader(net, shards, 1)
    best = find_strongest(net, loader.batches(), {"conv2": [3, 1]}, 2)["conv2"]
    found = tiles(loader, "conv2", [3, 1], best)
    assert found.patches.shape == found.projections.shape == (2, 2, 27, 27, 3)
    place = found.boxes[1][0]
    (batch,) = loader.batches([best.images[1, 0].item()])
    activation, pixels = project(net, batch.inputs, "conv2", 1)
    torch.testing.assert_close(activation, best.values[1, :1])
    assert np.array_equal(found.patches[1, 0], cut(batch.pixels[0].numpy(), place))
    expected = cut(pixels[0].permute(1, 2, 0).numpy(), place)
    np.testing.assert_allclose(found.projections[1, 0], expected / np.abs(expected).max() * PEAK, atol=0.1)


def test_top_activations_of_another_net_are_refused(make_net, shards):
    loader = InputLoader(make_net(), shards, 1)
    best = find_strongest(loader.net, loader.batches(), {"conv2": [3]}, 2)["conv2"]
    with pytest.raises(ZfnetError, match="conv2: a top activation differs by"):
        tiles(replace(loader, net=make_net(seed=5)), "conv2", [3], best)


def test_inputs_are_those_of_an_evaluation(make_net, shards):
    from zfnet.data.augment import centre_crops, prepare

    net = make_net()
    net.mean.copy_(shards.mean)
    squares = shards.squares([3, 1], 1)
    expected = prepare(squares, centre_crops(2, net.size, net.crop), net.crop, net.mean)
    (batch,) = InputLoader(net, shards, 1).batches([3, 1])
    assert torch.equal(batch.inputs, expected)
    assert torch.equal(to_inputs(net, batch.pixels), expected)


def test_random_maps_are_the_same_whatever_their_number(make_net):
    net = make_net()
    few, many = random_maps(net, dict(conv1=2, conv2=4), 7), random_maps(net, dict(conv1=99, conv2=9), 7)
    assert few["conv2"] == many["conv2"][:4]
    assert sorted(many["conv1"]) == list(range(8))
    assert random_maps(net, {"conv2": 4}, 8)["conv2"] != few["conv2"]


# ---- patches ---------------------------------------------------------------------------------------------------------
@settings(max_examples=40, deadline=None)
@given(st.integers(-9, 14), st.integers(-9, 14), st.integers(1, 8))
def test_a_tile_is_cut_from_the_zero_padded_image(top, left, size):
    image = np.arange(1, 10 * 11 * 3 + 1).reshape(10, 11, 3)
    padded = np.pad(image, ((10, 20), (10, 20), (0, 0)))
    assert np.array_equal(cut(image, Box(top, left, size)), padded[top + 10 :, left + 10 :][:size, :size])


def test_a_field_larger_than_the_crop_becomes_the_whole_crop():
    field = Field(size=139, stride=16, offset=-48, map=7)
    assert box(field, 3, 5, 112) == (0, 0, 112)
    assert box(field, 3, 5, 224) == (0, 32, 139)


def test_half_precision_keeps_the_values_up_to_their_scale():
    image = np.random.default_rng(0).normal(size=(4, 4, 3))
    for scale in (1e-9, 1, 1e9):
        stored = as_half(image * scale)
        assert stored.dtype == np.float16
        np.testing.assert_allclose(stored / PEAK, image / np.abs(image).max(), atol=1e-3)
    assert not as_half(np.zeros((2, 2, 3))).any()
