"""How a training is executed: what its result does not depend on, or only in rounding."""

from dataclasses import dataclass
from pathlib import Path

from zfnet.settings import Compile


@dataclass(frozen=True)
class RunOptions:
    """Options of one training job; what is trained is in its `RunSpec`."""

    checkpoints: Path  # folder of this run's checkpoints
    threads: int = 2  # CPU threads for the net, and for decoding, over all processes of the training
    checkpoint_minutes: float = 10  # between two checkpoints
    budget_minutes: float | None = None  # after which to save and stop, but not before one step is done
    compile: Compile = "auto"  # how bf16 steps are executed (see zfnet.training.compiled)
    share: int = 1  # trainings that may run on one GPU at once
    events: bool = False  # write event files for TensorBoard into the run's folder
