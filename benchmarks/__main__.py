"""`python -m benchmarks [GROUP …]`: measure our parts beside what one would use otherwise, on this machine."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks.harness import Bench, chosen, run
from zfnet.core.errors import ZfnetError
from zfnet.core.threads import cores


def main(
    groups: Annotated[list[str] | None, typer.Argument(help="loader, sharding, norm, step …; none: all")] = None,
    out: Annotated[Path, typer.Option(help="folder of the tables")] = Path("results/bench"),
    quick: Annotated[bool, typer.Option(help="tiny sizes: shows that the benchmarks work, measures nothing")] = False,
) -> None:
    """Measure our parts beside what one would use otherwise, on this machine."""
    try:
        asked = chosen(groups or [])
        with TemporaryDirectory(prefix="zfnet-bench-") as work:
            run(asked, Bench(Path(work), cores(), quick), out)
    except ZfnetError as error:
        raise SystemExit(f"benchmarks: {error}") from None


if __name__ == "__main__":
    typer.run(main)
