"""Event files for TensorBoard: the rows of the history as curves.

They are rewritten from the history whenever a training starts, so that a resumed training shows no epoch twice and
none that its checkpoint does not contain. The package tensorboard is optional.
"""

import shutil
from pathlib import Path
from typing import Any

from zfnet.core.errors import ZfnetError

CURVES = {  # key of a history row -> name in TensorBoard
    "loss": "loss/train",
    "train_top1": "error/train top-1",
    "val_top1": "error/validation top-1",
    "val_top5": "error/validation top-5",
    "learning_rate": "learning rate",
    "images_per_second": "speed/images per second",
    "wait_fraction": "speed/fraction waiting for data",
}


class Events:
    """The event files of one run, in `folder`.

    Raises
    ------
    ZfnetError
        The package tensorboard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise ZfnetError(
                "event files (jobs.tensorboard) need the package tensorboard, which is not installed; "
                "install zfnet[tensorboard], or set jobs: {tensorboard: false}."
            ) from None
        self.folder, self._open_writer = folder, SummaryWriter

    def begin(self, history: list[dict[str, Any]]) -> None:
        """Start new files with the rows of `history`."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._writer = self._open_writer(str(self.folder))
        for row in history:
            self.add_row(row)

    def add_row(self, row: dict[str, Any]) -> None:
        """Add one epoch."""
        for key, name in CURVES.items():
            if row[key] is not None:
                self._writer.add_scalar(name, row[key], row["epoch"])
        self._writer.flush()
