"""Checks across settings: values that are valid on their own but contradict each other, found before anything runs.

Checks within one sub-tree belong to its model in `zfnet.settings`. These need several sub-trees and run on the whole
configuration only, because the settings file of a stage holds one part of it and defaults for the rest.
"""

from collections.abc import Iterable, Iterator, Mapping

from zfnet.core.errors import ZfnetError
from zfnet.core.suggest import require_known
from zfnet.nets.architecture import describe
from zfnet.settings import Settings
from zfnet.training.experiments import NetSpec, RunSpec, specs

VOC_LAYER = "fc7"  # Table 6, whatever transfer.layers says


def contradictions(settings: Settings) -> list[str]:
    """Return one sentence for each contradiction, naming the settings involved."""
    runs = specs(settings)
    found = [
        *_missing_seeds(settings),
        *_crop_beyond_square(settings),
        *_impossible_nets(runs.values()),
        *_uneven_minibatches(settings),
        *_transfer_net(settings.transfer.pretrained_run, settings.transfer.layers, runs),
    ]
    return list(dict.fromkeys(found))


def _missing_seeds(settings: Settings) -> Iterator[str]:
    nets, seeds = settings.visualize.nets, settings.training.seeds
    if nets > seeds:
        yield (
            f"visualize.nets ({nets}) is more than training.seeds ({seeds}), the number of nets trained; raise "
            "training.seeds or lower visualize.nets."
        )


def _crop_beyond_square(settings: Settings) -> Iterator[str]:
    crop, size = settings.nets.crop, settings.data.image_size
    if crop > size:
        yield (
            f"nets.crop ({crop}) is more than data.image_size ({size}), the square that crops come from; "
            "change one of them."
        )


def _impossible_nets(runs: Iterable[RunSpec]) -> Iterator[str]:
    """Yield why a net cannot be built, such as a crop too small for its layers: once for all variants of a net."""
    mistakes: dict[str, str] = {}
    for net in (spec.net for spec in runs):
        options = net.model_dump(include={"width", "crop", "norm_alpha"}) | net.changes.arguments
        try:
            describe(net.name, **options)
        except ZfnetError as error:
            mistakes.setdefault(net.name, f"nets: {error}")
    yield from mistakes.values()


def _uneven_minibatches(settings: Settings) -> Iterator[str]:
    gpus = settings.jobs.gpus_per_training
    for net in ("zf", "krizhevsky"):
        batch = getattr(settings.training, net).batch_size
        if batch % gpus:
            yield (
                f"jobs.gpus_per_training ({gpus}) does not divide training.{net}.batch_size ({batch}): the GPUs of a "
                "training process equal parts of each minibatch; change one of them."
            )


def _transfer_net(run: str, layers: Iterable[str], runs: Mapping[str, RunSpec]) -> Iterator[str]:
    """Check that the pre-trained net exists and has every layer whose features are used."""
    try:
        require_known(run, runs, "training")
    except ZfnetError as error:
        yield f"transfer.pretrained_run: {error}"
        return
    missing = sorted({*layers, VOC_LAYER} - _layers(runs[run].net))
    if missing:
        yield (
            f"transfer.pretrained_run: {run} has no {' and '.join(missing)}, but transfer.layers or "
            f"Table 6 ({VOC_LAYER}) use its features; choose another net or other layers."
        )


def _layers(net: NetSpec) -> set[str]:
    return set(describe(net.name, **net.changes.arguments).fan_ins())
