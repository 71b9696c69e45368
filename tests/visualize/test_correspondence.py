"""Correspondence worked out by hand, and the positions of the masks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from zfnet.core.errors import ZfnetError
from zfnet.data.readers import keypoints
from zfnet.data.readers.keypoints import Animal
from zfnet.settings import Visualize
from zfnet.visualize.correspondence import change_signs, choose_faces, compare, hamming, mask_face, ternary_sign
from zfnet.visualize.face_masks import free_corners, make_face, make_plan, mask_side
from zfnet.visualize.net_inputs import GREY

PLACES = {"right eye": (90.0, 60.0), "left eye": (150.0, 60.0), "nose": (120.0, 110.0)}


BOX = (40.0, 20.0, 160.0, 170.0)


def animal(key: str = "dog", **changes) -> Animal:
    """A dog with its key points in `image`."""
    return replace(Animal(key, key, (200, 240), PLACES, BOX), **changes)


def image() -> np.ndarray:
    """An image with red dots at the key points."""
    image = np.full((200, 240, 3), 60, np.uint8)
    for x, y in PLACES.values():
        image[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3] = 255, 0, 0
    return image


def test_signs_have_three_values():
    difference = torch.tensor([3.0, -2.0, 0.0, 1e-9, -1e-9])
    assert ternary_sign(difference, 3.0).tolist() == [1, -1, 0, 0, 0]


def test_distance_is_the_fraction_of_differing_signs():
    first = torch.tensor([[1, 0, -1, 1], [0, 0, 0, 0]], dtype=torch.int8)
    second = torch.tensor([[1, 1, 1, 0], [0, 0, 0, -1]], dtype=torch.int8)
    assert hamming(first, second) == (3 / 4 + 1 / 4) / 2
    assert hamming(first, first) == 0


def test_one_row_for_each_pair_location_and_layer():
    """Three animals, five masks (three parts, two random), two features."""
    zero = torch.zeros(5, 2, dtype=torch.int8)
    other = zero.clone()
    other[1] = torch.tensor([1, 0])  # left eye: half of the features
    other[3] = torch.tensor([1, -1])  # first of two random masks: all of them
    rows = compare(
        ["a", "b", "c"], [dict(conv5=zero, fc7=zero), dict(conv5=other, fc7=zero), dict(conv5=zero, fc7=zero)]
    )
    assert len(rows) == 4 * 2 * 3
    distances = {row[:4]: row[4] for row in rows}
    assert distances["left eye", "conv5", "a", "b"] == distances["random", "conv5", "b", "c"] == 0.5
    assert sum(distances.values()) == 4 * 0.5


def test_changes_are_signs_of_original_minus_masked(make_net, shards):
    net = make_net()
    images = shards.squares([0, 1, 2], 1)[:, 4:68, 4:68]
    mean = net.mean[:, 4:68, 4:68]
    seen = net.trace(images.permute(0, 3, 1, 2) - mean).activations
    found = change_signs(net, images)
    for layer, name in (("conv5", "pool5"), ("fc7", "fc7")):
        features = seen[name].flatten(1)
        assert torch.equal(found[layer], (features[0] - features[1:]).sign().to(torch.int8))
        assert found[layer].any()


def test_masks_cover_their_parts_in_the_pixels_of_the_crop():
    plan = make_plan(animal(), size=128, crop=112, mask_size=0.18)
    face = make_face("dog", image(), plan, size=128, crop=112)
    mask = mask_side(128, 0.18)
    masked = mask_face(face, mask, 4, np.random.default_rng(0))
    assert masked.shape == (8, 112, 112, 3)
    assert np.array_equal(masked[0], face.pixels)
    dots = masked[0, ..., 0].int() - masked[0, ..., 1] > 60
    assert dots.sum() >= 3 * 9
    for place, part in enumerate(PLACES, 1):
        covered = (masked[place] != masked[0]).any(2)
        top, left = face.parts[part]
        assert covered[top : top + mask, left : left + mask].all()
        assert covered.sum() == mask * mask
        hidden = torch.nonzero(dots & covered).float()
        torch.testing.assert_close(
            hidden.mean(0) - torch.tensor([top, left]), torch.full((2,), mask / 2 - 0.5), atol=1, rtol=0
        )
    for random in masked[4:]:
        assert not (dots & (random == GREY).all(2)).any()


def test_free_corners_are_those_of_a_plain_loop():
    box, taken, mask, crop = (2.0, 3.0, 14.0, 12.5), [(4, 4), (9, 1)], 4, 16
    expected = [
        [top, left]
        for top in range(crop - mask + 1)
        for left in range(crop - mask + 1)
        if ((top + 2 - 8) / 6) ** 2 + ((left + 2 - 7.75) / 4.75) ** 2 <= 1
        and all(abs(top - other[0]) >= mask or abs(left - other[1]) >= mask for other in taken)
    ]
    assert free_corners(crop, mask, box, taken).tolist() == expected


@pytest.fixture
def kennel(tmp_path):
    """Return a function that makes a folder with one image per name; the `damaged` ones are truncated."""

    def fill(names, damaged=()):
        for name in names:
            Image.fromarray(image()).save(tmp_path / f"{name}.png")
        for name in damaged:
            path = tmp_path / f"{name}.png"
            path.write_bytes(path.read_bytes()[:-150])
        return tmp_path

    return fill


def test_animals_without_room_for_masks_are_not_used(kennel, make_net):
    unusable = animal("edge", parts={**PLACES, "nose": (239.0, 199.0)})
    crowded = animal("small", box=(118.0, 108.0, 4.0, 4.0))
    assert make_plan(unusable, 128, 112, 0.18) is None
    assert make_plan(crowded, 128, 112, 0.18) is None
    with pytest.raises(ZfnetError, match="Only 1 of 3 animals have room"):
        choose_faces(kennel(["dog"]), [animal(), unusable, crowded], make_net(), Visualize())


def test_only_drawn_images_are_decoded_and_the_next_one_replaces_a_damaged_one(kennel, make_net, monkeypatch):
    decoded, decode = [], keypoints.decode
    monkeypatch.setattr(
        keypoints, "decode", lambda data, name, limit: decoded.append(name) or decode(data, name, limit)
    )
    animals = [animal(f"dog-{n}") for n in range(9)]
    order = [f"dog-{n}" for n in np.random.default_rng(0).permutation(9)]
    folder, settings = kennel(order), Visualize(correspondence_images=4)
    assert [face.key for face in choose_faces(folder, animals, make_net(), settings)] == order[:4]
    assert sorted(Path(name).stem for name in decoded) == sorted(order[:4])
    kennel(order, damaged=[order[1], order[4]])
    assert [face.key for face in choose_faces(folder, animals, make_net(), settings)] == [
        *(order[0], order[2]),
        *(order[3], order[5]),
    ]
    kennel(order, damaged=order[1:])
    with pytest.raises(ZfnetError, match="Only 1 of 9"):
        choose_faces(folder, animals, make_net(), settings)
