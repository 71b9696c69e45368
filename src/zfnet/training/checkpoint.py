"""Checkpoints: all a training needs to go on exactly where it was, in one file written in one step.

The file is safetensors: the net's tensors under `net.`, the momentum buffers under `momentum.`, and in its header the
progress as JSON (epoch, step, schedule, sums, history), stamped with the run's spec and the hash of its data. Random
states need no room (see randomness.py). Each spec and data set has a folder of its own within the run's checkpoint
folder: a changed recipe never meets an old checkpoint, and going back to the old recipe finds its own again.
"""

import json
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

FILE = "checkpoint.safetensors"


class Stamp(NamedTuple):
    """What a checkpoint belongs to."""

    spec: dict[str, Any]  # as read from spec.json
    data: str  # hash of the images trained and validated on

    @property
    def name(self) -> str:
        """Name of the checkpoint's folder."""
        return text_hash(json.dumps(self, sort_keys=True))[:12]


@contextmanager
def alone(folder: Path, run: str) -> Iterator[None]:
    """Hold the lock of a run's checkpoint folder, so that no other process trains the same run.

    Raises
    ------
    ZfnetError
        Another process holds it.
    """
    path = folder / "lock"
    with exclusive(path) as free:
        if not free:
            raise ZfnetError(
                f"{run}: process {holder(path)} is training it now and holds {path}; "
                "wait until it ends, or end it: this command then goes on from its checkpoint."
            )
        for own in folder.iterdir():
            remove_unfinished(own / FILE)
        yield


def save(folder: Path, stamp: Stamp, tensors: dict[str, Tensor], progress: dict[str, Any]) -> None:
    """Write the checkpoint of `stamp` into `folder`, replacing the one before."""
    header = {"stamp": json.dumps(stamp._asdict()), "progress": json.dumps(progress)}
    with atomic(folder / stamp.name / FILE) as beside:
        save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, beside, metadata=header)


def load(folder: Path, stamp: Stamp) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Read the checkpoint of `stamp` (tensors on the CPU, progress); None if there is none.

    Raises
    ------
    ZfnetError
        The file is damaged, or was made for another spec or other data.
    """
    path = folder / stamp.name / FILE
    if not path.exists():
        return None
    before, progress, tensors = _read(path)
    if changes := differences(before, stamp._asdict()):
        raise ZfnetError(
            f"{path}: this checkpoint belongs to another training ({'; '.join(changes)}); "
            "remove it to train from the start."
        )
    return tensors, progress


def tell_others(folder: Path, stamp: Stamp, run: str) -> None:
    """Say how the newest checkpoint of the same run but another stamp differs from this training."""
    others = sorted(folder.glob(f"*/{FILE}"), key=lambda path: path.stat().st_mtime)
    if others:
        print(f"{run}: trained anew{_why(others[-1], stamp)}. The old checkpoint stays in {others[-1].parent}.")


def _why(other: Path, stamp: Stamp) -> str:
    try:
        before, *_ = _read(other, tensors=False)
    except ZfnetError:  # nothing to this training
        return "; the last checkpoint is of other settings or data, and cannot be read"
    return f", since this changed: {'; '.join(differences(before, stamp._asdict()))}"


def differences(before: Any, after: Any, name: str = "") -> list[str]:
    """List what changed between two JSON values, as `recipe.epochs: 70 -> 60`."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return [] if before == after else [f"{name}: {before} -> {after}"]
    found = []
    for key in sorted(before.keys() | after.keys()):
        found += differences(before.get(key), after.get(key), f"{name}.{key}" if name else key)
    return found


def _read(path: Path, tensors: bool = True) -> tuple[Any, Any, dict[str, Tensor]]:
    """Stamp, progress and tensors of a checkpoint."""
    try:
        with safe_open(str(path), framework="pt") as file:
            header = file.metadata() or {}
            if not {"stamp", "progress"} <= header.keys():
                raise SafetensorError("its header has no stamp")
            stamp, progress = json.loads(header["stamp"]), json.loads(header["progress"])
            return stamp, progress, {name: file.get_tensor(name) for name in file.keys()} if tensors else {}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise ZfnetError(f"{path}: not a readable checkpoint ({error}); remove it to train from the start.") from None
