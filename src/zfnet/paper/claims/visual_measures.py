"""What the visual claims measure, as functions of arrays and tables: curves, label entropy, likeness of tiles."""

import numpy as np
import pandas as pd

SIMILAR = 0.9  # cosine, or CKA, from which a projection, or a layer, counts as developed (C39)


def shapes(curves: pd.DataFrame, transform: str) -> pd.DataFrame:
    """`shape` of every picture's curve under one transform: rows pictures (by key)."""
    chosen = curves[curves["transform"] == transform]
    return pd.DataFrame({key: shape(one, transform) for key, one in chosen.groupby("key")}).T


def shape(curve: pd.DataFrame, transform: str) -> dict[str, float]:
    """How distances grow with one picture's transform, for layers 1 and 7.

    Returns
    -------
    dict
        `jump1`, `jump7`: distance at the smallest step as a share of the largest one; `line1`, `line7`: R² of a
        straight line through distance against the size of the transform.
    """
    size = (curve["amount"] - (1 if transform == "scale" else 0)).abs().to_numpy(float)
    moved = size > 1e-6  # zero, but for rounding
    found = {}
    for layer in (1, 7):
        distance = curve[f"layer{layer}_relative"].to_numpy(float)
        last = distance[size == size.max()].mean()
        found[f"jump{layer}"] = distance[size == size[moved].min()].mean() / max(last, 1e-12)
        found[f"line{layer}"] = _straightness(size, distance)
    return found


def _straightness(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.corrcoef(x, y)[0, 1] ** 2) if x.std() > 0 and y.std() > 0 else 0.0


def losses(curves: pd.DataFrame) -> pd.DataFrame:
    """Mean loss of P(true class) over the range of a transform: rows pictures, columns transforms."""
    neutral = np.where(curves["transform"] == "scale", 1.0, 0.0)
    untouched = curves[np.isclose(curves["amount"], neutral)].groupby(["transform", "key"])["probability"].mean()
    moved = curves[~np.isclose(curves["amount"], neutral)].groupby(["transform", "key"])["probability"].mean()
    return (untouched - moved).unstack("transform")


def entropy(labels: pd.Series) -> float:
    """Entropy of the labels in bits: 0 where all are the same."""
    share = labels.value_counts(normalize=True).to_numpy()
    return float(-(share * np.log2(share)).sum())


def random_entropy(labels: np.ndarray, count: int, draws: int = 1000) -> float:
    """Mean entropy in bits of the labels of `count` random pictures."""
    rng = np.random.default_rng(0)
    return float(np.mean([entropy(pd.Series(labels[rng.choice(labels.size, count, False)])) for _ in range(draws)]))


def strongest_labels(arrays: dict[str, np.ndarray]) -> pd.DataFrame:
    """Labels and activations of each map's strongest pictures: columns layer, map, label, activation."""
    found = []
    for layer in range(1, 6):
        labels, activations = arrays[f"layer{layer}/labels"], arrays[f"layer{layer}/activations"]  # (M, top)
        maps = np.repeat(np.arange(len(labels)), labels.shape[1])
        columns = {"layer": layer, "map": maps, "label": labels.ravel(), "activation": activations.ravel()}
        found.append(pd.DataFrame(columns))
    return pd.concat(found)


def clearer(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Gini coefficient of each map's projection by deconvnet minus that by forward mask, layers 2-5 (C41)."""
    ginis = [arrays[name] for layer in range(2, 6) if (name := f"layer{layer}/gini") in arrays]
    return np.concatenate([np.empty(0), *(one[:, 0] - one[:, 1] for one in ginis)])


def neighbours(arrays: dict[str, np.ndarray]) -> pd.DataFrame:
    """Share of each picture's nearest that have its class (C55): rows pictures, columns trained, untrained, pixels."""
    names = ("trained", "untrained", "pixels")
    return pd.DataFrame({name: arrays[f"neighbours/{name}"] for name in names}, arrays["neighbours/pictures"])


def colour_share(filters: np.ndarray) -> np.ndarray:
    """Share of each filter's energy that is not grey, 0..1: filters (maps, 3, k, k) give (maps,)."""
    colour = filters - filters.mean(1, keepdims=True)
    return np.square(colour).sum((1, 2, 3)) / np.maximum(np.square(filters).sum((1, 2, 3)), 1e-12)


def group_excess(shares: np.ndarray, permutations: int) -> tuple[float, float]:
    """How far the means of the two halves of `shares` lie apart, minus what permuted halves do; and the p of it."""
    rng, half = np.random.default_rng(0), shares.size // 2
    observed = abs(shares[:half].mean() - shares[half:].mean())
    mixed = rng.permuted(np.tile(shares, (permutations, 1)), axis=1)
    chance = np.abs(mixed[:, :half].mean(1) - mixed[:, half:].mean(1))
    return float(observed - chance.mean()), float((1 + (chance >= observed - 1e-12).sum()) / (1 + permutations))


def dissimilarity(tiles: np.ndarray) -> np.ndarray:
    """Mean of 1 - correlation over all pairs in each group; tiles float (M, k, t, t, 3) give float (M,).

    Free of scale and offset, so that patches and projections can be compared. Flat tiles correlate with nothing.
    """
    flat = np.asarray(tiles, dtype=np.float32).reshape(*tiles.shape[:2], -1)
    flat = flat - flat.mean(-1, keepdims=True)
    flat = flat / np.maximum(np.linalg.norm(flat, axis=-1, keepdims=True), 1e-6)
    k = flat.shape[1]
    total = (flat @ flat.swapaxes(1, 2)).sum((1, 2)) - np.square(flat).sum((1, 2))
    return 1 - total / (k * (k - 1))


def dissimilarities(arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Of each map: its layer, and the dissimilarity of its patches relative to patches of other maps (C36)."""
    layers, ratios = [np.empty(0)], [np.empty(0)]
    for layer in range(1, 6):
        patches = arrays[f"layer{layer}/patches"][alive(arrays[f"layer{layer}/projections"])].astype(np.float32)
        if len(patches) > 1:
            ratios.append(dissimilarity(patches) / dissimilarity(patches.swapaxes(0, 1)).mean())
            layers.append(np.full(len(patches), float(layer)))
    return np.concatenate(layers), np.concatenate(ratios)


def patches_against_projections(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Dissimilarity among patches minus that among projections of each map of layers 2-5 (C37): float (maps,)."""
    differences = []
    for layer in range(2, 6):
        patches, projections = arrays[f"layer{layer}/patches"], arrays[f"layer{layer}/projections"]
        kept = alive(projections)
        differences.append(dissimilarity(patches[kept]) - dissimilarity(projections[kept]))
    return np.concatenate(differences)


def jumps(arrays: dict[str, np.ndarray], table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Changes of projections from one snapshot to the next: where the strongest picture changed, and where not (C40).

    `table` has the picture's key by layer, map and epoch. Maps silent at one of the two snapshots are left out.
    """
    found: dict[bool, list[float]] = {True: [], False: []}
    for layer in range(1, 6):
        keys = table[table["layer"] == layer].pivot(index="map", columns="epoch", values="key")
        maps, projections = arrays[f"layer{layer}/maps"], arrays[f"layer{layer}/projections"].astype(np.float32)
        changes = 1 - cosine(projections[:, 1:], projections[:, :-1])  # (M, E - 1)
        pictures = keys.loc[maps].to_numpy()
        silent = np.abs(projections).max((2, 3, 4)) == 0  # (M, E)
        responds, new = ~(silent[:, 1:] | silent[:, :-1]), pictures[:, 1:] != pictures[:, :-1]
        for kind in found:
            found[kind] += changes[(new == kind) & responds].tolist()
    return np.array(found[True]), np.array(found[False])


def alive(projections: np.ndarray) -> np.ndarray:
    """Which maps respond to all of their pictures: float (M, k, t, t, 3) gives bool (M,)."""
    return (np.abs(projections).max((2, 3, 4)) > 0).all(1)


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine between tiles (..., t, t, 3); 0 where one is empty."""
    a, b = (np.asarray(one, dtype=np.float32).reshape(*one.shape[:-3], -1) for one in (a, b))
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return (a * b).sum(-1) / np.maximum(norms, 1e-12)


def developed(projections: np.ndarray, epochs: np.ndarray) -> np.ndarray:
    """First epoch at which each map's projection resembles its last one; float (M, E, t, t, 3), (E,) give (m,).

    Maps that are silent at the end have no last projection and are left out.
    """
    projections = projections[np.abs(projections[:, -1]).max((1, 2, 3)) > 0]
    return first_alike(cosine(projections, projections[:, -1:]), epochs)


def first_alike(similarity: np.ndarray, epochs: np.ndarray) -> np.ndarray:
    """First epoch at which something resembles its last state, which does so itself: float (..., E) gives (...)."""
    alike = similarity >= SIMILAR
    alike[..., -1] = True
    return epochs[alike.argmax(-1)].astype(float)


# A slope and a difference of means are means of one term per unit, so the interval of a mean serves all three.
def slope_terms(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """One term per unit; their mean is the slope of y against x, and they scatter as much as its estimate does."""
    centred = x - x.mean()
    weights = x.size * centred / np.square(centred).sum()
    slope = (weights * y).mean()
    return slope + weights * (y - y.mean() - slope * centred)


def difference_terms(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """One term per unit of both groups; their mean is mean(a) - mean(b), and they scatter as much as that does."""
    count, difference = a.size + b.size, a.mean() - b.mean()
    return difference + np.concatenate([(a - a.mean()) * count / a.size, (b.mean() - b) * count / b.size])
