"""Controls of the visual claims (docs/claims.md): an untrained net, the forward mask, and nearest neighbours in pixels.

The measures of Figure 2 are also taken on the net before its first update, since even maps of random filters respond to
similar images. The top activations are also projected with the ReLU mask of the forward pass, which the paper says is
less clear (C41). Clarity is measured by the Gini coefficient of a projection's energy: 0 if it is spread evenly, near 1
if it is concentrated in few places. And for some images the nearest neighbours are found in fc7 and in pixels (C55;
Krizhevsky's Figure 4: six neighbours by Euclidean distance).
"""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from zfnet.core.errors import ZfnetError
from zfnet.nets import Network, load_metadata
from zfnet.settings import Visualize
from zfnet.training.experiments import RunSpec
from zfnet.training.init_weights import initialise
from zfnet.training.spec_format import known_hashes
from zfnet.training.train_run import read_spec
from zfnet.visualize.backward import RULES
from zfnet.visualize.net_inputs import InputLoader, open_loader, sample_indices
from zfnet.visualize.patches import render_tiles, tiles
from zfnet.visualize.stage_files import StageProvenance, write_arrays
from zfnet.visualize.top_activations import LAYERS, TopActivations, find_strongest, random_maps
from zfnet.visualize.top_patches import read_features, responding_first

MASKED = ("conv2", "conv3", "conv4", "conv5")  # layers whose backward pass meets a ReLU
NEIGHBOURS = 6
QUERIES = 500
_COLUMNS = 8192  # features per block of the matrix products


def controls_stage(
    weights: Path, spec: Path, manifest: Path, features: Path, settings: Visualize, out: Path, threads: int = 2
) -> None:
    """Write controls.safetensors (`out`), and beside it the provenance (.json).

    `spec` is the spec.json of the training, `features` the table of Figure 2. Arrays: for L = 1..5 of the untrained net
    untrained/layerL/patches, /projections (as in features.safetensors), /labels int64 and /activations float32
    (M, top); LAYER/gini float32 (M, 2), L = 2..5, of the top projections by deconvnet and by forward mask;
    neighbours/images int64 (Q,), indices of the query images, and the fraction of their six nearest neighbours that
    have the same class: by neighbours/trained, /untrained (fc7) and /pixels, float32 (Q,).
    """
    provenance = StageProvenance(settings, weights=weights, spec=spec, manifest=manifest, features=features)
    loader = open_loader(weights, manifest, threads)
    table = read_features(features, loader.shards)
    untrained = replace(loader, net=untrained_copy(loader.net, read_own_spec(weights, spec)))
    arrays = {f"untrained/{name}": array for name, array in _top_tiles(untrained, settings).items()}
    arrays |= projection_ginis(loader, table)
    arrays |= neighbours(loader, untrained.net, sample_indices(len(loader), QUERIES, settings.seed))
    write_arrays(out, arrays)
    provenance.write(out.with_suffix(".json"), images=len(loader))


def read_own_spec(weights: Path, spec: Path) -> RunSpec:
    """Read the spec by which a net was trained.

    Raises
    ------
    ZfnetError
        The file is not a spec, or the net was trained by another one.
    """
    run_spec = read_spec(spec)
    if load_metadata(weights).get("spec") not in known_hashes(run_spec.text):
        raise ZfnetError(
            f"{spec}: not the spec by which {weights} was trained, so the initial weights of the net are unknown; give "
            "the spec.json of its own run."
        )
    return run_spec


def untrained_copy(net: Network, spec: RunSpec) -> Network:
    """Copy a net and give it its initial weights, from the recipe and seed of its spec."""
    copied = copy.deepcopy(net)
    initialise(copied, spec.recipe, spec.seed)
    return copied


def _top_tiles(loader: InputLoader, settings: Visualize) -> dict[str, np.ndarray]:
    """Return the top patches and projections of some maps, as for Figure 2."""
    all_maps = random_maps(loader.net, dict.fromkeys(LAYERS), settings.seed)
    strongest = find_strongest(loader.net, loader.batches(), all_maps, settings.top_k)
    maps, best = responding_first(all_maps, strongest, dict.fromkeys(LAYERS, settings.control_maps))
    labels = np.asarray(loader.shards.labels)
    arrays: dict[str, np.ndarray] = {}
    for layer, rendered in render_tiles(loader, best, maps).items():
        top = best[layer]
        arrays |= {f"{layer}/patches": rendered.patches, f"{layer}/projections": rendered.projections}
        arrays |= {f"{layer}/labels": labels[top.images], f"{layer}/activations": top.values.numpy()}
    return arrays


def projection_ginis(loader: InputLoader, table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Compute Gini coefficients of the maps of Figure 2 by deconvnet and by forward mask: LAYER/gini float32 (M, 2).

    table : from `zfnet.visualize.top_patches.read_features`.
    """
    first = table[(table["rank"] == 0) & (table["activation"] > 0)]
    arrays = {}
    for layer in MASKED:
        rows = first[first["layer"] == layer]
        if len(rows):
            activations = torch.tensor(rows["activation"].to_numpy(np.float32))
            places = (torch.tensor(rows[name].to_numpy()) for name in ("image", "row", "column"))
            best = TopActivations(*(part[:, None] for part in (activations, *places)))  # (M, 1) each
            ginis = [_ginis(loader, layer, rows["map"], best, rule) for rule in ("deconvnet", "forward-mask")]
            arrays[f"{layer}/gini"] = np.stack(ginis, 1)
    return arrays


def _ginis(loader: InputLoader, layer: str, maps: pd.Series, best: TopActivations, rule: str) -> np.ndarray:
    projections = tiles(loader, layer, maps.tolist(), best, RULES[rule]).projections[:, 0].astype(np.float32)
    return np.array([gini(np.square(projection).sum(2)) for projection in projections], np.float32)


def gini(energy: np.ndarray) -> float:
    """Compute the Gini coefficient of N non-negative numbers: 0 if all are equal (or 0), 1 - 1/N if one has it all."""
    ranked = np.sort(energy, axis=None).astype(float)
    ranks, total = np.arange(1, ranked.size + 1), ranked.sum()
    return float((2 * ranks - ranked.size - 1) @ ranked / (ranked.size * total)) if total > 0 else 0.0


def neighbours(loader: InputLoader, untrained: Network, indices: list[int]) -> dict[str, np.ndarray]:
    """Measure how many of each image's nearest neighbours share its class, by fc7 of two nets and by pixels."""
    features: dict[str, list[Tensor]] = {"trained": [], "untrained": [], "pixels": []}
    for batch in loader.batches(indices):
        for name, net in (("trained", loader.net), ("untrained", untrained)):
            *_, last = net.iter_forward(batch.inputs, "fc7")
            features[name].append(last.output.detach().cpu())
        features["pixels"].append(batch.pixels.flatten(1))
    labels = torch.as_tensor(np.asarray(loader.shards.labels)[indices])
    fractions = {f"neighbours/{name}": same_class(torch.cat(parts), labels) for name, parts in features.items()}
    return fractions | {"neighbours/images": np.array(indices)}


def same_class(features: Tensor, labels: Tensor) -> np.ndarray:
    """Return the fraction of the six nearest neighbours with the same label: (N, D), int64 (N,) -> float32 (N,)."""
    # |a - b|^2 = a a + b b - 2 a b, in float64 and in blocks of columns
    products = sum(block.double() @ block.double().T for block in features.split(_COLUMNS, 1))  # (N, N)
    squares = products.diagonal()
    distances = (squares[:, None] + squares[None] - 2 * products).fill_diagonal_(torch.inf)
    nearest = distances.topk(min(NEIGHBOURS, len(labels) - 1), largest=False).indices  # (N, 6)
    return (labels[nearest] == labels[:, None]).float().mean(1).numpy()
