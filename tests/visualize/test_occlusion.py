"""Occlusion against a plain loop."""

import pytest
import torch
from captum.attr import Occlusion

from zfnet.data.image_folder import ImageFolder
from zfnet.settings import Visualize
from zfnet.visualize.net_inputs import GREY, InputLoader, mean_crop, to_inputs
from zfnet.visualize.occlusion import LAYER, Square, cover, scaled, slide, strongest_map, top_four


def test_thirty_places_a_side_at_both_crops():
    for crop, square in ((224, (50, 6)), (112, (25, 3))):
        assert scaled(Visualize(), crop) == square
        starts = Square(*square).starts(crop)
        assert len(starts) == 30
        assert starts[-1] + square[0] == crop


def test_maps_are_those_of_a_plain_loop(make_net, shards):
    net = make_net().double()
    (batch,) = InputLoader(net, shards, 1).batches([5])
    pixels, square = batch.pixels[0], Square(20, 8)
    found = slide(net, pixels, square, 2, 1)
    assert found.best.shape == (6, 6)
    for row, top in enumerate(range(0, 45, 8)):
        for column, left in enumerate(range(0, 45, 8)):
            covered = pixels.clone()
            covered[top : top + 20, left : left + 20] = GREY
            inputs = (covered.double() - mean_crop(net)).permute(2, 0, 1)[None]
            seen = net.trace(inputs).activations
            chances = seen["fc8"].softmax(1)[0]
            torch.testing.assert_close(found.activity[row, column], seen["conv5"][0, 2].sum(), rtol=1e-10, atol=0)
            torch.testing.assert_close(found.probability[row, column], chances[1], rtol=1e-10, atol=0)
            assert found.best[row, column] == chances.argmax()


def test_probabilities_under_disjoint_squares_are_captums(make_net, shards):
    """f(covered) = f(image) - attribution, where every pixel is covered once; captum divides in float32."""
    net = make_net().double()
    net.fc8.weight.data /= 50  # no probability is next to 0 or 1
    (batch,) = InputLoader(net, shards, 1).batches([5])
    grey = GREY - mean_crop(net).permute(2, 0, 1)[None]

    def chance(inputs):
        return net(inputs).softmax(1)[:, 1]

    theirs = Occlusion(chance).attribute(batch.inputs, (3, 16, 16), (3, 16, 16), baselines=grey)
    found = slide(net, batch.pixels[0], Square(16, 16), 2, 1).probability
    expected = chance(batch.inputs).detach() - theirs[0, 0, ::16, ::16]
    assert expected.std() > 1e-3
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


def test_the_chosen_map_has_the_largest_total(make_net, shards):
    net = make_net()
    (batch,) = InputLoader(net, shards, 1).batches([5])
    totals = net.trace(to_inputs(net, batch.pixels), LAYER).activations[LAYER][0].sum((1, 2))
    assert totals[strongest_map(net, batch.pixels[0])] == totals.max()


def test_the_image_and_the_three_strongest_others_in_order(make_net, shards):
    net = make_net()
    loader = InputLoader(net, shards, 1)
    (batch,) = InputLoader(net, shards, 1, 24).batches()
    largest = net.trace(batch.inputs, LAYER).activations[LAYER].flatten(2).amax(2)  # (24, maps)
    ranking = largest[:, 3].argsort(descending=True).tolist()
    chosen = [ranking[0], ranking[2], ranking[-1]]
    four = top_four(loader, chosen, [3, 3, 3])
    assert four.images.tolist() == [ranking[:4], ranking[:4], [*ranking[:3], ranking[-1]]]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_small_set_has_fewer_others_and_none_twice(make_net, shards, tmp_path, count):
    from PIL import Image

    for number in range(count):
        Image.fromarray(shards.squares([number], 1)[0].numpy()).save(tmp_path / f"{number}.png")
    loader = InputLoader(make_net(), ImageFolder([tmp_path], 72), 1)
    four = top_four(loader, [0, count - 1], [3, 5])
    assert [sorted(images) for images in four.images.tolist()] == [list(range(count))] * 2
    assert (four.values.diff(dim=1) <= 0).all()


def test_any_layer_can_be_followed(make_net, shards):
    net = make_net()
    (batch,) = InputLoader(net, shards, 1).batches([5])
    trace = net.trace(to_inputs(net, batch.pixels)).activations
    chosen = strongest_map(net, batch.pixels[0], "fc7")
    assert chosen == trace["fc7"][0].argmax()
    beside = slide(net, batch.pixels[0], Square(1, 63), 2, 1, "pool2")
    covered = to_inputs(net, cover(batch.pixels[0], 63, 0, 1)[None])
    expected = net.trace(covered).activations["pool2"][0, 2].sum()
    torch.testing.assert_close(beside.activity[1, 0], expected, rtol=1e-5, atol=1e-4)


def test_covering_leaves_the_original_alone_and_stops_at_the_edge():
    pixels = torch.zeros(6, 6, 3, dtype=torch.uint8)
    assert (cover(pixels, 4, -1, 3) == GREY).sum() == 2 * 2 * 3
    assert not pixels.any()
