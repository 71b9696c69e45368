"""Checkpoints: everything needed to resume a training exactly where it was, in one atomically written file.

The file is safetensors. Tensors: the net under `net.`, the momentum buffers under `momentum.`. Header: the progress as
JSON (epoch, step, schedule, sums, history), and a stamp: the run's spec and the hash of its data. Generator states are
not stored, since every draw is seeded by its epoch and step (see zfnet.core.seeds).

Each pair of spec and data has a folder of its own within the run's checkpoint folder. So a changed recipe never loads
an old checkpoint, and changing the recipe back finds the old one again. Specs of an older format are compared after
upgrading them (see spec_format.py).
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from zfnet.core.errors import ZfnetError
from zfnet.core.file_lock import exclusive, holder
from zfnet.core.files import atomic, remove_unfinished, text_hash
from zfnet.core.parsing import parse_json, reading
from zfnet.training.spec_format import upgrade_history, upgrade_spec

FILE = "checkpoint.safetensors"
LOCK_POLL = 1.0  # seconds between two attempts to lock a run


class Stamp(NamedTuple):
    """Identity of the training that a checkpoint belongs to."""

    spec: dict[str, Any]  # as read from spec.json
    data: str  # hash of the training and validation images

    @property
    def name(self) -> str:
        """Name of the checkpoint's folder."""
        return text_hash(json.dumps(self, sort_keys=True))[:12]


@contextmanager
def lock_run(folder: Path, run: str) -> Iterator[None]:
    """Lock a run's checkpoint folder, so that no other process trains the same run.

    While another process holds the lock, wait for its end: it may have outlived a killed Snakemake, and what it has
    trained by then is this training's, too.
    """
    path = folder / "lock"
    waiting = False
    while True:
        with exclusive(path) as acquired:
            if acquired:
                for stamp_folder in folder.iterdir():
                    remove_unfinished(stamp_folder / FILE)
                yield
                return
        if not waiting:
            print(f"{run}: {holder(path)} is training it; waiting for its end, to go on from there.", flush=True)
            waiting = True
        time.sleep(LOCK_POLL)


def save(folder: Path, stamp: Stamp, tensors: dict[str, Tensor], progress: dict[str, Any]) -> None:
    """Write the checkpoint of `stamp` into `folder`, replacing the previous one."""
    header = {"stamp": json.dumps(stamp._asdict()), "progress": json.dumps(progress)}
    with atomic(folder / stamp.name / FILE) as temporary:
        save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, temporary, metadata=header)


def load(folder: Path, stamp: Stamp) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Return tensors (on the CPU) and progress of the checkpoint of `stamp`; None if there is none.

    Raises
    ------
    ZfnetError
        The file is damaged, or belongs to another spec or other data.
    """
    path = folder / stamp.name / FILE
    if not path.exists():
        return None
    saved_stamp, progress, tensors = _read(path)
    if changes := differences(saved_stamp, stamp._asdict()):
        raise ZfnetError(
            f"{path}: this checkpoint belongs to another training ({'; '.join(changes)}); "
            "remove it to train from the start."
        )
    return tensors, progress


def adopt_older_format(folder: Path, stamp: Stamp) -> None:
    """Rename the folder of a checkpoint whose stamp equals `stamp` once its spec is upgraded, so that `load` finds it.

    The caller holds the run's lock. Snapshots in the same folder move with it.
    """
    if (folder / stamp.name).exists():
        return
    for path in folder.glob(f"*/{FILE}"):
        try:
            saved_stamp, *_ = _read(path, tensors=False)
        except ZfnetError:  # unreadable: report_stale_checkpoints says so
            continue
        if saved_stamp == stamp._asdict():
            path.parent.rename(folder / stamp.name)
            return


def report_stale_checkpoints(folder: Path, stamp: Stamp, run: str) -> None:
    """Print how the run's newest checkpoint, which has another stamp, differs from this training."""
    paths = sorted(folder.glob(f"*/{FILE}"), key=lambda path: path.stat().st_mtime)
    if paths:
        print(
            f"{run}: training from the start{_why(paths[-1], stamp)}. The old checkpoint stays in {paths[-1].parent}."
        )


def _why(path: Path, stamp: Stamp) -> str:
    try:
        saved_stamp, *_ = _read(path, tensors=False)
    except ZfnetError:  # a damaged checkpoint of another training does no harm
        return "; the last checkpoint belongs to other settings or data, and cannot be read"
    return f", because this changed: {'; '.join(differences(saved_stamp, stamp._asdict()))}"


def differences(before: Any, after: Any, name: str = "") -> list[str]:
    """List what changed between two JSON values, as `recipe.epochs: 70 -> 60`."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return [] if before == after else [f"{name}: {before} -> {after}"]
    changes = []
    for key in sorted(before.keys() | after.keys()):
        changes += differences(before.get(key), after.get(key), f"{name}.{key}" if name else key)
    return changes


def _read(path: Path, tensors: bool = True) -> tuple[dict[str, Any], dict[str, Any], dict[str, Tensor]]:
    """Read stamp and progress, in the present format, and tensors of a checkpoint."""
    with (
        reading(path, "a readable checkpoint", "remove it to train from the start"),
        safe_open(str(path), framework="pt") as file,
    ):
        header = file.metadata() or {}
        if not {"stamp", "progress"} <= header.keys():
            raise SafetensorError("its header has no stamp")
        stamp, progress = (parse_json(header[key]) for key in ("stamp", "progress"))
        if not isinstance(stamp, dict) or not isinstance(progress, dict):
            raise SafetensorError("its stamp or progress is no JSON object")
        values = {name: file.get_tensor(name) for name in file.keys()} if tensors else {}  # noqa: SIM118
    if isinstance(stamp.get("spec"), dict):
        stamp["spec"] = upgrade_spec(stamp["spec"])
    if "history" in progress:
        progress["history"] = upgrade_history(progress["history"])
    return stamp, progress, values
