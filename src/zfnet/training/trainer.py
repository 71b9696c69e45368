"""Training one net from its spec: epochs, history, checkpoints (PAPER.md 4).

A training can be stopped after any step, by a signal, a time budget or a power cut, and the same call continues it;
on the CPU the result is the same to the last bit. Of every epoch the last, incomplete minibatch is dropped, unless
it is the only one. Reported training loss and error are those of the running epoch, each image seen once before the
update it takes part in.
"""

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zfnet.data.augment import epoch_order
from zfnet.data.loader import Batch, Shards
from zfnet.errors import Stopped
from zfnet.files import atomic, canonical_json, text_hash, write_json, write_text
from zfnet.nets import Network, build, device, save
from zfnet.settings import Step
from zfnet.training import annealing, checkpoint
from zfnet.training.initialise import initialise
from zfnet.training.interrupt import Interrupt
from zfnet.training.learner import Learner
from zfnet.training.record import final_metrics, history_row, json_line, log_line
from zfnet.training.runs import RunSpec
from zfnet.training.validation import validate
from zfnet.training.watch import check_finite, check_stuck

HISTORY = "history.jsonl"
LOOK = 50  # steps between two looks at the loss; each makes a GPU wait


def train(
    spec: RunSpec,
    train: Shards,
    train_indices: np.ndarray,
    val: Shards,
    val_indices: np.ndarray,
    folder: Path,
    checkpoints: Path,
    threads: int = 2,
    minutes: float = 10,
    budget_minutes: float | None = None,
    step: Step = "auto",
) -> dict[str, Any]:
    """Train the net of `spec`, or go on with it, or write the results of a finished training again.

    Parameters
    ----------
    train, train_indices : data set and int64 (N,) indices of the images to learn from.
    val, val_indices : images for the validation error; the indices may be empty.
    folder : runs/RUN; gets history.jsonl, snapshots/, weights.safetensors and metrics.json.
    checkpoints : folder of this run's checkpoints.
    threads : CPU threads for the net, and for decoding.
    minutes : between two checkpoints.
    budget_minutes : after which the training saves and stops; at least one step is done.
    step : how updates in bf16 are executed (see `zfnet.training.compiled`).

    Returns
    -------
    dict
        The content of metrics.json.

    Raises
    ------
    Stopped
        A signal came or the budget is used up; everything is saved.
    ZfnetError
        Another process trains this run, the loss is no number, or it stays at chance.
    """
    torch.set_num_threads(threads)
    with checkpoint.alone(Path(checkpoints), spec.run), Interrupt(budget_minutes) as stop:
        work = Training(spec, train, train_indices, val, val_indices, Path(folder), Path(checkpoints), threads, step)
        work.restore()
        while work.progress.epoch < spec.recipe.epochs:
            work.learn(stop, minutes)
            work.end_epoch()
        return work.finish()


@dataclass
class Progress:
    """How far a training is, as it goes through a checkpoint."""

    epoch: int = 0  # finished epochs
    step: int = 0  # updates done in the running epoch
    schedule: annealing.Schedule = field(default_factory=annealing.Schedule)
    sums: tuple[float, float] = (0.0, 0.0)  # loss and wrong answers of the running epoch, summed over images
    seconds: float = 0.0  # spent learning in the running epoch
    waiting: float = 0.0  # of these, waiting for data
    history: list[dict[str, Any]] = field(default_factory=list)
    stuck: bool = False
    metrics: dict[str, Any] | None = None  # of the finished training

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Progress":
        """Read what `asdict` gave."""
        return cls(**data | {"schedule": annealing.Schedule(**data["schedule"])})


class Training:
    """A training under way: the net, its optimiser and its progress."""

    def __init__(
        self,
        spec: RunSpec,
        train: Shards,
        train_indices: np.ndarray,
        val: Shards,
        val_indices: np.ndarray,
        folder: Path,
        checkpoints: Path,
        threads: int,
        step: Step,
    ) -> None:
        self.spec, self.recipe, self.threads = spec, spec.recipe, threads
        self.train, self.indices, self.val, self.val_indices = train, np.asarray(train_indices), val, val_indices
        self.folder, self.checkpoints = folder, checkpoints
        self.stamp = checkpoint.Stamp(json.loads(spec.text), _data_hash(train, train_indices, val, val_indices))
        self.batch = min(self.recipe.batch, len(self.indices))
        self.steps = len(self.indices) // self.batch  # per epoch
        self.progress = Progress()
        self.device = device()
        self.net = _fresh_net(spec, train).to(self.device)
        self.learner = Learner(self.net, self.recipe, self.rate, train.covariance, step=step)
        self.saved = time.monotonic()

    @property
    def rate(self) -> float:
        """Learning rate of the running epoch."""
        return annealing.rate(self.progress.schedule, self.recipe.annealing, self.recipe.rate)

    def restore(self) -> None:
        """Take up the checkpoint of this spec and data, if there is one, and cut the history back to it."""
        found = checkpoint.load(self.checkpoints, self.stamp)
        if found:
            self._take_up(*found)
        else:
            checkpoint.tell_others(self.checkpoints, self.stamp, self.spec.run)
        write_text(self.folder / HISTORY, "".join(map(json_line, self.progress.history)))

    def learn(self, stop: Interrupt, minutes: float) -> None:
        """Do the updates that the running epoch still lacks."""
        self.net.train()
        progress, last = self.progress, time.monotonic()
        for batch in self._batches():
            arrived = time.monotonic()
            self._step(batch)
            progress.waiting += arrived - last
            progress.seconds += time.monotonic() - last
            self._pause(stop, minutes)
            last = time.monotonic()

    def end_epoch(self) -> None:
        """Validate, note the epoch in the history, anneal, keep a snapshot."""
        row = self._note_epoch()
        stuck = check_stuck(row["loss"], self.net.classes, self.spec.run, row["epoch"], self.recipe)
        error = row["loss"] if row["val_top1"] is None else row["val_top1"]
        schedule = annealing.advance(
            self.progress.schedule, self.recipe.annealing, self.recipe.epochs, row["epoch"], error
        )
        history = [*self.progress.history, row]
        self.progress = Progress(epoch=row["epoch"], schedule=schedule, history=history, stuck=stuck)
        self.learner.clear()
        self.learner.set_rate(self.rate)
        if row["epoch"] in self.spec.snapshots:
            self._save_net(self._own_folder / _snapshot(row["epoch"]))

    def finish(self) -> dict[str, Any]:
        """Save the last checkpoint and write the results, metrics.json last."""
        if self.progress.metrics is None:
            self.progress.metrics = self._metrics()
            self._save()
        for epoch in self.spec.snapshots:
            _copy(self._own_folder / _snapshot(epoch), self.folder / "snapshots" / _snapshot(epoch))
        self._save_net(self.folder / "weights.safetensors")
        write_json(self.folder / "metrics.json", self.progress.metrics)
        return self.progress.metrics

    def _batches(self) -> Iterator[Batch]:
        """The epoch's remaining batches, in its own random order."""
        order = self.indices[epoch_order(len(self.indices), self.spec.seed, self.progress.epoch)]
        remaining = order[self.progress.step * self.batch : self.steps * self.batch]
        return iter(self.train.batches(remaining, self.batch, self.threads))

    def _step(self, batch: Batch) -> None:
        progress = self.progress
        place = (self.spec.seed, progress.epoch, progress.step)
        self.learner.learn(batch.images, batch.labels, place, progress.epoch / self.recipe.epochs)
        progress.step += 1
        if progress.step % LOOK == 0 or progress.step == self.steps:
            self._look()

    def _look(self) -> None:
        """Bring the sums from the device; a loss that is no number ends the training here."""
        loss, wrong = self.learner.sums.tolist()
        check_finite(loss, self.spec.run, self.progress.epoch + 1, self.progress.step, self.rate)
        self.progress.sums = loss, wrong

    def _pause(self, stop: Interrupt, minutes: float) -> None:
        """Save when it is time, and stop when asked to."""
        if stop.reason is None and time.monotonic() - self.saved < 60 * minutes:
            return
        self._look()
        self._save()
        if stop.reason:
            raise Stopped(
                f"{self.spec.run}: stopped in epoch {self.progress.epoch + 1} after step {self.progress.step} of "
                f"{self.steps}, because {stop.reason}. Everything is saved; the same command goes on from here."
            )

    def _save(self) -> None:
        checkpoint.save(self.checkpoints, self.stamp, self.learner.state(), asdict(self.progress))
        self.saved = time.monotonic()

    def _take_up(self, tensors: dict[str, torch.Tensor], progress: dict[str, Any]) -> None:
        self.progress = Progress.from_json(progress)
        self.learner.load_state(tensors, self.rate)
        self.learner.sums += self.learner.sums.new_tensor(self.progress.sums)
        place = f"epoch {self.progress.epoch + 1}, step {self.progress.step}"
        print(f"{self.spec.run}: goes on from its checkpoint ({place})", flush=True)

    def _note_epoch(self) -> dict[str, Any]:
        start, progress = time.monotonic(), self.progress
        errors = validate(self.net, self.val, self.val_indices, self.recipe, self.threads)
        times = progress.seconds, progress.waiting, time.monotonic() - start
        images = self.steps * self.batch
        row = history_row(progress.epoch + 1, images, progress.sums, errors, self.rate, times)
        with (self.folder / HISTORY).open("a", encoding="utf-8") as file:
            file.write(json_line(row))
        print(log_line(self.spec.run, row, self.recipe.epochs), flush=True)
        return row

    def _metrics(self) -> dict[str, Any]:
        return final_metrics(
            self.spec,
            self.net,
            self.progress.history,
            data=self.stamp.data,
            images=len(self.indices),
            threads=self.threads,
            stuck=self.progress.stuck,
            snapshots=[_snapshot(epoch) for epoch in self.spec.snapshots],
        )

    @property
    def _own_folder(self) -> Path:
        return self.checkpoints / self.stamp.name

    def _save_net(self, path: Path) -> None:
        save(
            self.net,
            path,
            run=self.spec.run,
            spec=self.spec.hash,
            epoch=self.progress.epoch,
            classes=self.train.classes,
        )


def _fresh_net(spec: RunSpec, train: Shards) -> Network:
    """The net before its first update: initial weights, and the mean image of the training set."""
    options = spec.net.model_dump(include={"width", "crop", "norm_alpha"}) | spec.net.changes.arguments
    net = build(spec.net.name, classes=len(train.classes), size=train.size, dropout=spec.recipe.dropout, **options)
    initialise(net, spec.recipe, spec.seed)
    net.mean.copy_(train.mean)
    return net.to(memory_format=torch.channels_last)


def _data_hash(train: Shards, train_indices: np.ndarray, val: Shards, val_indices: np.ndarray) -> str:
    """Hash of the images trained and validated on: contents of both sets, and which of them."""
    chosen = [np.asarray(indices, dtype=np.int64).tobytes().hex() for indices in (train_indices, val_indices)]
    return text_hash(canonical_json([train.manifest.hash, val.manifest.hash, *chosen]))


def _snapshot(epoch: int) -> str:
    return f"epoch-{epoch:02d}.safetensors"


def _copy(source: Path, target: Path) -> None:
    with atomic(target) as beside:
        shutil.copyfile(source, beside)
