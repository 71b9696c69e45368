"""Search the training set for near-duplicates of the transfer images, by normalised correlation (ZF sect. 5.2, D29).

The paper gives the measure and the counts (44 for Caltech-101, 243 for Caltech-256), but neither the image size nor the
threshold. Here each image becomes a grey thumbnail of 32 × 32 with zero mean and unit norm. Two images are duplicates
if the absolute value of the inner product reaches 0.95; taking the absolute value also finds negatives. Resizing and
recompressing hardly change the correlation, but cropping 4 % lowers it below 0.9. Therefore each transfer image is
compared

- whole and as its centre square: the shards of the training set hold centre squares, but a copy may also have been
  squashed into a square before it got there;
- as it is and mirrored;
- uncropped and with 2 % and 4 % cropped off each side, against the uncropped training image; and vice versa.

The largest of these twenty correlations counts; `zfnet.transfer.duplicates.pair_search` finds it without computing most
of them. Copies cropped by much more are missed. `zfnet.transfer.duplicates.calibration` measures what the threshold
finds and misses, on copies of the data themselves.
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
from zfnet.core.progress_bar import track
from zfnet.core.provenance import provenance
from zfnet.core.tables import write_records
from zfnet.data.loader import Shards
from zfnet.settings import Transfer
from zfnet.transfer.duplicates.calibration import CURVE_COLUMNS, curve, fraction_above, recalls
from zfnet.transfer.duplicates.contact_sheet import contact_sheet
from zfnet.transfer.duplicates.pair_search import Matches, search
from zfnet.transfer.duplicates.thumbnails import (
    CUTS,
    VIEWS,
    grey,
    query_thumbnails,
    stack_as_they_come,
    thumbnails,
    whole_grey,
)

THRESHOLDS = tuple(
    round(0.9 + 0.005 * i, 3) for i in range(20)
)  # for which counts are reported; the search goes no lower
COLUMNS = ["set", "key", "class", "train_key", "correlation"]
ALTERNATIVE = "free memory, run on a machine with more, or make transfer.duplicates_thumbnail_size smaller"


def duplicates_stage(
    train_manifest: Path, manifests: dict[str, Path], settings: Transfer, out_csv: Path, threads: int = 2
) -> None:
    """Search a training set for the images of other sets.

    Parameters
    ----------
    train_manifest, manifests
        manifest.json of the training set; name -> manifest.json of each transfer set.
    settings
        `duplicates_thumbnail_size` and `duplicates_threshold` are used.
    out_csv
        One row per pair. Beside it: .json with counts and their dependence on the threshold; -curve.csv with the
        fractions of known copies and of the data that each threshold finds; and .png, which shows the pairs closest to
        the threshold, so that it can be judged by eye.
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
    summary["recall"] = {
        change: fraction_above(values, settings.duplicates_threshold) for change, values in recall.items()
    }
    origin = provenance(seconds=time.monotonic() - start, device=str(device()), train=train.manifest.hash)
    write_json(Path(out_csv).with_suffix(".json"), summary | {"provenance": origin})


def _read_queries(sets: list[Shards], size: int) -> Tensor:
    """Return the thumbnails of all sets, (N, VIEWS, len(CUTS), size²), after checking that there is memory for them."""
    count = sum(len(shards) for shards in sets)
    needed = torch.float32.itemsize * count * VIEWS * len(CUTS) * size**2
    memory.require(needed, f"The search for near-duplicates of {count} images", device(), ALTERNATIVE)
    return stack_as_they_come((views for shards in sets for views in _views(shards, size)), count, device())


def _views(shards: Shards, size: int) -> Iterator[Tensor]:
    for number in track(range(len(shards)), f"thumbnails of {shards.manifest.name}", len(shards)):
        yield query_thumbnails(whole_grey(shards, number), size)


def _read_train(train: Shards, size: int, threads: int) -> Iterator[tuple[np.ndarray, Tensor]]:
    order, batch_size = np.arange(len(train)), 256
    blocks = train.batches(order, batch_size, threads)
    for images, _, numbers in track(blocks, "comparing training images", -(-len(order) // batch_size)):
        greys = grey(images.to(device()))  # (B, S, S)
        yield np.asarray(numbers), torch.stack([thumbnails(greys, size, cut) for cut in CUTS])


def _rows(matches: Matches, places: list[tuple[str, int]], sets: dict[str, Shards], train: Shards) -> list[dict]:
    rows = []
    for (query, match), correlation in zip(matches.pairs.tolist(), matches.correlations.tolist(), strict=True):
        name, number = places[query]
        shards = sets[name]
        class_name = shards.classes[shards.labels[number]]
        values = (name, shards.keys[number], class_name, train.keys[match], round(correlation, 4))
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def _summary(
    matches: Matches, places: list[tuple[str, int]], sets: dict[str, Shards], threshold: float
) -> dict[str, Any]:
    duplicates: dict[str, set[int]] = {name: set() for name in sets}
    for query in matches.pairs[:, 0].tolist():
        name, number = places[query]
        duplicates[name].add(number)
    names = np.array([name for name, _ in places])
    return {
        "threshold": threshold,
        "counts": {name: _counts(shards, duplicates[name]) for name, shards in sets.items()},
        "curve": {
            name: [[value, int((matches.best[names == name] >= value).sum())] for value in THRESHOLDS] for name in sets
        },
    }


def _counts(shards: Shards, duplicates: set[int]) -> dict[str, float]:
    """Return how many duplicates there are, in all and in one class at most, and their mean fraction of a class."""
    found, images = Counter(int(shards.labels[number]) for number in duplicates), Counter(shards.labels.tolist())
    mean_fraction = sum(count / images[label] for label, count in found.items()) / len(shards.classes)
    return {
        "found": len(duplicates),
        "images": len(shards),
        "most_in_one_class": max(found.values(), default=0),
        "mean_class_fraction": mean_fraction,
    }
