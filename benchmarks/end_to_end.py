"""Loader and update together, as a share of the update alone; and what the whole paper would take at this rate.

The hours are computed, not measured: images times epochs of every training of the preset `paper`, each at the rate
measured here for its kind of net, scaled by the counted operations of nets that are wider or narrower.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import photos
from benchmarks.costs import training_flops
from benchmarks.harness import Bench, Row
from benchmarks.step import RECIPES, given, learner
from benchmarks.timing import seconds
from zfnet.config import PRESETS, load
from zfnet.data.loader import Batch, Shards
from zfnet.nets.architecture import describe
from zfnet.training.experiments import RunSpec, specs

IMAGENET = 1_281_167  # training images
UPDATES = {"cpu": 6, "cuda": 200}
DISTINCT = 500  # drawn pictures; more are repeats


def results(bench: Bench) -> Iterator[Row | str]:
    """Images a second with the loader, beside those without, then the paper's hours."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    size, rates = given(bench, device), {}
    images = size["batch"] * (2 if bench.quick else UPDATES[device])
    manifest = photos.squares(bench.work, images, min(images, DISTINCT))
    for name in RECIPES:
        sides = {
            how: bench.side(f"end_to_end:{how}", name=name, manifest=str(manifest), readers=bench.cores, **size)
            for how in ("fed", "alone")
        }
        rates[name] = sides["fed"].value
        case = f"{device}, batch {size['batch']}, {name}, loader and update"
        yield Row(case, rates[name], "images/s", sides["alone"].value, "the update alone", sides["fed"].peak_mb)
    yield from hours(rates, size["width"], size["crop"])


def fed(manifest: str, readers: int, batch: int, **size: Any) -> float:
    """Images a second when minibatches come from shards, in random order."""
    shards = Shards(Path(manifest))
    order = np.random.default_rng(0).permutation(len(shards))
    return _rate(lambda: shards.batches(order, batch, readers), len(shards), **size)


def alone(manifest: str, readers: int, batch: int, **size: Any) -> float:
    """Images a second when one minibatch of the same shards is learned from again and again."""
    shards = Shards(Path(manifest))
    (first,) = shards.batches(np.arange(batch), batch, readers)
    return _rate(lambda: repeat(first, len(shards) // batch), len(shards), **size)


def _rate(batches: Callable[[], Iterable[Batch]], images: int, **size: Any) -> float:
    one = learner(**size)

    def epoch() -> None:
        for step, batch in enumerate(batches()):
            one.learn(batch.images, batch.labels, (1, 0, step), 0.0)
        one.sums.tolist()  # waits for the device

    return images / seconds(epoch, rounds=2)


def hours(rates: dict[str, float], width: float, crop: int) -> Iterator[str]:
    """Tell how long each training of the preset `paper`, and all of them, would take at these rates.

    Parameters
    ----------
    rates : images a second of the published nets.
    width, crop : of the nets that were measured.
    """
    if (width, crop) != (1.0, 224):
        yield "The paper's hours are computed from nets of full size only, which these are not."
        return
    if not PRESETS.exists():
        yield f"The paper's hours were not computed: {PRESETS} is not there; install zfnet from its checkout."
        return
    runs = specs(load({"preset": "paper"}))
    took = {run: _hours(spec, rates) for run, spec in runs.items()}
    listed = ", ".join(f"{run} {time:,.1f}" for run, time in took.items())
    yield f"Hours of each training of the paper, computed from the measured rates and counted operations: {listed}."
    yield f"Hours of all {len(took)} trainings, one after the other, computed likewise: {sum(took.values()):,.1f}."


def _hours(spec: RunSpec, rates: dict[str, float]) -> float:
    net, base = (describe(spec.net.name, **changes) for changes in (spec.net.changes.arguments, {}))
    rate = rates[spec.net.name] * training_flops(base) / training_flops(net)
    return IMAGENET * spec.recipe.epochs / rate / 3600
