"""Features of a trained net (Figure 2; layer 2 also for Figure 6 d, e): the strongest patches and their projections.

For random maps of each layer the nine strongest activations over the validation set, at most one per picture, are each
projected to pixels with that picture's own switches, and shown beside the patches that caused them.
Maps that never respond are passed over as long as there are others, and counted; an activation of 0 has no picture: its
projection is empty and its patch plain grey.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from zfnet.core.errors import ZfnetError, first_line
from zfnet.core.progress import track
from zfnet.core.tables import write_table
from zfnet.data.loader import Shards
from zfnet.nets import Network
from zfnet.settings import Visualize
from zfnet.visualize.net_inputs import GREY, Gallery, open_gallery
from zfnet.visualize.patches import Tiles, look_again
from zfnet.visualize.stage_files import Origin, write_arrays
from zfnet.visualize.top_activations import LAYERS, Strongest, find_strongest, number, random_maps

COLUMNS = ("layer", "map", "rank", "key", "label", "row", "column", "activation", "top", "left", "size")
USED = {"layer": int, "map": int, "rank": int, "key": str, "row": int, "column": int, "activation": float}


def features_stage(weights: Path, manifest: Path, settings: Visualize, out: Path, threads: int = 2) -> None:
    """Write features.safetensors (`out`), and beside it the table (.csv) and the provenance (.json).

    Arrays, for L = 1..5: layerL/maps int64 (M,); layerL/patches uint8 (M, top, t, t, 3); layerL/projections float16
    (M, top, t, t, 3), signed, peak 127; layer1/filters float32 (all maps, 3, k, k) moved to (all maps, k, k, 3).
    Columns: layer, map, rank (from 0), key and label of the picture, row and column in the map, activation, and the
    patch's box in the centre crop: top, left, size.
    """
    origin = Origin(settings, weights=weights, manifest=manifest)
    gallery = open_gallery(weights, manifest, threads, labels=False)
    every = random_maps(gallery.net, dict.fromkeys(LAYERS), settings.seed)
    views = track(gallery.views(), "Strongest activations, batches", -(-len(gallery) // gallery.batch))
    strongest = find_strongest(gallery.net, views, every, settings.top_k)
    maps, found = responding_first(every, strongest, map_counts(settings))
    tiles = look_again(gallery, found, maps)
    write_table(out.with_suffix(".csv"), COLUMNS, _rows(gallery, maps, found, tiles))
    write_arrays(out, _arrays(gallery.net, maps, found, tiles))
    origin.write(out.with_suffix(".json"), images=len(gallery), maps=maps, silent=_silent(strongest))


def read_features(path: Path, shards: Shards) -> pd.DataFrame:
    """Read the table that `features_stage` wrote: the columns of `USED`, and `picture`, its place in the data set.

    Raises
    ------
    ZfnetError
        It is another table, or names pictures that the data set lacks.
    """
    try:
        table = pd.read_csv(path, usecols=list(USED), dtype=USED, keep_default_na=False)
    except ValueError as error:  # empty, no text, other columns, other values
        raise ZfnetError(f"{path}: not a table of features ({first_line(error)}); make the features again.") from None
    place = {key: index for index, key in enumerate(shards.keys)}
    if unknown := set(table["key"]) - place.keys():
        raise ZfnetError(f"{path}: {min(unknown)} is no picture of this data set; make the features again.")
    return table.assign(picture=[place[key] for key in table["key"]])


def map_counts(settings: Visualize) -> dict[int, int]:
    """Maps per layer; layer 2 has enough for Figure 6 as well."""
    counts = dict(zip(LAYERS, settings.maps_per_layer, strict=False))
    return counts | {2: max(counts.get(2, 0), settings.filter_maps)}


def responding_first(
    maps: Mapping[str, Sequence[int]], found: Mapping[str, Strongest], counts: Mapping[int, int]
) -> tuple[dict[str, list[int]], dict[str, Strongest]]:
    """Choose `counts` maps of each layer in the given order, those that ever respond before those that never do."""
    chosen, strongest = {}, {}
    for layer, best in found.items():
        rows = (best.values[:, 0] <= 0).to(torch.uint8).argsort(stable=True)[: counts[number(layer)]]
        chosen[layer] = [maps[layer][row] for row in rows.tolist()]
        strongest[layer] = Strongest(*(part[rows] for part in best))
    return chosen, strongest


def first_filters(net: Network) -> np.ndarray:
    """The filters of layer 1: float32 (maps, k, k, 3)."""
    return net.get_submodule("conv1").weight.permute(0, 2, 3, 1).float().cpu().numpy()


def _silent(found: Mapping[str, Strongest]) -> dict[str, str]:
    """How many maps of each layer never respond, of how many."""
    return {layer: f"{int((best.values[:, 0] <= 0).sum())} of {len(best.values)}" for layer, best in found.items()}


def _arrays(
    net: Network, maps: dict[str, list[int]], found: dict[str, Strongest], tiles: dict[str, Tiles]
) -> dict[str, np.ndarray]:
    arrays = {"layer1/filters": first_filters(net)}
    for layer, chosen in maps.items():
        name = f"layer{number(layer)}"
        arrays[f"{name}/maps"] = np.array(chosen, np.int64)
        nothing = found[layer].values.numpy() <= 0  # (M, top)
        arrays[f"{name}/patches"] = np.where(nothing[..., None, None, None], np.uint8(GREY), tiles[layer].patches)
        arrays[f"{name}/projections"] = tiles[layer].projections
    return arrays


def _rows(
    gallery: Gallery, maps: dict[str, list[int]], found: dict[str, Strongest], tiles: dict[str, Tiles]
) -> list[tuple[Any, ...]]:
    rows, keys, labels = [], gallery.shards.keys, gallery.shards.labels
    for layer, best in found.items():
        for one, chosen in enumerate(maps[layer]):
            winners = zip(*(part[one].tolist() for part in best), tiles[layer].boxes[one], strict=True)
            for rank, (value, image, row, column, place) in enumerate(winners):
                picture = keys[image], int(labels[image])
                rows.append((number(layer), chosen, rank, *picture, row, column, value, *place))
    return rows
