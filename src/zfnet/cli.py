"""The command line: the commands of `zfnet.commands`, in the order of the paper.

A user's mistake prints one sentence and exits with 1; interrupted work that can be continued exits with 75.
"""

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from zfnet.commands import data, explore, installation, paper, training, transfer, visualize
from zfnet.core import workflow_presence
from zfnet.core.errors import GraphFailed, Stopped, ZfnetError

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)  # clear even without a file name
PANELS = {
    "Archives and shards": data,
    "Nets": training,
    "Visualizing and understanding": visualize,
    "Transfer": transfer,
    "Tables, figures, claims": paper,
    "Your own network and images": explore,
    "This installation": installation,
}

app = typer.Typer(
    help="Every table and figure of Zeiler & Fergus (2013), from the official archives.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def announced(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command end with what it wrote, for those who run it by hand; jobs leave it in their log."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> None:
        command(*args, **options)
        if options.get("out") is not None:
            print(f"zfnet: wrote {options['out']}.")

    return run


for panel, module in PANELS.items():
    for command in module.COMMANDS:
        app.command(rich_help_panel=panel)(command if module is explore else announced(command))


@app.callback(invoke_without_command=True)
def version_option(
    version: Annotated[bool, typer.Option("--version", help="print the version and exit", is_eager=True)] = False,
) -> None:
    """Every table and figure of Zeiler & Fergus (2013), from the official archives."""
    if version:
        print(f"zfnet {metadata.version('zfnet')}")
        raise typer.Exit


def main() -> None:
    """Run the command line."""
    workflow_presence.join()
    try:
        app()
    except Stopped as stopped:
        print(f"zfnet: {stopped}", file=sys.stderr)
        sys.exit(Stopped.exit_code)
    except GraphFailed as failure:
        _start_again(failure)
    except ZfnetError as error:
        print(f"zfnet: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if error.filename is None and error.errno not in DISK:
            raise
        place = f"{error.filename}: " if error.filename else ""
        print(f"zfnet: {place}{error.strerror}; fix this and run the same command again.", file=sys.stderr)
        sys.exit(1)


def _start_again(failure: GraphFailed) -> NoReturn:
    """Replace this process by one that runs the same command with plain training steps."""
    from zfnet.training.compiled import plain_environment

    print(f"zfnet: {failure}; starting the command again with plain steps, which are slower.", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    for descriptor in (int(path.name) for path in Path("/proc/self/fd").iterdir()):
        if descriptor > 2:  # the driver's files would keep the memory of the GPU
            _close_at_exec(descriptor)
    os.execve(sys.executable, [sys.executable, "-m", "zfnet", *sys.argv[1:]], plain_environment())


def _close_at_exec(descriptor: int) -> None:
    with suppress(OSError):  # the one that listed the folder is gone
        os.set_inheritable(descriptor, False)
