"""The same units by every visualisation method, and by common variations of the deconvnet (a figure of our own).

For one map of each of layers 2-5 in Figure 2, and for one class: the patch, its projection by deconvnet, guided
backpropagation and gradient, saliency, and the four published settings of activation maximisation. The controls are the
deconvnet with one step done as in other implementations, and a net with shuffled filters, whose projections must be
unrelated. The cosine of a control to the deconvnet is a mean over the top images of a unit.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from zfnet.core.progress_bar import track
from zfnet.core.tables import write_table
from zfnet.nets import Network
from zfnet.nets.geometry import receptive_fields
from zfnet.nets.network import OpRecord
from zfnet.settings import Visualize
from zfnet.visualize.activation_maximization import SETTINGS, AscentResult, AscentSettings, central_position, maximize
from zfnet.visualize.backward import RULES, backproject, forward_trace, select_unit
from zfnet.visualize.net_inputs import InputLoader, open_loader
from zfnet.visualize.patches import Box, as_half, box, cut
from zfnet.visualize.stage_files import StageProvenance, write_arrays
from zfnet.visualize.top_patches import read_features

LAYERS = ("conv2", "conv3", "conv4", "conv5")
SHUFFLED = "shuffled"  # the deconvnet of a net with shuffled filters
COLUMNS = ("layer", "unit", "name", "method", "cosine", "images", "gain")


class Unit(NamedTuple):
    """A unit and its top images, in descending order of activation."""

    layer: str
    unit: int
    name: str  # of a class; empty for a map
    images: list[int]
    positions: list[tuple[int, int]]  # row and column in the map, for each image


def methods_stage(
    weights: Path, manifest: Path, features: Path, settings: Visualize, out: Path, threads: int = 2
) -> None:
    """Write methods.safetensors (`out`), and beside it the table (.csv) and the provenance (.json).

    `features` is the table of Figure 2, which names the units and their images. Arrays, for each unit's LAYER:
    LAYER/patch uint8 (t, t, 3); LAYER/RULE and LAYER/shuffled float16 (t, t, 3), signed, peak 127; LAYER/saliency
    float16 (t, t, 1); LAYER/maximised uint8 (4, t, t, 3). Columns: layer, unit, name (of a class), method, cosine to
    the deconvnet (of rules), images (averaged over), gain (of maximisation: activation reached, as a multiple
    of that of the top image).
    """
    provenance = StageProvenance(settings, weights=weights, manifest=manifest, features=features)
    loader = open_loader(weights, manifest, threads)
    shuffled = shuffle(loader.net, settings.seed)
    arrays: dict[str, np.ndarray] = {}
    rows: list[tuple[Any, ...]] = []
    for unit in track(choose_units(loader, features), "Methods"):
        projections = project_all(loader, shuffled, unit)
        ascents = list(maximize_unit(loader.net, unit, settings))
        tiles = _tiles(loader, unit, projections, ascents)
        arrays |= {f"{unit.layer}/{name}": array for name, array in tiles.items()}
        rows += [(*unit[:3], *row) for row in _rows(loader, unit, projections, ascents)]
    write_table(out.with_suffix(".csv"), COLUMNS, rows)
    write_arrays(out, arrays)
    provenance.write(out.with_suffix(".json"), ascents=[ascent._asdict() for ascent in ascent_settings(settings)])


def choose_units(loader: InputLoader, features: Path) -> list[Unit]:
    """Choose the first map of each layer in the table of Figure 2, and the class of the last one's top image.

    Raises
    ------
    ZfnetError
        It is not such a table, or names images that the data set lacks.
    """
    table, units = read_features(features, loader.shards), []
    for layer in LAYERS:
        rows = table[(table["layer"] == layer) & (table["activation"] > 0)]
        if len(rows):
            rows = rows[rows["map"] == rows["map"].iloc[0]]
            positions = list(zip(rows["row"], rows["column"], strict=True))
            units.append(Unit(layer, int(rows["map"].iloc[0]), "", rows["image"].tolist(), positions))
    return [*units, _class_unit(loader, units[-1])] if units else []


def _class_unit(loader: InputLoader, unit: Unit) -> Unit:
    label = int(loader.shards.labels[unit.images[0]])
    last = max(loader.net.layers, key=loader.net.layers.__getitem__)
    return Unit(last, label, loader.class_name(label), unit.images, unit.positions)


def shuffle(net: Network, seed: int) -> Network:
    """Copy a net and permute the weights within every filter and every unit."""
    copied, rng = copy.deepcopy(net), np.random.default_rng(seed)
    for operation in copied.operations:
        if operation.kind in ("conv", "linear"):
            weight = operation.module.weight
            flat = rng.permuted(weight.detach().flatten(1).cpu().numpy(), axis=1)
            weight.data.copy_(torch.from_numpy(flat).view_as(weight))
    return copied


def project_all(loader: InputLoader, shuffled: Network, unit: Unit) -> dict[str, Tensor]:
    """Project a unit by every rule, and through the shuffled net: method -> float (images, 3, crop, crop)."""
    inputs = torch.cat([batch.inputs for batch in loader.batches(unit.images)])
    records = forward_trace(loader.net, inputs, unit.layer)
    signal = _signal(records, unit)
    projections = {name: backproject(records, signal, rule) for name, rule in RULES.items()}
    records = forward_trace(shuffled, inputs, unit.layer)
    return projections | {SHUFFLED: backproject(records, _signal(records, unit))}


def _signal(records: Sequence[OpRecord], unit: Unit) -> Tensor:
    """Start from 1, not from the activation, which only scales the projection and may be 0 in the shuffled net."""
    return select_unit(records[-1].output, unit.unit, torch.tensor(unit.positions), value=1.0)[1]


def maximize_unit(net: Network, unit: Unit, settings: Visualize) -> Iterator[AscentResult]:
    """Maximise a unit with each of the published settings."""
    return (maximize(net, unit.layer, unit.unit, ascent, settings.seed) for ascent in ascent_settings(settings))


def ascent_settings(settings: Visualize) -> list[AscentSettings]:
    """Return the published settings, with at most `maximize_steps` steps."""
    limit = settings.maximize_steps
    return [ascent._replace(steps=min(ascent.steps, limit)) if limit else ascent for ascent in SETTINGS]


def mean_cosine(first: Tensor, second: Tensor) -> tuple[float, int]:
    """Return the mean cosine over the images in which neither projection is all zero, and their number.

    first, second : float (B, …).
    """
    first, second = first.flatten(1).double(), second.flatten(1).double()
    nonzero = first.any(1) & second.any(1)
    if not nonzero.any():
        return 0.0, 0
    return cosine_similarity(first[nonzero], second[nonzero], eps=0).mean().item(), int(nonzero.sum())


def _rows(
    loader: InputLoader, unit: Unit, projections: Mapping[str, Tensor], ascents: Sequence[AscentResult]
) -> list[tuple[Any, ...]]:
    rows = [(method, *mean_cosine(projections["deconvnet"], pixels), "") for method, pixels in projections.items()]
    (batch,) = loader.batches(unit.images[:1])
    records = forward_trace(loader.net, batch.inputs, unit.layer)
    activation = select_unit(records[-1].output, unit.unit, unit.positions[0])[0].item()
    gains = [ascent.activation / activation if activation > 0 else "" for ascent in ascents]
    return rows + [(f"maximised {number}", "", "", gain) for number, gain in enumerate(gains, 1)]


def _tiles(
    loader: InputLoader, unit: Unit, projections: Mapping[str, Tensor], ascents: Sequence[AscentResult]
) -> dict[str, np.ndarray]:
    """Cut out the tiles of a unit: of its top image by each method, and of the images that maximise it."""
    (batch,) = loader.batches(unit.images[:1])
    place = _box(loader.net, unit.layer, unit.positions[0])
    central = _box(loader.net, unit.layer, central_position(loader.net, unit.layer, batch.inputs))
    first = {name: pixels[0].permute(1, 2, 0).float().cpu().numpy() for name, pixels in projections.items()}
    first["saliency"] = np.abs(first["gradient"]).max(2, keepdims=True)  # (crop, crop, 1)
    tiles = {name: as_half(cut(pixels, place)) for name, pixels in first.items()}
    maximised = np.stack([cut(ascent.image.numpy(), central) for ascent in ascents])
    return {"patch": cut(batch.pixels[0].numpy(), place), "maximised": maximised, **tiles}


def _box(net: Network, layer: str, position: tuple[int, int] | None) -> Box:
    field = receptive_fields(net)[layer]
    return Box(0, 0, net.crop) if position is None else box(field, *position, net.crop)
