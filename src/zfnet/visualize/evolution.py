"""Evolution of features during training (Figure 4): the top activation of some maps at every snapshot.

For each snapshot the top activation of a map over the training images is found and projected to pixels. The same maps
are followed through all epochs, so a sudden jump means that another image took over. All snapshots run on an image when
it is decoded, so the training set is read once. The epoch of a snapshot comes from its file name, which counts the
epochs actually trained. The similarity of whole layers to their final state is measured on fewer images
(`zfnet.visualize.cka`).
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from zfnet.core.errors import ZfnetError
from zfnet.core.files import read_json
from zfnet.core.progress_bar import track
from zfnet.core.tables import write_table
from zfnet.nets import Network
from zfnet.settings import Visualize
from zfnet.visualize.cka import IMAGES, cka_to_last
from zfnet.visualize.net_inputs import InputLoader, open_loader, open_net, sample_indices
from zfnet.visualize.patches import Tiles, render_tiles
from zfnet.visualize.stage_files import StageProvenance, write_arrays
from zfnet.visualize.top_activations import LAYERS, TopActivations, TopK, random_maps, update_topk

COLUMNS = ("layer", "map", "epoch", "key", "activation")


def evolution_stage(metrics: Path, manifest: Path, settings: Visualize, out: Path, threads: int = 2) -> None:
    """Write evolution.safetensors (`out`), and beside it the table (.csv) and the provenance (.json).

    `metrics` is the metrics.json of a run that kept snapshots. Arrays: epochs int64 (E,); for L = 1..5 layerL/maps
    int64 (M,), layerL/projections float16 (M, E, t, t, 3), signed, peak 127, layerL/similarity float32 (E,), CKA of the
    layer with its final state. Columns: layer, map, epoch, key of the image with the top activation, activation.

    Raises
    ------
    ZfnetError
        `metrics` is not the metrics.json of a run, the run kept no snapshots, or one is missing.
    """
    provenance = StageProvenance(settings, metrics=metrics, manifest=manifest)
    snapshots = find_snapshots(metrics)
    loader = open_loader(snapshots[max(snapshots)], manifest, threads, labels=False)
    nets = {epoch: open_net(path) for epoch, path in snapshots.items()}
    maps = random_maps(loader.net, dict.fromkeys(LAYERS, settings.evolution_maps), settings.seed)
    indices = sample_indices(len(loader), settings.evolution_images, settings.seed)
    best = _find_top(loader, nets, maps, indices)
    tiles = {epoch: render_tiles(replace(loader, net=nets[epoch]), top, maps) for epoch, top in best.items()}
    write_table(out.with_suffix(".csv"), COLUMNS, _rows(loader, maps, best))
    few = sample_indices(len(loader), IMAGES, settings.seed)
    write_arrays(out, _arrays(maps, tiles) | _similarity(loader, nets, few))
    provenance.write(out.with_suffix(".json"), images=len(indices), epochs=list(snapshots), maps=maps)


def find_snapshots(metrics: Path) -> dict[int, Path]:
    """Return the snapshots named in a run's metrics, by epoch in ascending order."""
    snapshots = {}
    for name in _snapshot_names(metrics):
        path = metrics.parent / "snapshots" / Path(name).name
        epoch = re.search(r"(\d+)$", path.stem)
        if epoch is None or not path.exists():
            raise ZfnetError(f"{path}: named in {metrics}, but there is no such snapshot; train the run again.")
        snapshots[int(epoch[1])] = path
    if not snapshots:
        raise ZfnetError(f"{metrics}: the run kept no snapshots; set training.snapshot_epochs and train it again.")
    return dict(sorted(snapshots.items()))


def _snapshot_names(metrics: Path) -> list[str]:
    content = read_json(metrics)
    names = (content.get("snapshots") or []) if isinstance(content, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ZfnetError(f"{metrics}: not the metrics of a run; give the metrics.json beside its weights.")
    return names


def _find_top(
    loader: InputLoader, nets: dict[int, Network], maps: dict[str, list[int]], indices: Sequence[int]
) -> dict[int, dict[str, TopActivations]]:
    """Find the top activation of each map at each epoch, in one pass over the images."""
    trackers = {epoch: {layer: TopK(chosen, 1) for layer, chosen in maps.items()} for epoch in nets}
    for batch in track(loader.batches(indices), "Evolution, minibatches", -(-len(indices) // loader.batch_size)):
        for epoch, net in nets.items():
            update_topk(net, batch, trackers[epoch])
    return {epoch: {layer: top.result for layer, top in by_layer.items()} for epoch, by_layer in trackers.items()}


def _arrays(maps: dict[str, list[int]], tiles: dict[int, dict[str, Tiles]]) -> dict[str, np.ndarray]:
    arrays = {"epochs": np.array(list(tiles), np.int64)}
    for layer, chosen in maps.items():
        arrays[f"{layer}/maps"] = np.array(chosen, np.int64)
        by_epoch = [by_layer[layer].projections for by_layer in tiles.values()]  # E of (M, 1, t, t, 3)
        arrays[f"{layer}/projections"] = np.concatenate(by_epoch, 1)  # (M, E, t, t, 3)
    return arrays


def _similarity(loader: InputLoader, nets: dict[int, Network], indices: Sequence[int]) -> dict[str, np.ndarray]:
    layers = [layer for layer in LAYERS if layer in loader.net.layers]
    similarity = cka_to_last(loader.batches(indices), nets, layers)
    return {f"{layer}/similarity": values for layer, values in similarity.items()}


def _rows(loader: InputLoader, maps: dict[str, list[int]], best: dict[int, dict[str, TopActivations]]) -> list[tuple]:
    keys = loader.shards.keys
    return [
        (layer, chosen, epoch, keys[int(top[layer].images[i, 0])], top[layer].values[i, 0].item())
        for layer in maps
        for i, chosen in enumerate(maps[layer])
        for epoch, top in best.items()
    ]
