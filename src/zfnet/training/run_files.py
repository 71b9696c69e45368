"""Output files of a training: history, event files and snapshots, and at its end weights and metrics."""

import json
import shutil
from pathlib import Path
from typing import Any

from zfnet.core.errors import ZfnetError
from zfnet.core.files import atomic, read_json, remove_unfinished, write_json, write_text
from zfnet.nets import Network, save
from zfnet.training.checkpoint import differences
from zfnet.training.experiments import RunSpec
from zfnet.training.history import json_line
from zfnet.training.spec_format import upgrade_spec
from zfnet.training.tensorboard import Events

HISTORY, WEIGHTS, METRICS, SPEC = "history.jsonl", "weights.safetensors", "metrics.json", "spec.json"


class RunFiles:
    """The output files of one run.

    Parameters
    ----------
    folder : runs/RUN; the workflow deletes and creates it.
    snapshot_dir : where snapshots stay until the end: a folder of this spec alone, the one of its checkpoint.
    classes : ids of the labels.
    events : whether to write event files for TensorBoard.
    """

    def __init__(
        self, spec: RunSpec, folder: Path, snapshot_dir: Path, classes: list[str], events: bool = False
    ) -> None:
        self.spec, self.folder, self.snapshot_dir, self.classes = spec, folder, snapshot_dir, classes
        self.events = Events(folder / "events") if events else None

    def begin(self, history: list[dict[str, Any]]) -> None:
        """Write the history so far, replacing one that may be ahead of the checkpoint."""
        for name in (HISTORY, WEIGHTS, METRICS):
            remove_unfinished(self.folder / name)
        for epoch in self.spec.snapshots:
            remove_unfinished(self.snapshot_dir / snapshot_name(epoch))
            remove_unfinished(self.folder / "snapshots" / snapshot_name(epoch))
        write_text(self.folder / HISTORY, "".join(map(json_line, history)))
        if self.events:
            self.events.begin(history)

    def add_row(self, row: dict[str, Any]) -> None:
        """Append an epoch to the history."""
        with (self.folder / HISTORY).open("a", encoding="utf-8") as file:
            file.write(json_line(row))
        if self.events:
            self.events.add_row(row)

    def save_snapshot(self, net: Network, epoch: int) -> None:
        """Save the net as it is after `epoch`."""
        self._save_net(net, self.snapshot_dir / snapshot_name(epoch), epoch)

    def publish(self, net: Network, metrics: dict[str, Any]) -> None:
        """Write the results, metrics.json last.

        Raises
        ------
        ZfnetError
            A snapshot was deleted; or spec.json was changed while the training ran, and describes another one now.
        """
        self._check_spec()
        for epoch in self.spec.snapshots:
            self._publish_snapshot(epoch)
        self._save_net(net, self.folder / WEIGHTS, self.spec.recipe.epochs)
        write_json(self.folder / METRICS, metrics)

    def _check_spec(self) -> None:
        """Check that spec.json, where there is one, still describes what was trained."""
        path = self.folder / SPEC
        if path.exists() and (changes := differences(json.loads(self.spec.text), upgrade_spec(read_json(path)))):
            raise ZfnetError(
                f"{path}: changed while {self.spec.run} was trained ({'; '.join(changes)}), so its results are not "
                "published under it. The trained net is kept as a checkpoint; run snakemake again to train the "
                "present spec, or set the settings back to publish it."
            )

    def _publish_snapshot(self, epoch: int) -> None:
        source, target = self.snapshot_dir / snapshot_name(epoch), self.folder / "snapshots" / snapshot_name(epoch)
        if source.exists():
            with atomic(target) as temporary:
                shutil.copyfile(source, temporary)
        elif not target.exists():
            raise ZfnetError(
                f"{source}: the snapshot of epoch {epoch} was saved here but is missing; restore it, or remove "
                f"{self.snapshot_dir} to train {self.spec.run} from the start."
            )

    def _save_net(self, net: Network, path: Path, epoch: int) -> None:
        save(net, path, run=self.spec.run, spec=self.spec.hash, epoch=epoch, classes=self.classes)


def snapshot_name(epoch: int) -> str:
    """Return the file name of the snapshot after `epoch`."""
    return f"epoch-{epoch:02d}.safetensors"
