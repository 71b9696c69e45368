"""Start of the processes of a data-parallel training, through torchrun's own library.

The caller holds all GPUs of the training; each process uses the one of its local rank. The caller exits as the
processes do: with 1 after an error, with 75 after a graceful stop. A signal is passed on to all of them.
"""

import sys
import uuid

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from zfnet.core.errors import Stopped


def launch(world_size: int, arguments: list[str]) -> None:
    """Run `zfnet ARGUMENTS` in `world_size` processes on this machine; exit with their code unless all succeed."""
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=world_size,
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
    except SignalException:  # the main process has printed where it stopped
        sys.exit(Stopped.exit_code)
