"""Features of a trained net (Figure 2; layer 2 also for Figure 6 d, e): the top patches and their projections.

For random maps of each layer, the nine top activations over the validation set, at most one per image, are each
projected to pixels with that image's own switches, and shown beside the patches that caused them.
Maps that never respond are counted, and skipped as long as there are others. An activation of 0 has no cause: its
projection is empty and its patch is plain grey.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from zfnet.core.errors import ZfnetError, first_line
from zfnet.core.progress_bar import track
from zfnet.core.tables import write_table
from zfnet.data.loader import Shards
from zfnet.nets import Network
from zfnet.settings import Visualize
from zfnet.visualize.net_inputs import GREY, InputLoader, open_loader
from zfnet.visualize.patches import Tiles, render_tiles
from zfnet.visualize.stage_files import StageProvenance, write_arrays
from zfnet.visualize.top_activations import LAYERS, TopActivations, find_strongest, random_maps

COLUMNS = ("layer", "map", "rank", "key", "label", "row", "column", "activation", "top", "left", "size")
USED = {"layer": str, "map": int, "rank": int, "key": str, "row": int, "column": int, "activation": float}


def features_stage(weights: Path, manifest: Path, settings: Visualize, out: Path, threads: int = 2) -> None:
    """Write features.safetensors (`out`), and beside it the table (.csv) and the provenance (.json).

    Arrays, for L = 1..5: layerL/maps int64 (M,); layerL/patches uint8 (M, top, t, t, 3); layerL/projections float16
    (M, top, t, t, 3), signed, peak 127; conv1/filters float32 (all maps, k, k, 3).
    Columns: layer, map, rank (from 0), key and label of the image, row and column in the map, activation, and the
    patch's box in the centre crop: top, left, size.
    """
    provenance = StageProvenance(settings, weights=weights, manifest=manifest)
    loader = open_loader(weights, manifest, threads, labels=False)
    all_maps = random_maps(loader.net, dict.fromkeys(LAYERS), settings.seed)
    batches = track(loader.batches(), "Top activations, minibatches", -(-len(loader) // loader.batch_size))
    strongest = find_strongest(loader.net, batches, all_maps, settings.top_k)
    maps, best = responding_first(all_maps, strongest, map_counts(settings))
    tiles = render_tiles(loader, best, maps)
    write_table(out.with_suffix(".csv"), COLUMNS, _rows(loader, maps, best, tiles))
    write_arrays(out, _arrays(loader.net, maps, best, tiles))
    provenance.write(out.with_suffix(".json"), images=len(loader), maps=maps, silent=_silent(strongest))


def read_features(path: Path, shards: Shards) -> pd.DataFrame:
    """Read the table that `features_stage` wrote: the columns of `USED`, and `image`, the index into the data set.

    Raises
    ------
    ZfnetError
        It is another table, or names images that the data set lacks.
    """
    try:
        table = pd.read_csv(path, usecols=list(USED), dtype=USED, keep_default_na=False)
    except ValueError as error:  # empty, no text, other columns, other values
        raise ZfnetError(
            f"{path}: not a table of features ({first_line(error)}); run `zfnet top-patches` again."
        ) from None
    index_of = {key: index for index, key in enumerate(shards.keys)}
    if unknown := set(table["key"]) - index_of.keys():
        raise ZfnetError(
            f"{path}: {min(unknown)} is not an image of this data set; run `zfnet top-patches` again on these images."
        )
    return table.assign(image=[index_of[key] for key in table["key"]])


def map_counts(settings: Visualize) -> dict[str, int]:
    """Return the number of maps for each layer, large enough in conv2 for Figure 6 as well."""
    counts = dict(zip(LAYERS, settings.maps_per_layer, strict=False))
    return counts | {"conv2": max(counts.get("conv2", 0), settings.filter_maps)}


def responding_first(
    maps: Mapping[str, Sequence[int]], strongest: Mapping[str, TopActivations], counts: Mapping[str, int]
) -> tuple[dict[str, list[int]], dict[str, TopActivations]]:
    """Choose `counts` maps of each layer, in their order, those that ever respond before those that never do."""
    chosen, best = {}, {}
    for layer, top in strongest.items():
        rows = (top.values[:, 0] <= 0).to(torch.uint8).argsort(stable=True)[: counts[layer]]
        chosen[layer] = [maps[layer][row] for row in rows.tolist()]
        best[layer] = TopActivations(*(part[rows] for part in top))
    return chosen, best


def first_filters(net: Network) -> np.ndarray:
    """Return the filters of conv1: float32 (maps, k, k, 3)."""
    return net.get_submodule("conv1").weight.permute(0, 2, 3, 1).float().cpu().numpy()


def _silent(strongest: Mapping[str, TopActivations]) -> dict[str, str]:
    """Count the maps of each layer that never respond, as "3 of 96"."""
    return {layer: f"{int((top.values[:, 0] <= 0).sum())} of {len(top.values)}" for layer, top in strongest.items()}


def _arrays(
    net: Network, maps: dict[str, list[int]], best: dict[str, TopActivations], tiles: dict[str, Tiles]
) -> dict[str, np.ndarray]:
    arrays = {"conv1/filters": first_filters(net)}
    for layer, chosen in maps.items():
        arrays[f"{layer}/maps"] = np.array(chosen, np.int64)
        silent = best[layer].values.numpy() <= 0  # (M, top)
        arrays[f"{layer}/patches"] = np.where(silent[..., None, None, None], np.uint8(GREY), tiles[layer].patches)
        arrays[f"{layer}/projections"] = tiles[layer].projections
    return arrays


def _rows(
    loader: InputLoader, maps: dict[str, list[int]], best: dict[str, TopActivations], tiles: dict[str, Tiles]
) -> list[tuple[Any, ...]]:
    rows, keys, labels = [], loader.shards.keys, loader.shards.labels
    for layer, top in best.items():
        for index, chosen in enumerate(maps[layer]):
            winners = zip(*(part[index].tolist() for part in top), tiles[layer].boxes[index], strict=True)
            for rank, (value, image, row, column, place) in enumerate(winners):
                source = keys[image], int(labels[image])
                rows.append((layer, chosen, rank, *source, row, column, value, *place))
    return rows
