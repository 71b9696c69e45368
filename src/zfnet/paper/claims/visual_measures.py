"""Measures behind the visual claims, as functions of arrays and tables: curves, label entropy, similarity of tiles."""

import math

import numpy as np
import pandas as pd

LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5")
SIMILAR = 0.9  # cosine, or CKA, from which a projection, or a layer, counts as developed (C39)


def depth(layer: str) -> float:
    """Return how many convolutional layers there are up to this one: 5 for "conv5"."""
    return float(LAYERS.index(layer) + 1)


def shapes(curves: pd.DataFrame, transform: str) -> pd.DataFrame:
    """Return the `shape` of every image's curve under one transform: rows images (by key)."""
    chosen = curves[curves["transform"] == transform]
    return pd.DataFrame({key: shape(curve, transform) for key, curve in chosen.groupby("key")}).T


def shape(curve: pd.DataFrame, transform: str) -> dict[str, float]:
    """Measure how distances grow as one image is transformed, for conv1 and fc7.

    Returns
    -------
    dict
        `jump_conv1`, `jump_fc7`: distance at the smallest step as a fraction of the largest one; `line_conv1`,
        `line_fc7`: R² of a straight line through distance against the size of the transform.
    """
    size = (curve["amount"] - (1 if transform == "scale" else 0)).abs().to_numpy(float)
    moved = size > 1e-6  # zero, but for rounding
    measures = {}
    for layer in ("conv1", "fc7"):
        distance = curve[f"{layer}_relative"].to_numpy(float)
        last = distance[size == size.max()].mean()
        measures[f"jump_{layer}"] = distance[size == size[moved].min()].mean() / max(last, 1e-12)
        measures[f"line_{layer}"] = _straightness(size, distance)
    return measures


def _straightness(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.corrcoef(x, y)[0, 1] ** 2) if x.std() > 0 and y.std() > 0 else 0.0


def losses(curves: pd.DataFrame) -> pd.DataFrame:
    """Return the mean loss of P(true class) over the range of a transform: rows images, columns transforms."""
    neutral = np.where(curves["transform"] == "scale", 1.0, 0.0)
    untouched = curves[np.isclose(curves["amount"], neutral)].groupby(["transform", "key"])["probability"].mean()
    moved = curves[~np.isclose(curves["amount"], neutral)].groupby(["transform", "key"])["probability"].mean()
    return (untouched - moved).unstack("transform")


def entropy(labels: pd.Series) -> float:
    """Return the entropy of the labels in bits: 0 if all are the same."""
    fraction = labels.value_counts(normalize=True).to_numpy()
    return float(-(fraction * np.log2(fraction)).sum())


def random_entropy(labels: np.ndarray, count: int, draws: int = 1000) -> float:
    """Return the mean entropy in bits of the labels of `count` random images."""
    rng = np.random.default_rng(0)
    return float(np.mean([entropy(pd.Series(labels[rng.choice(labels.size, count, False)])) for _ in range(draws)]))


def strongest_labels(arrays: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return labels and activations of each map's strongest images: columns layer, map, label, activation."""
    frames = []
    for layer in LAYERS:
        labels, activations = arrays[f"{layer}/labels"], arrays[f"{layer}/activations"]  # (M, top)
        maps = np.repeat(np.arange(len(labels)), labels.shape[1])
        columns = {"layer": layer, "map": maps, "label": labels.ravel(), "activation": activations.ravel()}
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames)


def clearer(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Return the Gini coefficient of each map's projection, deconvnet minus forward mask, conv2-conv5 (C41)."""
    ginis = [arrays[name] for layer in LAYERS[1:] if (name := f"{layer}/gini") in arrays]
    return np.concatenate([np.empty(0), *(gini[:, 0] - gini[:, 1] for gini in ginis)])


def neighbours(arrays: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return the fraction of each image's neighbours with its class (C55): columns trained, untrained, pixels."""
    names = ("trained", "untrained", "pixels")
    return pd.DataFrame({name: arrays[f"neighbours/{name}"] for name in names}, arrays["neighbours/images"])


def colour_fraction(filters: np.ndarray) -> np.ndarray:
    """Return the fraction of each filter's energy that is not grey, 0..1: filters (maps, 3, k, k) give (maps,)."""
    colour = filters - filters.mean(1, keepdims=True)
    return np.square(colour).sum((1, 2, 3)) / np.maximum(np.square(filters).sum((1, 2, 3)), 1e-12)


def group_excess(fractions: np.ndarray, permutations: int) -> tuple[float, float]:
    """Return how much the means of both halves of `fractions` differ beyond permuted halves, and the p-value."""
    rng, half = np.random.default_rng(0), fractions.size // 2
    observed = abs(fractions[:half].mean() - fractions[half:].mean())
    mixed = rng.permuted(np.tile(fractions, (permutations, 1)), axis=1)
    chance = np.abs(mixed[:, :half].mean(1) - mixed[:, half:].mean(1))
    return float(observed - chance.mean()), float((1 + (chance >= observed - 1e-12).sum()) / (1 + permutations))


def dissimilarity(tiles: np.ndarray) -> np.ndarray:
    """Return the mean of 1 - correlation over all pairs in each group; tiles float (M, k, t, t, 3) give float (M,).

    It is free of scale and offset, so patches and projections are comparable. Flat tiles correlate with nothing.
    """
    flat = np.asarray(tiles, dtype=np.float32).reshape(*tiles.shape[:2], -1)
    flat = flat - flat.mean(-1, keepdims=True)
    flat = flat / np.maximum(np.linalg.norm(flat, axis=-1, keepdims=True), 1e-6)
    k = flat.shape[1]
    total = (flat @ flat.swapaxes(1, 2)).sum((1, 2)) - np.square(flat).sum((1, 2))
    return 1 - total / (k * (k - 1))


def dissimilarities(arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return each map's depth and the dissimilarity of its patches relative to patches of other maps (C36)."""
    layers, ratios = [np.empty(0)], [np.empty(0)]
    for layer in LAYERS:
        patches = arrays[f"{layer}/patches"][alive(arrays[f"{layer}/projections"])].astype(np.float32)
        if len(patches) > 1:
            ratios.append(dissimilarity(patches) / dissimilarity(patches.swapaxes(0, 1)).mean())
            layers.append(np.full(len(patches), depth(layer)))
    return np.concatenate(layers), np.concatenate(ratios)


def patches_against_projections(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Return dissimilarity among patches minus among projections, per map of conv2-conv5 (C37): float (maps,)."""
    differences = []
    for layer in LAYERS[1:]:
        patches, projections = arrays[f"{layer}/patches"], arrays[f"{layer}/projections"]
        responds = alive(projections)
        differences.append(dissimilarity(patches[responds]) - dissimilarity(projections[responds]))
    return np.concatenate(differences)


def jumps(arrays: dict[str, np.ndarray], table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return changes of projections between snapshots: where the strongest image changed, and where not (C40).

    `table` has the image's key by layer, map and epoch. Maps silent at one of the two snapshots are left out.
    """
    by_kind: dict[bool, list[float]] = {True: [], False: []}
    for layer in LAYERS:
        keys = table[table["layer"] == layer].pivot(index="map", columns="epoch", values="key")
        maps, projections = arrays[f"{layer}/maps"], arrays[f"{layer}/projections"].astype(np.float32)
        changes = 1 - cosine(projections[:, 1:], projections[:, :-1])  # (M, E - 1)
        images = keys.loc[maps].to_numpy()
        silent = np.abs(projections).max((2, 3, 4)) == 0  # (M, E)
        responds, new = ~(silent[:, 1:] | silent[:, :-1]), images[:, 1:] != images[:, :-1]
        for kind in by_kind:
            by_kind[kind] += changes[(new == kind) & responds].tolist()
    return np.array(by_kind[True]), np.array(by_kind[False])


def alive(projections: np.ndarray) -> np.ndarray:
    """Return which maps respond to all of their images: float (M, k, t, t, 3) gives bool (M,)."""
    return (np.abs(projections).max((2, 3, 4)) > 0).all(1)


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cosine between tiles (..., t, t, 3); 0 if one is empty."""
    size = math.prod(a.shape[-3:])  # there may be no tiles
    a, b = (np.asarray(tiles, dtype=np.float32).reshape(*tiles.shape[:-3], size) for tiles in (a, b))
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return (a * b).sum(-1) / np.maximum(norms, 1e-12)


def developed(projections: np.ndarray, epochs: np.ndarray) -> np.ndarray:
    """Return the first epoch at which each map's projection resembles its last one; (M, E, t, t, 3), (E,) give (m,).

    Maps that are silent at the end have no last projection and are left out.
    """
    projections = projections[np.abs(projections[:, -1]).max((1, 2, 3)) > 0]
    return first_alike(cosine(projections, projections[:, -1:]), epochs)


def first_alike(similarity: np.ndarray, epochs: np.ndarray) -> np.ndarray:
    """Return the first epoch at which something resembles its last state: float (..., E) gives (...)."""
    alike = similarity >= SIMILAR
    alike[..., -1] = True  # the last state resembles itself, whatever rounding says
    return epochs[alike.argmax(-1)].astype(float)


# A slope and a difference of means are means of one term per unit, so the interval of a mean serves all three.
def slope_terms(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return one term per unit, whose mean is the slope of y against x and whose scatter is that of its estimate."""
    centred = x - x.mean()
    weights = x.size * centred / np.square(centred).sum()
    slope = (weights * y).mean()
    return slope + weights * (y - y.mean() - slope * centred)


def difference_terms(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return one term per unit of both groups, whose mean is mean(a) - mean(b) with the same scatter."""
    count, difference = a.size + b.size, a.mean() - b.mean()
    return difference + np.concatenate([(a - a.mean()) * count / a.size, (b.mean() - b) * count / b.size])
