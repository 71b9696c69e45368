"""Near-duplicates of transfer pictures in the training set, by normalised correlation (ZF sect. 5.2, D29).

The paper names the measure and the counts (44 of Caltech-101, 243 of Caltech-256), neither size nor threshold (D29).
Here every picture becomes grey thumbnails of 32 × 32, zero mean, unit norm; two pictures are the same where the
absolute value of their product reaches 0.95, so that a negative counts too. Resizing and recompressing hardly change
it, but a crop of 4 % takes it below 0.9. Therefore each transfer picture is compared

- whole and as its centre square: the shards of the training set hold centre squares, but a copy may also have been
  squashed into a square before it got there;
- as it is and in the mirror;
- as it is and with 2 % and 4 % cut off each side, against the training picture as it is; and the other way round.

The largest of the twenty correlations counts, which `zfnet.transfer.duplicates.pair_search` finds without computing most of them.
Copies that are cropped by much more are not found. What the threshold finds and misses is measured on copies of the
data themselves (`zfnet.transfer.duplicates.calibration`).
"""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zfnet.core import memory
from zfnet.core.device import device
from zfnet.core.files import write_json
from zfnet.core.progress import track
from zfnet.core.provenance import provenance
from zfnet.core.tables import write_records
from zfnet.data.loader import Shards
from zfnet.settings import Transfer
from zfnet.transfer.duplicates.calibration import CURVE_COLUMNS, curve, recalls, share
from zfnet.transfer.duplicates.contact_sheet import contact_sheet
from zfnet.transfer.duplicates.pair_search import Matches, search
from zfnet.transfer.duplicates.thumbnails import CUTS, VIEWS, gathered, grey, query_thumbnails, thumbnails, whole_grey

THRESHOLDS = tuple(round(0.9 + 0.005 * i, 3) for i in range(20))  # whose counts are told; none is searched below
COLUMNS = ["set", "key", "class", "train_key", "correlation"]
ALTERNATIVE = "free memory, run on a machine with more, or make transfer.duplicates_thumbnail_size smaller"


def duplicates_stage(
    train_manifest: Path, manifests: dict[str, Path], settings: Transfer, out_csv: Path, threads: int = 2
) -> None:
    """Look for the pictures of some sets in a training set.

    Parameters
    ----------
    train_manifest, manifests
        manifest.json of the training set, and of the sets looked for by their names.
    settings
        `duplicates_size` and `duplicates_threshold` count here.
    out_csv
        A row per pair; beside it .json with counts and their dependence on the threshold, -curve.csv with what each
        threshold finds of known copies and of the data, and .png with the pairs next to the threshold side by side, so
        that it can be judged by eye.
    """
    torch.set_num_threads(threads)
    start, train = time.monotonic(), Shards(train_manifest)
    sets = {name: Shards(path) for name, path in manifests.items()}
    queries = _read_queries(list(sets.values()), settings.duplicates_thumbnail_size)
    blocks = _read_train(train, settings.duplicates_thumbnail_size, threads)
    matches = search(queries, blocks, settings.duplicates_threshold, THRESHOLDS[0])
    places = [(name, i) for name, shards in sets.items() for i in range(len(shards))]
    write_records(out_csv, COLUMNS, _rows(matches, places, sets, train))
    contact_sheet(matches, places, sets, train, settings.duplicates_threshold, Path(out_csv).with_suffix(".png"))
    recall = recalls(sets, settings.duplicates_thumbnail_size, train.size)
    summary = _summary(matches, places, sets, settings.duplicates_threshold)
    write_records(Path(out_csv).with_name(f"{Path(out_csv).stem}-curve.csv"), CURVE_COLUMNS, curve(recall, summary))
    summary["recall"] = {change: share(found, settings.duplicates_threshold) for change, found in recall.items()}
    origin = provenance(seconds=time.monotonic() - start, device=str(device()), train=train.manifest.hash)
    write_json(Path(out_csv).with_suffix(".json"), summary | {"provenance": origin})


def _read_queries(sets: list[Shards], size: int) -> Tensor:
    """Return the thumbnails of all sets, in one tensor from the start: joined at the end they would be held twice."""
    count = sum(len(shards) for shards in sets)
    needed = torch.float32.itemsize * count * VIEWS * len(CUTS) * size**2
    memory.require(needed, f"The search for near-duplicates of {count} pictures", device(), ALTERNATIVE)
    return gathered((views for shards in sets for views in _views(shards, size)), count, device())


def _views(shards: Shards, size: int) -> Iterator[Tensor]:
    for number in track(range(len(shards)), f"thumbnails of {shards.manifest.name}", len(shards)):
        yield query_thumbnails(whole_grey(shards, number), size)


def _read_train(train: Shards, size: int, threads: int) -> Iterator[tuple[np.ndarray, Tensor]]:
    order, batch = np.arange(len(train)), 256
    blocks = train.batches(order, batch, threads)
    for images, _, numbers in track(blocks, "comparing training pictures", -(-len(order) // batch)):
        greys = grey(images.to(device()))
        yield np.asarray(numbers), torch.stack([thumbnails(greys, size, cut) for cut in CUTS])


def _rows(matches: Matches, places: list[tuple[str, int]], sets: dict[str, Shards], train: Shards) -> list[dict]:
    rows = []
    for (query, twin), correlation in zip(matches.pairs.tolist(), matches.correlations.tolist(), strict=True):
        name, number = places[query]
        shards = sets[name]
        of_class = shards.classes[shards.labels[number]]
        values = (name, shards.keys[number], of_class, train.keys[twin], round(correlation, 4))
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def _summary(
    matches: Matches, places: list[tuple[str, int]], sets: dict[str, Shards], threshold: float
) -> dict[str, Any]:
    found: dict[str, set[int]] = {name: set() for name in sets}
    for query in matches.pairs[:, 0].tolist():
        name, number = places[query]
        found[name].add(number)
    names = np.array([name for name, _ in places])
    return {
        "threshold": threshold,
        "counts": {name: _counts(shards, found[name]) for name, shards in sets.items()},
        "curve": {
            name: [[value, int((matches.best[names == name] >= value).sum())] for value in THRESHOLDS] for name in sets
        },
    }


def _counts(shards: Shards, found: set[int]) -> dict[str, float]:
    """How many were found, at most in a class, and the mean over classes of their share of the class."""
    classes, pictures = Counter(int(shards.labels[number]) for number in found), Counter(shards.labels.tolist())
    share = sum(count / pictures[label] for label, count in classes.items()) / len(shards.classes)
    most = max(classes.values(), default=0)
    return {"found": len(found), "images": len(shards), "most_in_one_class": most, "mean_share_of_class": share}
