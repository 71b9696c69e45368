"""Loader and update together, against the update alone; and the time that the whole paper would take at this rate.

The hours are computed, not measured: images times epochs of every training of the preset `paper`, at the rate measured
here for its kind of net, scaled by the counted operations where a net is wider or narrower.
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
from benchmarks.step import RECIPES, learner, size_on
from benchmarks.timing import seconds
from zfnet.config import PRESETS, load
from zfnet.data.loader import Batch, Shards
from zfnet.nets.architecture import describe
from zfnet.training.experiments import RunSpec, specs

IMAGENET = 1_281_167  # training images
UPDATES = {"cpu": 6, "cuda": 200}
DISTINCT = 500  # generated images; more are repeats


def results(bench: Bench) -> Iterator[Row | str]:
    """Yield images per second with the loader, against those without, then the paper's hours."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    size, rates = size_on(bench, device), {}
    images = size["batch"] * (2 if bench.quick else UPDATES[device])
    manifest = photos.squares(bench.work, images, min(images, DISTINCT))
    for name in RECIPES:
        sides = {
            side: bench.side(f"end_to_end:{side}", name=name, manifest=str(manifest), readers=bench.cores, **size)
            for side in ("with_loader", "without_loader")
        }
        rates[name] = sides["with_loader"].value
        case = f"{device}, batch {size['batch']}, {name}, loader and update"
        yield Row(
            case,
            rates[name],
            "images/s",
            sides["without_loader"].value,
            "the update alone",
            sides["with_loader"].peak_mb,
        )
    yield from hours(rates, size["width"], size["crop"])


def with_loader(manifest: str, readers: int, batch: int, **size: Any) -> float:
    """Return images per second when minibatches come from shards, in random order."""
    shards = Shards(Path(manifest))
    order = np.random.default_rng(0).permutation(len(shards))
    return _rate(lambda: shards.batches(order, batch, readers), len(shards), **size)


def without_loader(manifest: str, readers: int, batch: int, **size: Any) -> float:
    """Return images per second when training on one minibatch of the same shards over and over."""
    shards = Shards(Path(manifest))
    (first,) = shards.batches(np.arange(batch), batch, readers)
    return _rate(lambda: repeat(first, len(shards) // batch), len(shards), **size)


def _rate(batches: Callable[[], Iterable[Batch]], images: int, **size: Any) -> float:
    trainer = learner(**size)

    def epoch() -> None:
        for step, batch in enumerate(batches()):
            trainer.train_step(batch.images, batch.labels, (1, 0, step), 0.0)
        trainer.sums.tolist()  # waits for the device

    return images / seconds(epoch, rounds=2)


def hours(rates: dict[str, float], width: float, crop: int) -> Iterator[str]:
    """Yield how long each training of the preset `paper`, and all of them, would take at these rates.

    Parameters
    ----------
    rates : net name -> images per second of the published net
    width, crop : of the nets that were measured
    """
    if (width, crop) != (1.0, 224):
        yield "The paper's hours are computed from nets of full size only, which these nets are not."
        return
    if not PRESETS.exists():
        yield f"The paper's hours were not computed: {PRESETS} does not exist; install zfnet again."
        return
    runs = specs(load({"preset": "paper"}))
    hours_of = {run: _hours(spec, rates) for run, spec in runs.items()}
    listed = ", ".join(f"{run} {count:,.1f}" for run, count in hours_of.items())
    yield f"Hours for each training of the paper, computed from measured rates and counted operations: {listed}."
    total = sum(hours_of.values())
    yield f"Hours for all {len(hours_of)} trainings, one after the other, computed in the same way: {total:,.1f}."


def _hours(spec: RunSpec, rates: dict[str, float]) -> float:
    net, base = (describe(spec.net.name, **changes) for changes in (spec.net.changes.arguments, {}))
    rate = rates[spec.net.name] * training_flops(base) / training_flops(net)
    return IMAGENET * spec.recipe.epochs / rate / 3600
