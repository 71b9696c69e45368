"""How fast it is on this machine, and what can be set."""

from pathlib import Path
from typing import Annotated

import typer


def bench(
    groups: Annotated[list[str] | None, typer.Argument(help="loader, sharding, norm, step …; none: all")] = None,
    out: Annotated[Path, typer.Option(help="folder of the tables")] = Path("results/bench"),
    quick: Annotated[bool, typer.Option(help="tiny sizes: shows that the benchmarks work, measures nothing")] = False,
) -> None:
    """Measure our parts beside what one would use otherwise, on this machine."""
    from tempfile import TemporaryDirectory

    from zfnet.bench.harness import Bench, chosen, run
    from zfnet.data.world.archives import cores

    asked = chosen(groups or [])
    with TemporaryDirectory(prefix="zfnet-bench-") as work:
        run(asked, Bench(Path(work), cores(), quick), out)


def settings() -> None:
    """Print every setting with its default and meaning, as Markdown."""
    from zfnet.config import explain

    print(explain(), end="")


COMMANDS = (bench, settings)
