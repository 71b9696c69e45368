"""The state of a training between two steps, and the data it uses."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from zfnet.core.files import canonical_json, text_hash
from zfnet.data.loader import Shards
from zfnet.training.lr_schedule import Schedule


class TrainingData(NamedTuple):
    """Images to train on and images to validate on."""

    train: Shards
    train_indices: np.ndarray  # int64 (N,)
    val: Shards
    val_indices: np.ndarray  # int64 (M,), may be empty

    @property
    def hash(self) -> str:
        """Hash of the contents of both sets, and of which of their images are used."""
        used = [np.asarray(i, dtype=np.int64).tobytes().hex() for i in (self.train_indices, self.val_indices)]
        return text_hash(canonical_json([self.train.manifest.hash, self.val.manifest.hash, *used]))


@dataclass(frozen=True)
class Progress:
    """How far a training is, as stored in a checkpoint."""

    epoch: int = 0  # finished epochs
    step: int = 0  # steps done in the running epoch
    schedule: Schedule = field(default_factory=Schedule)
    sums: tuple[float, float] = (0.0, 0.0)  # loss and errors of the running epoch, summed over images
    seconds: float = 0.0  # spent training in the running epoch
    waiting: float = 0.0  # of these, waiting for data
    history: list[dict[str, Any]] = field(default_factory=list)
    stuck: bool = False
    resumptions: int = 0
    cpu_seconds: float = 0.0  # over all main processes that worked on it in turn
    metrics: dict[str, Any] | None = None  # of the finished training

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Progress":
        """Read what `asdict` returned."""
        return cls(**data | {"schedule": Schedule(**data["schedule"])})
