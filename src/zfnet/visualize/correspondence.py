"""Correspondence (Table 1, Figure 8): do masks on the same part of different faces change features in the same way?

    eps_i = features of picture i - features of picture i with the part masked           (ZF sect. 4, Table 1)
    distance(i, j) = share of the features for which sign(eps_i) and sign(eps_j) differ

at layers 5 (after its pool) and 7, for every unordered pair of pictures. The paper sums over all pairs and does not say
how it normalises; signs have three values, since most differences of rectified features are exactly 0, and the table
gives mean and deviation over pairs (D21). For the random row the r-th mask of one picture is compared with the r-th of
the other, and the distances are averaged over r.
"""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zfnet.core.errors import ZfnetError
from zfnet.core.progress import track
from zfnet.core.tables import write_table
from zfnet.data.readers.keypoints import PARTS, Animal, read_images, read_parts
from zfnet.nets import Network
from zfnet.settings import Visualize
from zfnet.visualize.face_masks import Face, make_face, make_plan, mask_side
from zfnet.visualize.invariance import respond
from zfnet.visualize.net_inputs import GREY, open_net
from zfnet.visualize.occlusion import cover
from zfnet.visualize.stage_files import Origin, write_arrays

LAYERS = (5, 7)
COLUMNS = ("location", "layer", "first", "second", "distance")
SHOWN = 5  # animals in Figure 8
_ROUNDING = 1e-6  # differences below this share of the largest feature are none


def correspondence_stage(
    weights: Path, images: Path, keypoints: Path, settings: Visualize, out: Path, threads: int = 2
) -> None:
    """Write correspondence-pairs.csv (`out`), and beside it correspondence.safetensors and correspondence.json.

    Columns: location (right eye, left eye, nose, random), layer (5, 7), first and second (keys), distance (share).
    Array: pictures uint8 (n, 1 + 3 + masks, crop, crop, 3), of the first five animals: as it is, right eye, left eye,
    nose, random masks.
    """
    origin = Origin(settings, weights=weights, images=images, keypoints=keypoints)
    torch.set_num_threads(threads)
    net = open_net(weights)
    faces = choose_faces(images, read_parts(images, keypoints), net, settings)
    draw = np.random.default_rng(settings.seed)
    masked = [mask_face(face, mask_side(net.size, settings.mask_size), settings.random_masks, draw) for face in faces]
    signs = [changes(net, pictures) for pictures in track(masked, "Correspondence")]
    write_table(out, COLUMNS, compare([face.key for face in faces], signs))
    write_arrays(out.with_name("correspondence.safetensors"), {"pictures": torch.stack(masked[:SHOWN]).numpy()})
    side = {"mask": mask_side(net.size, settings.mask_size), "grey": GREY}
    origin.write(out.with_name("correspondence.json"), animals=[face.key for face in faces], **side)


def choose_faces(images: Path, animals: Sequence[Animal], net: Network, settings: Visualize) -> list[Face]:
    """Draw the animals at random among those that can be used (see `zfnet.visualize.face_masks`).

    Only pictures that are drawn are decoded; for a damaged one the next is taken.

    Raises
    ------
    ZfnetError
        There are fewer than two.
    """
    usable = [animal for animal in animals if make_plan(animal, net.size, net.crop, settings.mask_size)]
    waiting = [usable[one] for one in np.random.default_rng(settings.seed).permutation(len(usable))]
    faces, count = [], settings.correspondence_images
    while waiting and len(faces) < count:
        lacking = count - len(faces)
        drawn, waiting = waiting[:lacking], waiting[lacking:]
        faces += _read_faces(images, drawn, net, settings)
    if len(faces) < min(2, count):
        raise ZfnetError(
            f"Only {len(faces)} of {len(animals)} animals have room for masks on both eyes, the nose and elsewhere; "
            "at least 2 are needed. Give pictures with larger faces, or set visualize.mask_size smaller."
        )
    return faces


def _read_faces(images: Path, drawn: Sequence[Animal], net: Network, settings: Visualize) -> list[Face]:
    """Faces of the animals whose pictures are whole, in the order in which they were drawn."""
    faces = {}
    for animal, image in read_images(images, drawn):
        plan = make_plan(animal, net.size, net.crop, settings.mask_size)
        faces[animal.key] = make_face(animal.key, image, plan, net.size, net.crop)
    return [faces[animal.key] for animal in drawn if animal.key in faces]


def mask_face(face: Face, mask: int, count: int, draw: np.random.Generator) -> Tensor:
    """A face as it is, with each part masked, and with `count` random masks: uint8 (1 + 3 + count, crop, crop, 3)."""
    random = face.free[draw.choice(len(face.free), count, replace=len(face.free) < count)].tolist()
    pixels = torch.from_numpy(face.pixels)
    corners = [face.parts[part] for part in PARTS] + random
    return torch.stack([pixels, *(cover(pixels, top, left, mask) for top, left in corners)])


def changes(net: Network, pictures: Tensor) -> dict[int, Tensor]:
    """Sign of the change of each feature by each mask: layer -> int8 (masks, features), of -1, 0 and 1."""
    features = respond(net, pictures, 0, LAYERS).features
    return {layer: signs(found[0] - found[1:], found.abs().max()).cpu() for layer, found in features.items()}


def signs(difference: Tensor, largest: Tensor | float) -> Tensor:
    """Three-valued sign; what rounding alone can make of features up to `largest` counts as 0."""
    return (difference.sign() * (difference.abs() > _ROUNDING * largest)).to(torch.int8)


def hamming(first: Tensor, second: Tensor) -> float:
    """Mean over masks of the share of features whose signs differ: int8 (masks, features) each."""
    return (first != second).double().mean().item()


def compare(keys: list[str], changed: list[dict[int, Tensor]]) -> list[tuple[str, int, str, str, float]]:
    """Distances of every unordered pair at every location and layer: rows of `COLUMNS`."""
    places = {part: slice(place, place + 1) for place, part in enumerate(PARTS)} | {"random": slice(len(PARTS), None)}
    return [
        (location, layer, keys[i], keys[j], hamming(changed[i][layer][place], changed[j][layer][place]))
        for location, place in places.items()
        for layer in LAYERS
        for i, j in combinations(range(len(keys)), 2)
    ]
