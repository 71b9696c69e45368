"""What a training leaves behind: history, event files, snapshots, and at its end weights and metrics."""

import shutil
from pathlib import Path
from typing import Any

from zfnet.core.errors import ZfnetError
from zfnet.core.files import atomic, remove_unfinished, write_json, write_text
from zfnet.nets import Network, save
from zfnet.training.experiments import RunSpec
from zfnet.training.history import json_line
from zfnet.training.tensorboard import Events

HISTORY, WEIGHTS, METRICS = "history.jsonl", "weights.safetensors", "metrics.json"


class Output:
    """The files of one run.

    Parameters
    ----------
    folder : runs/RUN, which the workflow deletes and makes again.
    kept : where the snapshots are until the end: a folder of this spec alone, beside its checkpoint.
    classes : ids of the labels.
    events : whether to write event files for TensorBoard.
    """

    def __init__(self, spec: RunSpec, folder: Path, kept: Path, classes: list[str], events: bool = False) -> None:
        self.spec, self.folder, self.kept, self.classes = spec, folder, kept, classes
        self.events = Events(folder / "events") if events else None

    def begin(self, history: list[dict[str, Any]]) -> None:
        """Write the history so far, in place of one that may have run ahead of the checkpoint."""
        for name in (HISTORY, WEIGHTS, METRICS):
            remove_unfinished(self.folder / name)
        for epoch in self.spec.snapshots:
            remove_unfinished(self.kept / snapshot_name(epoch))
            remove_unfinished(self.folder / "snapshots" / snapshot_name(epoch))
        write_text(self.folder / HISTORY, "".join(map(json_line, history)))
        if self.events:
            self.events.begin(history)

    def add(self, row: dict[str, Any]) -> None:
        """Add an epoch to the history."""
        with (self.folder / HISTORY).open("a", encoding="utf-8") as file:
            file.write(json_line(row))
        if self.events:
            self.events.add(row)

    def keep(self, net: Network, epoch: int) -> None:
        """Keep the net as it is after `epoch`."""
        self._save_net(net, self.kept / snapshot_name(epoch), epoch)

    def publish(self, net: Network, metrics: dict[str, Any]) -> None:
        """Write the results, metrics.json last.

        Raises
        ------
        ZfnetError
            A snapshot was deleted.
        """
        for epoch in self.spec.snapshots:
            self._publish_snapshot(epoch)
        self._save_net(net, self.folder / WEIGHTS, self.spec.recipe.epochs)
        write_json(self.folder / METRICS, metrics)

    def _publish_snapshot(self, epoch: int) -> None:
        source, target = self.kept / snapshot_name(epoch), self.folder / "snapshots" / snapshot_name(epoch)
        if source.exists():
            with atomic(target) as beside:
                shutil.copyfile(source, beside)
        elif not target.exists():
            raise ZfnetError(
                f"{source}: the net of epoch {epoch} was kept here and is gone; put it back, or remove "
                f"{self.kept} to train {self.spec.run} from the start."
            )

    def _save_net(self, net: Network, path: Path, epoch: int) -> None:
        save(net, path, run=self.spec.run, spec=self.spec.hash, epoch=epoch, classes=self.classes)


def snapshot_name(epoch: int) -> str:
    """Name of the net kept after `epoch`."""
    return f"epoch-{epoch:02d}.safetensors"
