"""Event files for TensorBoard: the history's rows as curves.

They are written anew from the history whenever a training starts, so that one that was stopped or killed shows no
epoch twice and none that its checkpoint does not know. The package tensorboard is optional.
"""

import shutil
from pathlib import Path
from typing import Any

from zfnet.core.errors import ZfnetError

CURVES = {  # a row's entry -> its name in TensorBoard
    "loss": "loss/train",
    "train_top1": "error/train top-1",
    "val_top1": "error/validation top-1",
    "val_top5": "error/validation top-5",
    "rate": "learning rate",
    "images_per_second": "speed/images per second",
    "wait_share": "speed/share waiting for data",
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
        self.folder, self._open = folder, SummaryWriter

    def begin(self, history: list[dict[str, Any]]) -> None:
        """Start new files with the rows of `history`."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._writer = self._open(str(self.folder))
        for row in history:
            self.add(row)

    def add(self, row: dict[str, Any]) -> None:
        """Add one epoch."""
        for entry, name in CURVES.items():
            if row[entry] is not None:
                self._writer.add_scalar(name, row[entry], row["epoch"])
        self._writer.flush()
