"""Settings that are legal one by one and do not fit together: found while the configuration is read, not after hours.

What one sub-tree can know of itself is checked where it is typed (`zfnet.settings`). What takes several is checked here
and on the whole configuration alone: a stage's settings file holds a part of it, and defaults for the rest.
"""

from collections.abc import Iterable, Iterator, Mapping

from zfnet.core.errors import ZfnetError
from zfnet.nets.architecture import describe, require_known
from zfnet.settings import Settings
from zfnet.training.experiments import NetSpec, RunSpec, specs

VOC_LAYER = "7"  # Table 6, whatever transfer.layers says


def disagreements(settings: Settings) -> list[str]:
    """Give a sentence for everything that does not fit together, each once, with the settings it is about."""
    runs = specs(settings)
    found = [
        *_untrained(settings),
        *_crop_beyond_square(settings),
        *_impossible_nets(runs.values()),
        *_uneven_shares(settings),
        *_transfer_net(settings.transfer.pretrained_run, settings.transfer.layers, runs),
    ]
    return list(dict.fromkeys(found))


def _untrained(settings: Settings) -> Iterator[str]:
    nets, seeds = settings.visualize.nets, settings.training.seeds
    if nets > seeds:
        yield (
            f"visualize.nets ({nets}) is more than training.seeds ({seeds}): so many nets are not trained; raise "
            "training.seeds or lower visualize.nets."
        )


def _crop_beyond_square(settings: Settings) -> Iterator[str]:
    crop, size = settings.nets.crop, settings.data.image_size
    if crop > size:
        yield f"nets.crop ({crop}) is more than data.image_size ({size}), the square it is cut from; change one of them."


def _impossible_nets(runs: Iterable[RunSpec]) -> Iterator[str]:
    """Crops too small for the layers; the nets of several trainings fail alike."""
    for net in (spec.net for spec in runs):
        try:
            describe(net.name, width=net.width, crop=net.crop, norm_alpha=net.norm_alpha, **net.changes.arguments)
        except ZfnetError as error:
            yield f"nets: {error}"


def _uneven_shares(settings: Settings) -> Iterator[str]:
    gpus = settings.jobs.gpus_per_training
    for net in ("zf", "krizhevsky"):
        batch = getattr(settings.training, net).batch_size
        if batch % gpus:
            yield (
                f"jobs.gpus_per_training ({gpus}) does not divide training.{net}.batch ({batch}): the GPUs of a "
                "training take equal parts of its minibatches; change one of them."
            )


def _transfer_net(run: str, layers: Iterable[str], runs: Mapping[str, RunSpec]) -> Iterator[str]:
    """The pre-trained net is one that is trained, and has the layers whose features are read."""
    try:
        require_known(run, runs, "training")
    except ZfnetError as error:
        yield f"transfer.pretrained_run: {error}"
        return
    missing = sorted({*layers, VOC_LAYER} - _numbers(runs[run].net))
    if missing:
        yield (
            f"transfer.pretrained_run: {run} has no layer {' and '.join(missing)}, whose features transfer.layers or Table 6 "
            f"(layer {VOC_LAYER}) ask for; choose another net, or other layers."
        )


def _numbers(net: NetSpec) -> set[str]:
    return {str(layer.number) for layer in describe(net.name, **net.changes.arguments).layers}
