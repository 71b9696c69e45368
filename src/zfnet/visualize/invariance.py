"""Feature invariance (Figure 5): what shifts, scales and rotations do to layer 1, layer 7 and the output.

Whole squares are transformed as pixels and the centre is cropped; distances are Euclidean, between the features of the
original and of the transformed picture, where "layer l features" are the output of that whole stage (D32). Nobody knows
the paper's "canonical distance" (D19): both the raw distance and the one relative to the norm of the original's
features are written. Shifts are in pixels of the crop that is in use, scaled from those at 224; a positive one moves
the picture down or to the right, a positive rotation is anticlockwise.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from zfnet.core.progress import track
from zfnet.core.tables import write_table
from zfnet.nets import Network
from zfnet.nets.geometry import stage_output
from zfnet.settings import Visualize
from zfnet.visualize.examples import choose
from zfnet.visualize.net_inputs import Gallery, centre, open_gallery, to_inputs
from zfnet.visualize.stage_files import Origin, write_arrays
from zfnet.visualize.transforms import TRANSFORMS, warp

LAYERS = (1, 7)
COLUMNS = ("image", "key", "class", "transform", "amount")
COLUMNS += ("layer1", "layer1_relative", "layer7", "layer7_relative", "probability")


class Response(NamedTuple):
    """What a net makes of some pictures."""

    features: dict[int, Tensor]  # layer number -> float (B, n)
    probability: Tensor  # float (B,), of the true class


def invariance_stage(weights: Path, manifest: Path, settings: Visualize, out: Path, threads: int = 2) -> None:
    """Write invariance.csv (`out`), and beside it the transformed pictures (.safetensors) and the provenance (.json).

    Columns: image (from 0), key, class (name), transform (vertical, horizontal, scale or rotation), amount, distances
    layer1, layer1_relative, layer7, layer7_relative, and probability of the true class. Arrays: TRANSFORM/examples
    uint8 (images, n, crop, crop, 3), in the order of the amounts.
    """
    origin = Origin(settings, weights=weights, manifest=manifest)
    gallery = open_gallery(weights, manifest, threads)
    chosen = choose(gallery, settings.invariance_images, settings.seed)
    rows, examples = [], {}
    steps = amounts(settings, gallery.net.crop)
    for transform in track(steps, "Transforms"):
        moved = [_moved(gallery, index, transform, steps[transform]) for index in chosen]
        examples[f"{transform}/examples"] = torch.stack(moved).round().byte().numpy()
        for place, (index, pictures) in enumerate(zip(chosen, moved, strict=True)):
            label = int(gallery.shards.labels[index])
            named = place, gallery.shards.keys[index], gallery.name(label), transform
            numbers = compare(gallery.net, gallery.squares([index])[0], pictures, label)
            rows += [(*named, amount, *line) for amount, line in zip(steps[transform], numbers.tolist(), strict=True)]
    write_arrays(out.with_suffix(".safetensors"), examples)
    write_table(out, COLUMNS, rows)
    origin.write(out.with_suffix(".json"), images=[gallery.shards.keys[index] for index in chosen], amounts=steps)


def amounts(settings: Visualize, crop: int) -> dict[str, list[float]]:
    """Amounts of each transform: pixels at this crop, ratios, degrees."""
    far = settings.max_shift * crop / 224
    shifts = np.linspace(-far, far, 2 * settings.shift_steps + 1).tolist()
    scales = np.linspace(1, 1.8, settings.scale_steps + 1).tolist()
    turns = [float(degrees) for degrees in range(0, 360, settings.rotation_step)]
    return {"vertical": shifts, "horizontal": shifts, "scale": scales, "rotation": turns}


def compare(net: Network, square: Tensor, pictures: Tensor, label: int) -> Tensor:
    """Compare the response to transformed pictures with that to the original.

    Parameters
    ----------
    square : uint8 (S, S, 3), the original.
    pictures : float (n, crop, crop, 3), transformed, 0..255.
    label : the true class.

    Returns
    -------
    Tensor
        float (n, 5): distance and relative distance in layer 1, the same in layer 7, probability of `label`.
    """
    original = centre(square[None], net.crop).float()
    seen = respond(net, torch.cat([original, pictures]), label)
    columns = []
    for layer in LAYERS:
        reference, features = seen.features[layer][0], seen.features[layer][1:]
        distance = (features - reference).norm(dim=1)
        columns += [distance, distance / reference.norm().clamp_min(1e-12)]  # a dead layer does not move
    return torch.stack([*columns, seen.probability[1:]], 1).cpu()


@torch.no_grad()
def respond(net: Network, pixels: Tensor, label: int, layers: Sequence[int] = LAYERS) -> Response:
    """Features of whole layers and probability of class `label` for pixels (B, crop, crop, 3), 0..255."""
    wanted = {net.layers[stage_output(net, layer)]: layer for layer in layers}
    features = {}
    for index, step in enumerate(net.walk(to_inputs(net, pixels))):
        if index in wanted:
            features[wanted[index]] = step.output.flatten(1)
    return Response(features, step.output.softmax(1)[:, label])


def _moved(gallery: Gallery, index: int, transform: str, steps: Sequence[float]) -> Tensor:
    """Centre crops of the transformed square: float32 (n, crop, crop, 3), 0..255."""
    matrices = [TRANSFORMS[transform](amount) for amount in steps]
    return centre(warp(gallery.squares([index])[0], matrices, gallery.net.mean.cpu()), gallery.net.crop)
