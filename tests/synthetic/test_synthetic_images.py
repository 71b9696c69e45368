"""Images of the generated world: exact geometry, key points, boxes, and classes that are learnt by shape."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from zfnet.settings import World
from zfnet.synthetic import categories, composition, render, scenes, textures, transfer_sets
from zfnet.synthetic.canvas import Canvas, Frame, Pen, ellipse, relief, smooth
from zfnet.synthetic.families import FAMILIES, ORDER
from zfnet.synthetic.objects import coats
from zfnet.synthetic.objects.animals import FACES, KEY_POINTS

reals = st.floats(-2, 2)


@given(reals, reals, st.floats(0.1, 3), reals, st.booleans())
def test_a_frame_inside_a_frame_is_their_composition(x, y, scale, angle, flip):
    outer, inner = Frame.at(5, 7, 20, 0.3, True), Frame.at(x, y, scale, angle, flip)
    points = np.array([(0, 0), (1, 0), (0.3, -0.8)])
    np.testing.assert_allclose(outer.inside(x, y, scale, angle, flip)(points), outer(inner(points)), atol=1e-9)


def test_a_smooth_outline_goes_through_its_points_and_is_nearly_a_circle():
    corners = ellipse(0, 0, 1, 1)[::4]
    curve = smooth(corners)
    np.testing.assert_allclose(curve[::5], corners, atol=1e-12)
    assert np.abs(np.linalg.norm(curve, axis=1) - 1).max() < 0.03


def test_a_square_covers_exactly_its_pixels():
    pen = Pen((20, 10), Frame.at(10, 5, 1), Random(0))
    pen.box(-3, -2, 2, 1, (200, 100, 50))
    canvas = Canvas(np.zeros((10, 20, 3), np.float32), Random(0))
    left, top, right, bottom = canvas.stamp(pen, "plain", grounded=False)
    assert (left, top) == (7, 3) and (right, bottom) in {(12, 6), (13, 7)}  # Pillow's polygons own their last edge
    changed = np.argwhere(canvas.pixels.sum(2) > 0)
    assert changed.min(0).tolist() == [top, left] and (changed.max(0) + 1).tolist() == [bottom, right]


def test_markings_stay_within_the_drawing():
    pen = Pen((40, 40), Frame.at(20, 20, 10), Random(0))
    pen.ellipse(0, 0, 1, 1, (10, 20, 30))
    before = np.asarray(pen.coverage).copy()
    pen.mark([ellipse(0.8, 0, 1, 1)], (200, 0, 0))
    colours = np.asarray(pen.colours)
    assert (np.asarray(pen.coverage) == before).all()
    assert (colours[before == 0] == 0).all() and {(200, 0, 0), (10, 20, 30)} <= set(map(tuple, colours[before > 0]))


def test_relief_is_brighter_towards_the_light():
    disc = Image.fromarray((np.hypot(*np.mgrid[-30:30, -30:30]) < 28).astype(np.uint8) * 255)
    shade = relief(disc, (-1.0, 0.0))
    assert shade[30, 5] > 1.1 > 0.9 > shade[30, 54] and abs(shade[30, 30] - 1) < 0.05


@pytest.mark.parametrize("name", textures.NAMES)
def test_textures_wander_around_zero(name):
    tile = textures.piece(name, 200, 150, Random(1))
    assert tile.shape == (150, 200) and abs(tile.mean()) < 0.5 and 0.1 < tile.std() < 1.6


@pytest.mark.parametrize("scene", scenes.SCENES)
@pytest.mark.parametrize("size", [(32, 32), (90, 60), (40, 700)])
def test_scenes_fill_any_size(scene, size):
    pixels = scenes.SCENES[scene](*size, Random(2))
    assert pixels.shape == (size[1], size[0], 3) and np.isfinite(pixels).all() and 20 < pixels.mean() < 250


@pytest.mark.parametrize("family", FAMILIES)
def test_every_shape_can_be_drawn_in_every_marking(family):
    form = FAMILIES[family]
    for shape in (form.shapes + " " + form.others).split():
        for marking in form.markings.split():
            category = categories.Category("x", family, shape, "any", marking)
            pixels, thing = composition.portrait(category, (64, 48), Random(f"{shape}{marking}"))
            left, top, right, bottom = thing.box
            assert pixels.shape == (48, 64, 3) and (right - left) * (bottom - top) > 0.1 * 64 * 48


@pytest.mark.parametrize(
    "category", [categories.VOC["aeroplane"][0], categories.VOC["dog"][0], categories.VOC["tvmonitor"][0]]
)
def test_boxes_are_those_of_the_changed_pixels(category):
    for seed in range(4):
        rng = Random(seed)
        canvas = Canvas(np.full((60, 80, 3), 300, np.float32), rng)
        pen = Pen(canvas.size, Frame.at(40, 30, 20, 0.2), rng)
        FAMILIES[category.family].draw(pen, category.shape, coats.coat("fur", rng), category.marking)
        left, top, right, bottom = canvas.stamp(pen, "fur", grounded=False)
        changed = np.argwhere((canvas.pixels != 300).any(2))
        assert changed.min(0).tolist() == [top, left] and (changed.max(0) + 1).tolist() == [bottom, right]


@pytest.mark.parametrize("shape", FACES)
def test_key_points_are_on_the_drawn_eyes(shape):
    category = categories.Category("animal", "face", shape, "golden", "plain")
    for seed in range(5):
        pixels, thing = composition.portrait(category, (320, 240), Random(seed), 0.8)
        grey = pixels.mean(2)
        assert set(thing.points) == set(KEY_POINTS)
        for eye in ("left_eye", "right_eye"):
            x, y = (round(value) for value in thing.points[eye])
            around = grey[y - 25 : y + 26, x - 25 : x + 26]
            assert grey[y - 1 : y + 3, x - 1 : x + 3].mean() < np.median(around) - 25, eye


def test_frontal_animals_have_all_key_points_in_the_picture():
    world = World()
    for number in range(60):
        category = transfer_sets._animal(world, number)
        photo = render.frontal(render.Address(3, "parts", (category,), "animal", number, 64))
        left, top, right, bottom = photo.things[0].box
        assert all(left <= x <= right and top <= y <= bottom for x, y in photo.things[0].points.values())


def test_no_transfer_category_is_seen_in_pre_training():
    before = {(category.family, category.shape) for category in categories.imagenet(1000, 0)}
    transfer_kinds = [*categories.caltech101(40, 0), *categories.caltech256(40, 0)]
    transfer_kinds += [
        category for one in (categories.VOC, categories.CIFAR10) for group in one.values() for category in group
    ]
    assert not before & {(category.family, category.shape) for category in transfer_kinds}


@pytest.mark.parametrize("classes", [3, 20, 100, 400])
def test_classes_are_distinct_and_the_first_ones_stay(classes):
    for draw in (categories.imagenet, categories.caltech101, categories.caltech256):
        found = draw(classes, 5)
        assert (
            len(found)
            == len({category.name for category in found})
            == len({category[1:] for category in found})
            == classes
        )
    assert categories.imagenet(classes, 5)[:3] == categories.imagenet(3, 5)
    assert set(ORDER) == set(FAMILIES)


def test_voc_has_its_twenty_and_cifar_its_ten_classes():
    assert len(categories.VOC) == 20 and len(categories.CIFAR10) == 10
    assert all(
        category.name == name
        for one in (categories.VOC, categories.CIFAR10)
        for name, of in one.items()
        for category in of
    )


def test_classes_are_learnt_by_shape_and_not_by_colour_alone():
    found = categories.imagenet(20, 2013)
    train, train_labels = drawn(found, range(24))
    test, labels = drawn(found, range(24, 32))
    by_colour = nearest_mean(
        *(np.stack([thumbnail(p, 8).ravel() for p in set_]) for set_ in (train, test)), train_labels
    )
    by_shape = ridge(*(np.stack([gradients(p) for p in set_]) for set_ in (train, test)), train_labels)
    assert 0.2 < (by_colour == labels).mean() < 0.65
    assert (by_shape == labels).mean() > (by_colour == labels).mean() + 0.08


def drawn(found, numbers):
    """Centre squares of 64 pixels, and labels."""
    squares, labels = [], []
    for label, category in enumerate(found):
        for number in numbers:
            rng = Random(f"{label}/{number}")
            pixels = composition.portrait(category, composition.image_size(64, rng), rng)[0]
            top, left = (pixels.shape[0] - 64) // 2, (pixels.shape[1] - 64) // 2
            squares.append(pixels[top : top + 64, left : left + 64])
            labels.append(label)
    return squares, np.array(labels)


def thumbnail(square, side):
    return square.reshape(side, 64 // side, side, 64 // side, 3).mean((1, 3))


def gradients(square):
    """Histograms of gradient directions in cells of 8 x 8 pixels."""
    down, across = np.gradient(square.mean(2))
    strength, bins = np.hypot(down, across), (np.arctan2(down, across) % np.pi / np.pi * 8).astype(int) % 8
    cells = np.stack([(strength * (bins == b)).reshape(8, 8, 8, 8).sum((1, 3)) for b in range(8)], axis=2)
    return (cells / (np.linalg.norm(cells, axis=2, keepdims=True) + 20)).ravel()


def nearest_mean(train, test, labels):
    means = np.stack([train[labels == label].mean(0) for label in range(20)])
    return ((test[:, None] - means) ** 2).sum(2).argmin(1)


def ridge(train, test, labels):
    """Linear classifier by least squares on the class indicators."""
    train, test = train - (mean := train.mean(0)), test - mean
    weights = train.T @ np.linalg.solve(train @ train.T + 10 * np.eye(len(train)), np.eye(20)[labels])
    return (test @ weights).argmax(1)
