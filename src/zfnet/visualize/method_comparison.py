"""The same units under every method, and under what is often done otherwise (a figure that the paper lacks).

Of one map of each of layers 2-5 that Figure 2 shows, and of one class: the patch, its projection by deconvnet, guided
backpropagation and gradient, saliency, and the four published settings of activation maximisation. Beside them the
controls: the deconvnet with one step done as in other implementations, and a net whose filters were shuffled, which
must show nothing. A control's cosine to the deconvnet is a mean over a unit's strongest pictures.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from zfnet.core.progress import track
from zfnet.core.tables import write_table
from zfnet.nets import Network
from zfnet.nets.geometry import receptive_fields
from zfnet.settings import Visualize
from zfnet.visualize.activation_maximization import SETTINGS, Ascent, Best, maximise, middle
from zfnet.visualize.backward import RULES, descend, record, single_out
from zfnet.visualize.net_inputs import Gallery, open_gallery
from zfnet.visualize.patches import Box, as_half, box, cut
from zfnet.visualize.stage_files import Origin, write_arrays
from zfnet.visualize.top_patches import read_features

LAYERS = (2, 3, 4, 5)
SHUFFLED = "shuffled"  # the deconvnet of a net with shuffled filters
COLUMNS = ("layer", "unit", "name", "method", "cosine", "pictures", "gain")


class Unit(NamedTuple):
    """A unit and the pictures that make it respond, strongest first."""

    layer: str
    unit: int
    name: str  # of a class; empty for a map
    pictures: list[int]
    positions: list[tuple[int, int]]  # row and column in the map, of each picture


def methods_stage(
    weights: Path, manifest: Path, features: Path, settings: Visualize, out: Path, threads: int = 2
) -> None:
    """Write methods.safetensors (`out`), and beside it the table (.csv) and the provenance (.json).

    `features` is the table of Figure 2, which names the units and their pictures. Arrays, for each unit's LAYER:
    LAYER/patch uint8 (t, t, 3); LAYER/RULE and LAYER/shuffled float16 (t, t, 3), signed, peak 127; LAYER/saliency
    float16 (t, t, 1); LAYER/maximised uint8 (4, t, t, 3). Columns: layer, unit, name (of a class), method, cosine to
    the deconvnet (of rules) and over how many pictures, gain (of maximisation: activation reached, in multiples of the
    strongest picture's).
    """
    origin = Origin(settings, weights=weights, manifest=manifest, features=features)
    gallery = open_gallery(weights, manifest, threads)
    shuffled = shuffle(gallery.net, settings.seed)
    arrays, rows = {}, []
    for unit in track(choose_units(gallery, features), "Methods"):
        found = project_all(gallery, shuffled, unit)
        best = list(climb(gallery.net, unit, settings))
        arrays |= {f"{unit.layer}/{name}": array for name, array in _tiles(gallery, unit, found, best).items()}
        rows += [(*unit[:3], *row) for row in _rows(gallery, unit, found, best)]
    write_table(out.with_suffix(".csv"), COLUMNS, rows)
    write_arrays(out, arrays)
    origin.write(out.with_suffix(".json"), ascents=[one._asdict() for one in ascents(settings)])


def choose_units(gallery: Gallery, features: Path) -> list[Unit]:
    """The first map of each layer in the table of Figure 2, and the class of the last one's strongest picture.

    Raises
    ------
    ZfnetError
        It is no such table, or names pictures that the data set lacks.
    """
    table, units = read_features(features, gallery.shards), []
    for layer in LAYERS:
        rows = table[(table["layer"] == layer) & (table["activation"] > 0)]
        rows = rows[rows["map"] == rows["map"].iloc[0]] if len(rows) else rows
        pictures = rows["picture"].tolist()
        positions = list(zip(rows["row"], rows["column"], strict=True))
        units += [Unit(f"conv{layer}", int(rows["map"].iloc[0]), "", pictures, positions)] if pictures else []
    return [*units, _class_unit(gallery, units[-1])] if units else []


def _class_unit(gallery: Gallery, unit: Unit) -> Unit:
    label = int(gallery.shards.labels[unit.pictures[0]])
    last = max(gallery.net.layers, key=gallery.net.layers.__getitem__)
    return Unit(last, label, gallery.name(label), unit.pictures, unit.positions)


def shuffle(net: Network, seed: int) -> Network:
    """A copy of a net in which the weights of every filter and every unit changed places among themselves."""
    copied, draw = copy.deepcopy(net), np.random.default_rng(seed)
    for operation in copied.operations:
        if operation.kind in ("conv", "linear"):
            weight = operation.module.weight
            flat = draw.permuted(weight.detach().flatten(1).cpu().numpy(), axis=1)
            weight.data.copy_(torch.from_numpy(flat).view_as(weight))
    return copied


def project_all(gallery: Gallery, shuffled: Network, unit: Unit) -> dict[str, Tensor]:
    """Project a unit under every rule, and through the shuffled net: method -> float (pictures, 3, crop, crop)."""
    inputs = torch.cat([view.inputs for view in gallery.views(unit.pictures)])
    steps = record(gallery.net, inputs, unit.layer)
    start = _start(steps, unit)
    found = {name: descend(steps, start, rule) for name, rule in RULES.items()}
    steps = record(shuffled, inputs, unit.layer)
    return found | {SHUFFLED: descend(steps, _start(steps, unit))}


def _start(steps: Sequence, unit: Unit) -> Tensor:
    """From 1 and not from the activation, which only scales the picture and may be 0 in the shuffled net."""
    return single_out(steps[-1].output, unit.unit, torch.tensor(unit.positions), value=1.0)[1]


def climb(net: Network, unit: Unit, settings: Visualize) -> Iterator[Best]:
    """Maximise a unit by each of the published settings."""
    return (maximise(net, unit.layer, unit.unit, one, settings.seed) for one in ascents(settings))


def ascents(settings: Visualize) -> list[Ascent]:
    """The published settings, with no more steps than asked for."""
    limit = settings.maximize_steps
    return [one._replace(steps=min(one.steps, limit)) if limit else one for one in SETTINGS]


def alike(ours: Tensor, theirs: Tensor) -> tuple[float, int]:
    """Mean cosine over the pictures in which both projections show anything, and their number: float (B, …) each."""
    ours, theirs = ours.flatten(1).double(), theirs.flatten(1).double()
    shown = ours.any(1) & theirs.any(1)
    if not shown.any():
        return 0.0, 0
    return cosine_similarity(ours[shown], theirs[shown], eps=0).mean().item(), int(shown.sum())


def _rows(gallery: Gallery, unit: Unit, found: Mapping[str, Tensor], best: Sequence[Best]) -> list[tuple[Any, ...]]:
    rows = [(method, *alike(found["deconvnet"], pixels), "") for method, pixels in found.items()]
    (view,) = gallery.views(unit.pictures[:1])
    steps = record(gallery.net, view.inputs, unit.layer)
    activation = single_out(steps[-1].output, unit.unit, unit.positions[0])[0].item()
    gains = [one.activation / activation if activation > 0 else "" for one in best]
    return rows + [(f"maximised {place}", "", "", gain) for place, gain in enumerate(gains, 1)]


def _tiles(gallery: Gallery, unit: Unit, found: Mapping[str, Tensor], best: Sequence[Best]) -> dict[str, np.ndarray]:
    """What the figure shows of a unit: its strongest picture's tile under each method, and the best pictures' tiles."""
    (view,) = gallery.views(unit.pictures[:1])
    place = _box(gallery.net, unit.layer, unit.positions[0])
    central = _box(gallery.net, unit.layer, middle(gallery.net, unit.layer, view.inputs))
    first = {name: pixels[0].permute(1, 2, 0).float().cpu().numpy() for name, pixels in found.items()}
    first["saliency"] = np.abs(first["gradient"]).max(2, keepdims=True)
    shown = {name: as_half(cut(pixels, place)) for name, pixels in first.items()}
    maximised = np.stack([cut(one.picture.numpy(), central) for one in best])
    return {"patch": cut(view.pixels[0].numpy(), place), "maximised": maximised, **shown}


def _box(net: Network, layer: str, position: tuple[int, int] | None) -> Box:
    field = receptive_fields(net)[layer]
    return Box(0, 0, net.crop) if position is None else box(field, *position, net.crop)
