"""Feature invariance (Figure 5): the effect of shifts, scales and rotations on layer 1, layer 7 and the output.

Whole squares are transformed as pixels and then cropped to the centre. Distances are Euclidean, between the features of
the original and of the transformed image, where "layer l features" are the output of that whole layer, after its pool
and norm (D32). The paper's "canonical distance" is not defined (D19), so both the raw distance and the one relative to
the norm of the original's features are written. Shifts are in pixels of the current crop, scaled from those at 224. A
positive shift moves the image down or to the right, a positive rotation is anticlockwise.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from zfnet.core.progress_bar import track
from zfnet.core.tables import write_table
from zfnet.nets import Network
from zfnet.nets.geometry import stage_output
from zfnet.settings import Visualize
from zfnet.visualize.examples import choose_examples
from zfnet.visualize.net_inputs import InputLoader, centre, open_loader, to_inputs
from zfnet.visualize.stage_files import StageProvenance, write_arrays
from zfnet.visualize.transforms import TRANSFORMS, warp

LAYERS = ("conv1", "fc7")
COLUMNS = (
    *("image", "key", "class", "transform", "amount"),
    *("conv1", "conv1_relative", "fc7", "fc7_relative", "probability"),
)


class Response(NamedTuple):
    """Features and class probability of a minibatch."""

    features: dict[str, Tensor]  # layer -> float (B, n)
    probability: Tensor  # float (B,), of the given class


def invariance_stage(weights: Path, manifest: Path, settings: Visualize, out: Path, threads: int = 2) -> None:
    """Write invariance.csv (`out`), and beside it the transformed images (.safetensors) and the provenance (.json).

    Columns: image (from 0), key, class (name), transform (vertical, horizontal, scale or rotation), amount, distances
    conv1, conv1_relative, fc7, fc7_relative, and probability of the true class. Arrays: TRANSFORM/examples
    uint8 (images, n, crop, crop, 3), in the order of the amounts.
    """
    provenance = StageProvenance(settings, weights=weights, manifest=manifest)
    loader = open_loader(weights, manifest, threads)
    chosen = choose_examples(loader, settings.invariance_images, settings.seed)
    keys = [loader.shards.keys[index] for index in chosen]
    rows, examples = [], {}
    steps = amounts(settings, loader.net.crop)
    for transform in track(steps, "Transforms"):
        transformed = [_transform(loader, index, transform, steps[transform]) for index in chosen]
        examples[f"{transform}/examples"] = torch.stack(transformed).round().byte().numpy()
        for image, (index, pixels) in enumerate(zip(chosen, transformed, strict=True)):
            label = int(loader.shards.labels[index])
            source = image, keys[image], loader.class_name(label), transform
            numbers = compare(loader.net, loader.squares([index])[0], pixels, label).tolist()
            rows += [(*source, amount, *line) for amount, line in zip(steps[transform], numbers, strict=True)]
    write_arrays(out.with_suffix(".safetensors"), examples)
    write_table(out, COLUMNS, rows)
    provenance.write(out.with_suffix(".json"), images=keys, amounts=steps)


def amounts(settings: Visualize, crop: int) -> dict[str, list[float]]:
    """Return the amounts of each transform: pixels at this crop, ratios, degrees."""
    largest = settings.max_shift * crop / 224
    shifts = np.linspace(-largest, largest, 2 * settings.shift_steps + 1).tolist()
    scales = np.linspace(1, 1.8, settings.scale_steps + 1).tolist()
    turns = [float(degrees) for degrees in range(0, 360, settings.rotation_step)]
    return {"vertical": shifts, "horizontal": shifts, "scale": scales, "rotation": turns}


def compare(net: Network, square: Tensor, images: Tensor, label: int) -> Tensor:
    """Compare the response to transformed images with that to the original.

    Parameters
    ----------
    square : uint8 (S, S, 3), the original.
    images : float (n, crop, crop, 3), transformed, 0..255.
    label : the true class.

    Returns
    -------
    Tensor
        float (n, 5): distance and relative distance in conv1, the same in fc7, probability of `label`.
    """
    original = centre(square[None], net.crop).float()
    response = stage_features(net, torch.cat([original, images]), label)  # of n + 1 images
    columns = []
    for layer in LAYERS:
        reference, features = response.features[layer][0], response.features[layer][1:]
        distance = (features - reference).norm(dim=1)
        columns += [distance, distance / reference.norm().clamp_min(1e-12)]  # 0 for a dead layer
    return torch.stack([*columns, response.probability[1:]], 1).cpu()


@torch.no_grad()
def stage_features(net: Network, pixels: Tensor, label: int, layers: Sequence[str] = LAYERS) -> Response:
    """Compute the features of whole layers and the probability of class `label`.

    pixels : (B, crop, crop, 3), 0..255.
    """
    layer_at = {net.layers[stage_output(net, layer)]: layer for layer in layers}
    features = {}
    for index, record in enumerate(net.iter_forward(to_inputs(net, pixels))):
        if index in layer_at:
            features[layer_at[index]] = record.output.flatten(1)
    return Response(features, record.output.softmax(1)[:, label])


def _transform(loader: InputLoader, index: int, transform: str, steps: Sequence[float]) -> Tensor:
    """Return centre crops of the transformed square: float32 (n, crop, crop, 3), 0..255."""
    matrices = [TRANSFORMS[transform](amount) for amount in steps]
    return centre(warp(loader.squares([index])[0], matrices, loader.net.mean.cpu()), loader.net.crop)
