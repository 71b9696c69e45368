"""Correspondence (Table 1, Figure 8): does masking the same part of different faces change the features alike?

    eps_i = features of image i - features of image i with the part masked           (ZF sect. 4, Table 1)
    distance(i, j) = fraction of the features for which sign(eps_i) and sign(eps_j) differ

at layers 5 (after its pool) and 7, for every unordered pair of images. The paper sums over all pairs and does not state
a normalisation. Here signs have three values, since most differences of rectified features are exactly 0, and the table
gives mean and standard deviation over pairs (D21). For the random row the r-th mask of one image is compared with the
r-th of the other, and the distances are averaged over r.
"""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zfnet.core.errors import ZfnetError
from zfnet.core.progress_bar import track
from zfnet.core.tables import write_table
from zfnet.data.readers.keypoints import PARTS, Animal, read_images, read_parts
from zfnet.nets import Network
from zfnet.settings import Visualize
from zfnet.visualize.face_masks import Face, make_face, make_plan, mask_side
from zfnet.visualize.invariance import stage_features
from zfnet.visualize.net_inputs import GREY, open_net
from zfnet.visualize.occlusion import cover
from zfnet.visualize.stage_files import StageProvenance, write_arrays

LAYERS = ("conv5", "fc7")
COLUMNS = ("location", "layer", "first", "second", "distance")
SHOWN = 5  # animals in Figure 8
_ROUNDING = 1e-6  # differences below this fraction of the largest feature count as 0


def correspondence_stage(
    weights: Path, images: Path, keypoints: Path, settings: Visualize, out: Path, threads: int = 2
) -> None:
    """Write correspondence-pairs.csv (`out`), and beside it correspondence.safetensors and correspondence.json.

    Columns: location (right eye, left eye, nose, random), layer (conv5, fc7), first and second (keys), distance
    (fraction). Array: images uint8 (n, 1 + 3 + masks, crop, crop, 3), of the first five animals: unmasked, right eye,
    left eye, nose, random masks.
    """
    provenance = StageProvenance(settings, weights=weights, images=images, keypoints=keypoints)
    torch.set_num_threads(threads)
    net = open_net(weights)
    faces = choose_faces(images, read_parts(images, keypoints), net, settings)
    rng = np.random.default_rng(settings.seed)
    side = mask_side(net.size, settings.mask_size)
    masked = [mask_face(face, side, settings.random_masks, rng) for face in faces]
    signs = [change_signs(net, pixels) for pixels in track(masked, "Correspondence")]
    write_table(out, COLUMNS, compare([face.key for face in faces], signs))
    write_arrays(out.with_name("correspondence.safetensors"), {"images": torch.stack(masked[:SHOWN]).numpy()})
    keys = [face.key for face in faces]
    provenance.write(out.with_name("correspondence.json"), animals=keys, mask=side, grey=GREY)


def choose_faces(images: Path, animals: Sequence[Animal], net: Network, settings: Visualize) -> list[Face]:
    """Draw animals at random among the usable ones (see `zfnet.visualize.face_masks`).

    Only the drawn images are decoded; the next one replaces a damaged one.

    Raises
    ------
    ZfnetError
        Fewer than two animals are usable.
    """
    usable = [animal for animal in animals if make_plan(animal, net.size, net.crop, settings.mask_size)]
    waiting = [usable[index] for index in np.random.default_rng(settings.seed).permutation(len(usable))]
    faces: list[Face] = []
    count = settings.correspondence_images
    while waiting and len(faces) < count:
        missing = count - len(faces)
        drawn, waiting = waiting[:missing], waiting[missing:]
        faces += _read_faces(images, drawn, net, settings)
    if len(faces) < min(2, count):
        raise ZfnetError(
            f"Only {len(faces)} of {len(animals)} animals have room for masks on both eyes, the nose and elsewhere; "
            "at least 2 are needed. Use images with larger faces, or reduce visualize.mask_size."
        )
    return faces


def _read_faces(images: Path, drawn: Sequence[Animal], net: Network, settings: Visualize) -> list[Face]:
    """Read the faces of the animals whose images are undamaged, in the order in which they were drawn."""
    faces = {}
    for animal, image in read_images(images, drawn):
        plan = make_plan(animal, net.size, net.crop, settings.mask_size)
        assert plan is not None  # only usable animals are drawn
        faces[animal.key] = make_face(animal.key, image, plan, net.size, net.crop)
    return [faces[animal.key] for animal in drawn if animal.key in faces]


def mask_face(face: Face, side: int, count: int, rng: np.random.Generator) -> Tensor:
    """Return a face unmasked, with each part masked, and with `count` random masks.

    Returns
    -------
    Tensor
        uint8 (1 + 3 + count, crop, crop, 3).
    """
    random = face.free[rng.choice(len(face.free), count, replace=len(face.free) < count)].tolist()
    pixels = torch.from_numpy(face.pixels)
    corners = [face.parts[part] for part in PARTS] + random
    return torch.stack([pixels, *(cover(pixels, top, left, side) for top, left in corners)])


def change_signs(net: Network, pixels: Tensor) -> dict[str, Tensor]:
    """Compute the sign of the change of each feature by each mask: layer -> int8 (masks, features), -1, 0 or 1.

    pixels : from `mask_face`, the unmasked image first.
    """
    features = stage_features(net, pixels, 0, LAYERS).features
    return {layer: ternary_sign(values[0] - values[1:], values.abs().max()).cpu() for layer, values in features.items()}


def ternary_sign(difference: Tensor, largest: Tensor | float) -> Tensor:
    """Return -1, 0 or 1; differences that rounding alone can cause in features up to `largest` count as 0."""
    return (difference.sign() * (difference.abs() > _ROUNDING * largest)).to(torch.int8)


def hamming(first: Tensor, second: Tensor) -> float:
    """Return the fraction of features whose signs differ, averaged over masks: int8 (masks, features) each."""
    return (first != second).double().mean().item()


def compare(keys: list[str], signs: list[dict[str, Tensor]]) -> list[tuple[str, str, str, str, float]]:
    """Compute the distances of every unordered pair at every location and layer: rows of `COLUMNS`."""
    masks = {part: slice(index, index + 1) for index, part in enumerate(PARTS)} | {"random": slice(len(PARTS), None)}
    return [
        (location, layer, keys[i], keys[j], hamming(signs[i][layer][mask], signs[j][layer][mask]))
        for location, mask in masks.items()
        for layer in LAYERS
        for i, j in combinations(range(len(keys)), 2)
    ]
