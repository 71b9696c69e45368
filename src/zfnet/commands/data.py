"""Generate, download, check and prepare the data sets."""

from pathlib import Path
from typing import Annotated

import typer

from zfnet.commands.common import Out, SettingsFile, Threads, read
from zfnet.core.errors import ZfnetError


def world(
    settings: SettingsFile,
    out: Annotated[Path, typer.Option("--out", help="the folder to put the archives in")],
    threads: Threads = 2,
) -> None:
    """Generate a miniature of all data sets in the official archive formats."""
    from zfnet.synthetic import generate

    wanted = read(settings).synthetic
    if wanted is None:
        raise ZfnetError(f"{settings}: no settings of a generated world; expected them under the key `synthetic`.")
    generate(wanted, out, workers=threads)


def shards(
    name: Annotated[str, typer.Argument(help="imagenet-train, imagenet-val, caltech101, caltech256, voc2012 …")],
    archives: Annotated[list[Path], typer.Argument(help="its archives")],
    settings: SettingsFile,
    out: Out,
    threads: Threads = 2,
) -> None:
    """Convert an official archive to WebDataset shards and manifest.json."""
    from zfnet.data.readers import datasets
    from zfnet.data.shards.writer import write_shards

    data = read(settings).data
    source = datasets.source(name, archives, data)
    write_shards(source, data, out, square=datasets.SQUARE[name], threads=threads)


def fetch(
    file: Annotated[
        str, typer.Argument(help="caltech-101.zip, 256_ObjectCategories.tar, VOCtrainval_11-May-2012.tar …")
    ],
    out: Annotated[Path, typer.Option("--out", help="the folder to put it in")],
) -> None:
    """Download an archive that needs no account, and verify its checksum."""
    from zfnet.data.readers.download import fetch

    fetch(file, out)


def verify(
    config: Annotated[Path, typer.Option(help="the configuration whose archives are checked")] = Path("config.yaml"),
) -> None:
    """Check the archives that config.yaml names; takes seconds."""
    from zfnet.config import overlay
    from zfnet.data.verify import check_archives

    problems = check_archives(overlay(config).archives)
    if problems:
        raise ZfnetError("\n".join(problems))
    print(f"{config}: all archives passed the quick check.")


COMMANDS = (world, shards, fetch, verify)
