"""Commands that use the features of frozen nets on other data sets (ZF sect. 5.2 and 5.3; Tables 4-7, Figure 9)."""

from pathlib import Path
from typing import Annotated

import typer

from zfnet.commands.common import (
    Budget,
    FeaturesOf,
    Out,
    Prepared,
    SettingsFile,
    Threads,
    TimeLimit,
    Weights,
    budget_minutes,
    by_folder,
    on_gpu,
    read,
)

FeaturesIndex = Annotated[Path, typer.Option("--features", help="index.json of extracted features")]


@on_gpu
def duplicates(
    others: Annotated[list[Path], typer.Argument(help="manifests of the transfer sets, data/SET/manifest.json")],
    train: Annotated[Path, typer.Option(help="manifest.json of the training set")],
    settings: SettingsFile,
    out: Out,
    threads: Threads = 2,
) -> None:
    """Search a training set for near-duplicates of the images of transfer sets (section 5.2)."""
    from zfnet.transfer.duplicates.search_stage import duplicates_stage

    duplicates_stage(train, by_folder(others), read(settings).transfer, out, threads)


@on_gpu
def extract_features(weights: Weights, data: Prepared, settings: SettingsFile, out: Out, threads: Threads = 2) -> None:
    """Extract the features of a data set from every layer of a frozen net."""
    from zfnet.transfer.extract_features import features_stage

    features_stage(weights, data, read(settings).transfer, out.parent, threads)


@on_gpu
def heads(
    features: FeaturesIndex,
    settings: SettingsFile,
    out: Out,
    threads: Threads = 2,
    weights: FeaturesOf = None,
    data: FeaturesOf = None,
) -> None:
    """Train softmax and linear SVM heads on Caltech features (Tables 4, 5 and 7, Figure 9)."""
    from zfnet.transfer.caltech_heads import heads_stage
    from zfnet.transfer.extract_features import Features

    heads_stage(Features(features.parent, weights, data), read(settings).transfer, out, threads)


@on_gpu
def scratch(
    data: Prepared,
    settings: SettingsFile,
    checkpoints: Annotated[Path, typer.Option(help="folder for the checkpoints of the trainings")],
    out: Out,
    threads: Threads = 2,
    budget: Budget = None,
    time_limit: TimeLimit = None,
) -> None:
    """Train whole nets on a small data set alone, without pretraining (Tables 4 and 5)."""
    from zfnet.transfer.from_scratch import scratch_stage

    scratch_stage(data, read(settings), checkpoints, out, threads, budget_minutes(budget, time_limit))


@on_gpu
def voc(
    features: FeaturesIndex,
    settings: SettingsFile,
    out: Out,
    threads: Threads = 2,
    weights: FeaturesOf = None,
    data: FeaturesOf = None,
) -> None:
    """Train and test heads on PASCAL VOC 2012 features (Table 6)."""
    from zfnet.transfer.extract_features import Features
    from zfnet.transfer.voc_heads import voc_stage

    voc_stage(Features(features.parent, weights, data), read(settings).transfer, out, threads)


@on_gpu
def voc_test(
    features: Annotated[Path, typer.Option(help="index.json of the features of voc2012")],
    test: Annotated[Path, typer.Option(help="index.json of the features of voc2012-test")],
    settings: SettingsFile,
    out: Out,
    threads: Threads = 2,
    weights: FeaturesOf = None,
    data: FeaturesOf = None,
    test_data: FeaturesOf = None,
) -> None:
    """Predict the test set of PASCAL VOC 2012 for its evaluation server."""
    from zfnet.transfer.extract_features import Features
    from zfnet.transfer.voc_submission import voc_test_stage

    trainval, unlabelled = Features(features.parent, weights, data), Features(test.parent, weights, test_data)
    voc_test_stage(trainval, unlabelled, read(settings).transfer, out, threads)


COMMANDS = (duplicates, extract_features, heads, scratch, voc, voc_test)
