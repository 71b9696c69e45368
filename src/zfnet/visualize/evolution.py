"""Evolution of features during training (Figure 4): the strongest activation of some maps at every snapshot.

For each snapshot the strongest activation of a map over the training pictures is found and projected to pixels; the
same maps are followed through all epochs, so a sudden jump means that another picture took over. All
snapshots look at a picture when it is decoded, so the training set is read once. A snapshot's epoch is that of its file
name, which counts the epochs really trained. How alike whole layers are to their last state is measured on fewer
pictures (`zfnet.visualize.cka`).
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from zfnet.core.errors import ZfnetError
from zfnet.core.files import read_json
from zfnet.core.progress import track
from zfnet.core.tables import write_table
from zfnet.nets import Network
from zfnet.settings import Visualize
from zfnet.visualize.cka import PICTURES, to_the_last
from zfnet.visualize.net_inputs import Gallery, open_gallery, open_net, some
from zfnet.visualize.patches import Tiles, look_again
from zfnet.visualize.stage_files import Origin, write_arrays
from zfnet.visualize.top_activations import LAYERS, Strongest, Tally, number, random_maps, take_in

COLUMNS = ("layer", "map", "epoch", "key", "activation")


def evolution_stage(metrics: Path, manifest: Path, settings: Visualize, out: Path, threads: int = 2) -> None:
    """Write evolution.safetensors (`out`), and beside it the table (.csv) and the provenance (.json).

    `metrics` is the metrics.json of a run that kept snapshots. Arrays: epochs int64 (E,); for L = 1..5 layerL/maps
    int64 (M,), layerL/projections float16 (M, E, t, t, 3), signed, peak 127, layerL/similarity float32 (E,), CKA of the
    layer with its last state. Columns: layer, map, epoch, key of the picture with the strongest activation, activation.

    Raises
    ------
    ZfnetError
        These are no metrics, the run kept no snapshots, or one is missing.
    """
    origin = Origin(settings, metrics=metrics, manifest=manifest)
    snapshots = find_snapshots(metrics)
    gallery = open_gallery(snapshots[max(snapshots)], manifest, threads, labels=False)
    nets = {epoch: open_net(path) for epoch, path in snapshots.items()}
    maps = random_maps(gallery.net, dict.fromkeys(LAYERS, settings.evolution_maps), settings.seed)
    indices = some(len(gallery), settings.evolution_images, settings.seed)
    found = _watch(gallery, nets, maps, indices)
    tiles = {epoch: look_again(replace(gallery, net=nets[epoch]), best, maps) for epoch, best in found.items()}
    write_table(out.with_suffix(".csv"), COLUMNS, _rows(gallery, maps, found))
    few = some(len(gallery), PICTURES, settings.seed)
    write_arrays(out, _arrays(maps, tiles) | _similarity(gallery, nets, few))
    origin.write(out.with_suffix(".json"), images=len(indices), epochs=list(snapshots), maps=maps)


def find_snapshots(metrics: Path) -> dict[int, Path]:
    """The snapshots that a run's metrics name, by epoch in order."""
    found = {}
    for name in _named(metrics):
        path = metrics.parent / "snapshots" / Path(name).name
        epoch = re.search(r"(\d+)$", path.stem)
        if epoch is None or not path.exists():
            raise ZfnetError(f"{path}: named in {metrics}, but there is no such snapshot; train the run again.")
        found[int(epoch[1])] = path
    if not found:
        raise ZfnetError(f"{metrics}: the run kept no snapshots; set training.snapshot_epochs and train it again.")
    return dict(sorted(found.items()))


def _named(metrics: Path) -> list[str]:
    content = read_json(metrics)
    names = (content.get("snapshots") or []) if isinstance(content, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ZfnetError(f"{metrics}: not the metrics of a run; give the metrics.json beside its weights.")
    return names


def _watch(
    gallery: Gallery, nets: dict[int, Network], maps: dict[str, list[int]], indices: Sequence[int]
) -> dict[int, dict[str, Strongest]]:
    """The single strongest activation of each map, epoch by epoch, from one pass over the pictures."""
    tallies = {epoch: {layer: Tally(chosen, 1) for layer, chosen in maps.items()} for epoch in nets}
    for view in track(gallery.views(indices), "Evolution, batches", -(-len(indices) // gallery.batch)):
        for epoch, net in nets.items():
            take_in(net, view, tallies[epoch])
    return {epoch: {layer: tally.result for layer, tally in one.items()} for epoch, one in tallies.items()}


def _arrays(maps: dict[str, list[int]], tiles: dict[int, dict[str, Tiles]]) -> dict[str, np.ndarray]:
    arrays = {"epochs": np.array(list(tiles), np.int64)}
    for layer, chosen in maps.items():
        arrays[f"layer{number(layer)}/maps"] = np.array(chosen, np.int64)
        by_epoch = [one[layer].projections for one in tiles.values()]  # E of (M, 1, t, t, 3)
        arrays[f"layer{number(layer)}/projections"] = np.concatenate(by_epoch, 1)
    return arrays


def _similarity(gallery: Gallery, nets: dict[int, Network], indices: Sequence[int]) -> dict[str, np.ndarray]:
    layers = [name for layer in LAYERS if (name := f"conv{layer}") in gallery.net.layers]
    found = to_the_last(gallery.views(indices), nets, layers)
    return {f"layer{number(layer)}/similarity": values for layer, values in found.items()}


def _rows(gallery: Gallery, maps: dict[str, list[int]], found: dict[int, dict[str, Strongest]]) -> list[tuple]:
    keys = gallery.shards.keys
    return [
        (number(layer), chosen, epoch, keys[best[layer].images[one, 0]], best[layer].values[one, 0].item())
        for layer in maps
        for one, chosen in enumerate(maps[layer])
        for epoch, best in found.items()
    ]
