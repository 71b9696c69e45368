"""Starting the processes of a parallel training through torchrun's own library.

The caller holds all GPUs of the training; each process takes the one of its local rank. What ends the processes ends
the caller: an error, a stop in good order (75), or a signal, which is passed on to all of them.
"""

import sys
import uuid

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from zfnet.core.errors import Stopped


def launch(ranks: int, arguments: list[str]) -> None:
    """Run `zfnet ARGUMENTS` in `ranks` processes on this machine; exit as they do, unless all succeed."""
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=ranks,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",  # any free port
        max_restarts=0,
        monitor_interval=0.1,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "zfnet", *arguments)
    except ChildFailedError as error:
        codes = {failure.exitcode for failure in error.failures.values()}
        sys.exit(Stopped.exit_code if Stopped.exit_code in codes else 1)
    except SignalException:  # the first process has said where it stopped
        sys.exit(Stopped.exit_code)
