"""`python -m benchmarks [GROUP …]`: measure our code against the usual alternatives, on this machine."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks.harness import Bench, run, select_groups
from zfnet.core.errors import ZfnetError
from zfnet.core.threads import cores


def main(
    groups: Annotated[list[str] | None, typer.Argument(help="loader, sharding, norm, step …; all by default")] = None,
    out: Annotated[Path, typer.Option(help="folder for the tables")] = Path("results/bench"),
    quick: Annotated[bool, typer.Option(help="tiny sizes: checks that the benchmarks run, measures nothing")] = False,
) -> None:
    """Measure our code against the usual alternatives, on this machine."""
    try:
        selected = select_groups(groups or [])
        with TemporaryDirectory(prefix="zfnet-bench-") as work:
            run(selected, Bench(Path(work), cores(), quick), out)
    except ZfnetError as error:
        raise SystemExit(f"benchmarks: {error}") from None


if __name__ == "__main__":
    typer.run(main)
