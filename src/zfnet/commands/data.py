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
    settings: SettingsFile,
    out: Out,
    archives: Annotated[list[Path] | None, typer.Argument(help="its archives")] = None,
    listed: Annotated[
        Path | None, typer.Option("--archives", help="a JSON file of each set's archives, instead of their names")
    ] = None,
    threads: Threads = 2,
) -> None:
    """Convert an official archive to WebDataset shards and manifest.json."""
    from zfnet.core.files import read_json
    from zfnet.data.readers import datasets
    from zfnet.data.shards.writer import write_shards

    data = read(settings).data
    given = archives or [Path(path) for path in (read_json(listed) if listed else {}).get(name, [])]
    if not given:
        raise ZfnetError(f"{name}: name its archives, or a JSON file that does with --archives.")
    source = datasets.source(name, given, data)
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
    quick: Annotated[bool, typer.Option("--quick", help="read only beginnings and ends; takes seconds")] = False,
) -> None:
    """Read the archives that config.yaml names to their ends; say what is wrong, passed over or missing."""
    from zfnet.config import overlay
    from zfnet.data.readers.skipped import report
    from zfnet.data.verify import OFFICIAL, check_archives, missing
    from zfnet.data.verify_fully import read_fully

    settings = overlay(config)
    problems = check_archives(settings.archives)
    if not problems and not quick:
        named = {
            key: path for key in OFFICIAL if (path := getattr(settings.archives, key)) and key != "parts_keypoints"
        }
        problems, skipped = read_fully(named)
        for key, entries in skipped.items():
            report(key, entries)
    if problems:
        raise ZfnetError("\n".join(problems))
    print(f"{config}: all archives that it names passed the {'quick' if quick else 'full'} check.")
    for sentence in [] if settings.synthetic else missing(settings.archives):
        print(sentence)


COMMANDS = (world, shards, fetch, verify)
