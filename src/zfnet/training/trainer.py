"""Training one net from its spec: epochs, history, checkpoints (ZF sect. 3).

A training can be stopped after any step, by a signal, a time budget or a power cut, and the same call continues it;
on the CPU the result is the same to the last bit. Of every epoch the last, incomplete minibatch is dropped, unless
it is the only one. Reported training loss and error are those of the running epoch, each image seen once before the
update it takes part in. Several processes may share a training (see ranks.py).
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
import torch

from zfnet.core.device import device
from zfnet.core.errors import Stopped
from zfnet.core.files import canonical_json, text_hash
from zfnet.data.augment import epoch_order
from zfnet.data.loader import Batch, Shards
from zfnet.nets import Network, build
from zfnet.settings import Compile
from zfnet.training import checkpoint, lr_schedule
from zfnet.training.distributed import Ranks, joined
from zfnet.training.experiments import RunSpec
from zfnet.training.health import check_finite, check_stuck, tell_early
from zfnet.training.history import final_metrics, history_row, log_line
from zfnet.training.init_weights import initialise
from zfnet.training.interrupt import Interrupt
from zfnet.training.run_files import Output, snapshot_name
from zfnet.training.train_step import Learner
from zfnet.training.validation import validate

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
    step: Compile = "auto",
    events: bool = False,
) -> dict[str, Any]:
    """Train the net of `spec`, or go on with it, or write the results of a finished training again.

    Parameters
    ----------
    train, train_indices : data set and int64 (N,) indices of the images to learn from.
    val, val_indices : images for the validation error; the indices may be empty.
    folder : runs/RUN; gets history.jsonl, snapshots/, weights.safetensors and metrics.json.
    checkpoints : folder of this run's checkpoints.
    threads : CPU threads for the net, and for decoding, of all processes that share the training.
    minutes : between two checkpoints.
    budget_minutes : after which the training saves and stops; at least one step is done.
    step : how updates in bf16 are executed (see `zfnet.training.compiled`).
    events : whether to write event files for TensorBoard, folder/events.

    Returns
    -------
    dict
        The content of metrics.json.

    Raises
    ------
    Stopped
        A signal came or the budget is used up; everything is saved.
    ZfnetError
        Another process trains this run, the loss is no number, or it stays at chance; the processes that share the
        training cannot share a minibatch; a snapshot is gone, or tensorboard is not installed.
    """
    pictures = Pictures(train, np.asarray(train_indices), val, np.asarray(val_indices))
    checkpoints = Path(checkpoints)
    with joined() as ranks, _lock(checkpoints, spec, ranks), Interrupt(budget_minutes) as stop:
        own_threads = max(1, threads // ranks.part.ranks)
        torch.set_num_threads(own_threads)
        work = Training(spec, pictures, Path(folder), checkpoints, ranks, own_threads, step, events)
        return work.run(stop, minutes)


class Pictures(NamedTuple):
    """What a net learns from, and what it is validated on."""

    train: Shards
    train_indices: np.ndarray
    val: Shards
    val_indices: np.ndarray

    @property
    def hash(self) -> str:
        """Hash of the contents of both sets, and of which of their images are used."""
        used = [np.asarray(one, dtype=np.int64).tobytes().hex() for one in (self.train_indices, self.val_indices)]
        return text_hash(canonical_json([self.train.manifest.hash, self.val.manifest.hash, *used]))


@dataclass(frozen=True)
class Progress:
    """How far a training is, as it goes through a checkpoint."""

    epoch: int = 0  # finished epochs
    step: int = 0  # updates done in the running epoch
    schedule: lr_schedule.Schedule = field(default_factory=lr_schedule.Schedule)
    sums: tuple[float, float] = (0.0, 0.0)  # loss and wrong answers of the running epoch, summed over images
    seconds: float = 0.0  # spent learning in the running epoch
    waiting: float = 0.0  # of these, waiting for data
    history: list[dict[str, Any]] = field(default_factory=list)
    stuck: bool = False
    resumptions: int = 0
    cpu_seconds: float = 0.0  # of all processes that were at it one after the other
    metrics: dict[str, Any] | None = None  # of the finished training

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Progress":
        """Read what `asdict` gave."""
        return cls(**data | {"schedule": lr_schedule.Schedule(**data["schedule"])})


class Training:
    """A training under way: the net, its optimiser and its progress."""

    def __init__(
        self,
        spec: RunSpec,
        pictures: Pictures,
        folder: Path,
        checkpoints: Path,
        ranks: Ranks,
        threads: int,
        step: Compile,
        events: bool,
    ) -> None:
        self.spec, self.recipe, self.pictures, self.ranks, self.threads = spec, spec.recipe, pictures, ranks, threads
        self.checkpoints = checkpoints
        self.stamp = checkpoint.Stamp(json.loads(spec.text), pictures.hash)
        classes = pictures.train.classes
        self.output = Output(spec, folder, checkpoints / self.stamp.name, classes, events) if ranks.first else None
        self.batch = min(self.recipe.batch_size, len(pictures.train_indices))
        self.share = ranks.share(self.batch)
        self.steps = len(pictures.train_indices) // self.batch  # per epoch
        self.progress = Progress()
        self.net = _fresh_net(spec, pictures.train).to(device())
        module = ranks.averaging(self.net)
        self.learner = Learner(self.net, self.recipe, self.rate, pictures.train.covariance, ranks.part, module, step)
        self.learned = False  # whether this process has done an update
        self.saved, self.cpu_before = time.monotonic(), _cpu_seconds()

    @property
    def rate(self) -> float:
        """Learning rate of the running epoch."""
        return lr_schedule.rate(self.progress.schedule, self.recipe.lr_schedule, self.recipe.learning_rate)

    def run(self, stop: Interrupt, minutes: float) -> dict[str, Any]:
        """Go on until the end, with a checkpoint every so many minutes; give the content of metrics.json."""
        self._restore()
        while self.progress.epoch < self.recipe.epochs:
            self._learn(stop, minutes)
            self._end_epoch(stop)
        return self._finish()

    def _restore(self) -> None:
        """Take up the checkpoint of this spec and data, if there is one, and cut the history back to it."""
        found = checkpoint.load(self.checkpoints, self.stamp)
        if found:
            self._take_up(*found)
        else:
            checkpoint.tell_others(self.checkpoints, self.stamp, self.spec.run)
        if self.output:
            self.output.begin(self.progress.history)
        self.ranks.meet()  # all have read before the first one writes

    def _take_up(self, tensors: dict[str, torch.Tensor], progress: dict[str, Any]) -> None:
        known = Progress.from_json(progress)
        self.progress = replace(known, resumptions=known.resumptions + (known.metrics is None))
        self.learner.load_state(tensors, self.rate)
        if self.ranks.first:
            self.learner.sums += self.learner.sums.new_tensor(known.sums)
        print(f"{self.spec.run}: goes on from its checkpoint (epoch {known.epoch + 1}, step {known.step})", flush=True)

    def _learn(self, stop: Interrupt, minutes: float) -> None:
        """Do the updates that the running epoch still lacks."""
        self.net.train()
        last = time.monotonic()
        for batch in self._batches():
            arrived = time.monotonic()
            self._step(batch)
            self._count(arrived - last, time.monotonic() - last)
            self._pause(stop, minutes)
            last = time.monotonic()

    def _batches(self) -> Iterator[Batch]:
        """This process's rows of the epoch's remaining minibatches, in the epoch's random order."""
        indices, progress = self.pictures.train_indices, self.progress
        order = indices[epoch_order(len(indices), self.spec.seed, progress.epoch)]
        remaining = self.ranks.rows(order[progress.step * self.batch : self.steps * self.batch], self.batch)
        return iter(self.pictures.train.batches(remaining, self.share, self.threads))

    def _step(self, batch: Batch) -> None:
        epoch, step = self.progress.epoch, self.progress.step
        self.learner.learn(batch.images, batch.labels, (self.spec.seed, epoch, step), epoch / self.recipe.epochs)
        self.learned = True
        self.progress = replace(self.progress, step=step + 1)
        if (step + 1) % LOOK == 0 or step + 1 == self.steps:
            self._look()
            done, loss = epoch * self.steps + step + 1, self.progress.sums[0] / ((step + 1) * self.batch)
            tell_early(loss, self.net.classes, self.spec.run, done, done - 1 - step % LOOK)

    def _count(self, waiting: float, seconds: float) -> None:
        before = self.progress
        self.progress = replace(before, waiting=before.waiting + waiting, seconds=before.seconds + seconds)

    def _look(self) -> None:
        """Bring the sums from the devices; a loss that is no number ends the training here."""
        loss, wrong = self.ranks.total(self.learner.sums).tolist()
        check_finite(loss, self.spec.run, self.progress.epoch + 1, self.progress.step, self.rate)
        self.progress = replace(self.progress, sums=(loss, wrong))

    def _pause(self, stop: Interrupt, minutes: float) -> None:
        """Save when it is time, and stop when asked to."""
        reason, due = self.ranks.agree(stop.reason, time.monotonic() - self.saved >= 60 * minutes)
        if reason or due:
            self._look()
            self._save()
        if reason:
            self._stop(reason)

    def _pause_validation(self, stop: Interrupt) -> None:
        """Stop within a validation, which is then repeated; a used-up budget lets a process do one update first."""
        reason, _ = self.ranks.agree(stop.reason if self.learned else stop.called)
        if reason:
            self._save()
            self._stop(reason)

    def _stop(self, reason: str) -> NoReturn:
        raise Stopped(
            f"{self.spec.run}: stopped in epoch {self.progress.epoch + 1} after step {self.progress.step} of "
            f"{self.steps}, because {reason}. Everything is saved; the same command goes on from here."
        )

    def _save(self) -> None:
        if self.ranks.first:
            progress = replace(self.progress, cpu_seconds=self._cpu_seconds)
            checkpoint.save(self.checkpoints, self.stamp, self.learner.state(), asdict(progress))
        self.saved = time.monotonic()

    @property
    def _cpu_seconds(self) -> float:
        return self.progress.cpu_seconds + _cpu_seconds() - self.cpu_before

    def _end_epoch(self, stop: Interrupt) -> None:
        """Validate, note the epoch in the history, anneal, keep a snapshot."""
        row = self._note_epoch(stop)
        stuck = check_stuck(row["loss"], self.net.classes, self.spec.run, row["epoch"], self.recipe)
        error = row["loss"] if row["val_top1"] is None else row["val_top1"]
        schedule = lr_schedule.advance(
            self.progress.schedule, self.recipe.lr_schedule, self.recipe.epochs, row["epoch"], error
        )
        begun = Progress(row["epoch"], schedule=schedule, history=[*self.progress.history, row], stuck=stuck)
        kept = {"resumptions": self.progress.resumptions, "cpu_seconds": self.progress.cpu_seconds}
        self.progress = replace(begun, **kept)
        self.learner.clear()
        self.learner.set_rate(self.rate)
        if self.output and row["epoch"] in self.spec.snapshots:
            self.output.keep(self.net, row["epoch"])

    def _note_epoch(self, stop: Interrupt) -> dict[str, Any]:
        start, progress, pictures = time.monotonic(), self.progress, self.pictures
        pause = partial(self._pause_validation, stop)
        errors = validate(self.net, pictures.val, pictures.val_indices, self.recipe, self.threads, self.ranks, pause)
        times = progress.seconds, progress.waiting, time.monotonic() - start
        row = history_row(progress.epoch + 1, self.steps * self.batch, progress.sums, errors, self.rate, times)
        if self.output:
            self.output.add(row)
        print(log_line(self.spec.run, row, self.recipe.epochs), flush=True)
        return row

    def _finish(self) -> dict[str, Any]:
        """Save the last checkpoint and write the results, metrics.json last."""
        if self.progress.metrics is None:
            self.progress = replace(self.progress, metrics=self._metrics())
            self._save()
        if self.output:
            self.output.publish(self.net, self.progress.metrics)
        return self.progress.metrics

    def _metrics(self) -> dict[str, Any]:
        return final_metrics(
            self.spec,
            self.net,
            self.progress.history,
            data=self.stamp.data,
            images=len(self.pictures.train_indices),
            threads=self.threads,
            processes=self.ranks.part.ranks,
            resumptions=self.progress.resumptions,
            cpu_seconds=self._cpu_seconds,
            stuck=self.progress.stuck,
            snapshots=[snapshot_name(epoch) for epoch in self.spec.snapshots],
        )


def _lock(checkpoints: Path, spec: RunSpec, ranks: Ranks) -> AbstractContextManager[None]:
    """The lock on the run, which the first of its processes holds for all."""
    return checkpoint.alone(checkpoints, spec.run) if ranks.first else nullcontext()


def _cpu_seconds() -> float:
    """CPU time of this process so far."""
    times = os.times()
    return times.user + times.system


def _fresh_net(spec: RunSpec, train: Shards) -> Network:
    """The net before its first update: initial weights, and the mean image of the training set."""
    options = spec.net.model_dump(include={"width", "crop", "norm_alpha"}) | spec.net.changes.arguments
    net = build(spec.net.name, classes=len(train.classes), size=train.size, dropout=spec.recipe.dropout, **options)
    initialise(net, spec.recipe, spec.seed)
    net.mean.copy_(train.mean)
    return net.to(memory_format=torch.channels_last)
