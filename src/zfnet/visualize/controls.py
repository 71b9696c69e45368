"""What visual claims are held against (docs/claims.md): an untrained net, the forward mask, and neighbours in pixels.

The measures of Figure 2 are also taken of the net as it was before its first update, since maps of random filters too
respond to pictures that are alike. Its strongest activations are projected once more with the ReLU mask of the forward
pass, which the paper says is less clear (C41): clear is the Gini coefficient of a projection's energy, 0 where it is
spread evenly, near 1 where it lies in few places. And for some pictures the nearest others are found in layer 7 and in
pixels (C55; Krizhevsky's Figure 4: six neighbours by Euclidean distance).
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
from zfnet.visualize.net_inputs import Gallery, open_gallery, some
from zfnet.visualize.patches import look_again, tiles
from zfnet.visualize.stage_files import Origin, write_arrays
from zfnet.visualize.top_activations import LAYERS, Strongest, find_strongest, number, random_maps
from zfnet.visualize.top_patches import read_features, responding_first

MASKED = (2, 3, 4, 5)  # layers with a ReLU on the way back
NEIGHBOURS = 6
QUERIES = 500
_COLUMNS = 8192  # pixels at once


def controls_stage(
    weights: Path, spec: Path, manifest: Path, features: Path, settings: Visualize, out: Path, threads: int = 2
) -> None:
    """Write controls.safetensors (`out`), and beside it the provenance (.json).

    `spec` is the spec.json of the training, `features` the table of Figure 2. Arrays: for L = 1..5 of the untrained net
    untrained/layerL/patches, /projections (as in features.safetensors), /labels int64 and /activations float32
    (M, top); layerL/gini float32 (M, 2), L = 2..5, of the strongest projections by deconvnet and by forward mask;
    neighbours/pictures int64 (Q,), and the share of the six nearest pictures that have the same class: by
    neighbours/trained, /untrained (layer 7) and /pixels, float32 (Q,).
    """
    origin = Origin(settings, weights=weights, spec=spec, manifest=manifest, features=features)
    gallery = open_gallery(weights, manifest, threads)
    table = read_features(features, gallery.shards)
    bare = replace(gallery, net=untrained(gallery.net, own_spec(weights, spec)))
    arrays = {f"untrained/{name}": array for name, array in _seen(bare, settings).items()}
    arrays |= clearness(gallery, table)
    arrays |= neighbours(gallery, bare.net, some(len(gallery), QUERIES, settings.seed))
    write_arrays(out, arrays)
    origin.write(out.with_suffix(".json"), images=len(gallery))


def own_spec(weights: Path, spec: Path) -> RunSpec:
    """Read the spec of a training.

    Raises
    ------
    ZfnetError
        It is no spec, or the net was not trained by it.
    """
    found = read_spec(spec)
    if load_metadata(weights).get("spec") not in known_hashes(found.text):
        raise ZfnetError(
            f"{spec}: not the spec by which {weights} was trained, so it does not say how that net began; give the "
            "spec.json of its own run."
        )
    return found


def untrained(net: Network, spec: RunSpec) -> Network:
    """A copy of a net with the weights it started from, which its spec says: recipe and random state."""
    copied = copy.deepcopy(net)
    initialise(copied, spec.recipe, spec.seed)
    return copied


def _seen(gallery: Gallery, settings: Visualize) -> dict[str, np.ndarray]:
    """Strongest patches and projections of some maps, as for Figure 2."""
    every, counts = random_maps(gallery.net, dict.fromkeys(LAYERS), settings.seed), settings.control_maps
    strongest = find_strongest(gallery.net, gallery.views(), every, settings.top_k)
    maps, found = responding_first(every, strongest, dict.fromkeys(LAYERS, counts))
    arrays = {}
    for layer, seen in look_again(gallery, found, maps).items():
        name, best = f"layer{number(layer)}", found[layer]
        arrays |= {f"{name}/patches": seen.patches, f"{name}/projections": seen.projections}
        arrays |= {
            f"{name}/labels": np.asarray(gallery.shards.labels)[best.images],
            f"{name}/activations": best.values.numpy(),
        }
    return arrays


def clearness(gallery: Gallery, table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Gini coefficients of the maps that Figure 2 shows, deconvnet beside forward mask: layerL/gini float32 (M, 2).

    table : as `read_features` gives it.
    """
    first = table[(table["rank"] == 0) & (table["activation"] > 0)]
    found = {}
    for layer in MASKED:
        rows = first[first["layer"] == layer]
        if len(rows):
            values = torch.tensor(rows["activation"].to_numpy(np.float32))
            images = torch.tensor(rows["picture"].to_numpy())
            parts = values, images, *(torch.tensor(rows[name].to_numpy()) for name in ("row", "column"))
            best = Strongest(*(part[:, None] for part in parts))
            ginis = [_ginis(gallery, layer, rows["map"], best, rule) for rule in ("deconvnet", "forward-mask")]
            found[f"layer{layer}/gini"] = np.stack(ginis, 1)
    return found


def _ginis(gallery: Gallery, layer: int, maps: pd.Series, best: Strongest, rule: str) -> np.ndarray:
    projections = tiles(gallery, f"conv{layer}", maps.tolist(), best, RULES[rule]).projections[:, 0].astype(np.float32)
    return np.array([gini(np.square(one).sum(2)) for one in projections], np.float32)


def gini(energy: np.ndarray) -> float:
    """Gini coefficient of non-negative numbers: 0 where all are equal (or 0), 1 - 1/N where one has everything."""
    ranked = np.sort(energy, axis=None).astype(float)
    places, total = np.arange(1, ranked.size + 1), ranked.sum()
    return float((2 * places - ranked.size - 1) @ ranked / (ranked.size * total)) if total > 0 else 0.0


def neighbours(gallery: Gallery, bare: Network, indices: list[int]) -> dict[str, np.ndarray]:
    """Share of each picture's nearest others that have its class, by layer 7 of two nets and by pixels."""
    seen: dict[str, list[Tensor]] = {"trained": [], "untrained": [], "pixels": []}
    for view in gallery.views(indices):
        for name, net in (("trained", gallery.net), ("untrained", bare)):
            *_, last = net.walk(view.inputs, "fc7")
            seen[name].append(last.output.detach().cpu())
        seen["pixels"].append(view.pixels.flatten(1))
    labels = torch.as_tensor(np.asarray(gallery.shards.labels)[indices])
    shares = {f"neighbours/{name}": same_class(torch.cat(parts), labels) for name, parts in seen.items()}
    return shares | {"neighbours/pictures": np.array(indices)}


def same_class(features: Tensor, labels: Tensor) -> np.ndarray:
    """Share of the nearest others (six, Euclidean) that have the same label: (N, D), int64 (N,) -> float32 (N,)."""
    alike = sum(part.double() @ part.double().T for part in features.split(_COLUMNS, 1))
    squares = alike.diagonal()
    distances = (squares[:, None] + squares[None] - 2 * alike).fill_diagonal_(torch.inf)
    nearest = distances.topk(min(NEIGHBOURS, len(labels) - 1), largest=False).indices
    return (labels[nearest] == labels[:, None]).float().mean(1).numpy()
