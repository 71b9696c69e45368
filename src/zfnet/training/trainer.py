"""Training of one net from its spec: epochs, history, checkpoints (ZF sect. 3).

A training can be stopped after any step, by a signal, a time budget or a power cut, and the same call resumes it; on
the CPU the result is bit-identical. The last, incomplete minibatch of every epoch is dropped, unless it is the only
one. The reported training loss and error are running ones: each image counts as it was before the step it takes part
in. Several processes may share a training (see distributed.py).
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch

from zfnet.core import gpu_cards
from zfnet.core.device import device
from zfnet.core.errors import Stopped
from zfnet.data.augment import epoch_order
from zfnet.data.loader import Batch, Shards
from zfnet.nets import Network, build, gpu_kernels
from zfnet.nets.contrast_norm import NAME as CONTRAST_NORM
from zfnet.training import checkpoint, lr_schedule
from zfnet.training.device_record import checked
from zfnet.training.distributed import Rank, process_group
from zfnet.training.experiments import RunSpec
from zfnet.training.gpu_memory import require_room
from zfnet.training.health import check_finite, check_stuck, warn_if_at_chance
from zfnet.training.history import final_metrics, history_row, log_line
from zfnet.training.init_weights import initialise
from zfnet.training.interrupt import Interrupt
from zfnet.training.learner import Learner
from zfnet.training.progress import Progress, TrainingData
from zfnet.training.run_files import RunFiles, snapshot_name
from zfnet.training.run_options import RunOptions
from zfnet.training.validation import validate

CHECK_EVERY = 50  # steps between two reads of the loss; each read makes the CPU wait for the GPU


def train(
    spec: RunSpec,
    train: Shards,
    train_indices: np.ndarray,
    val: Shards,
    val_indices: np.ndarray,
    folder: Path,
    options: RunOptions,
) -> dict[str, Any]:
    """Train the net of `spec`, or resume its training, or write the results of a finished training again.

    Parameters
    ----------
    train, train_indices : data set and int64 (N,) indices of the images to train on.
    val, val_indices : images for the validation error; the indices may be empty.
    folder : runs/RUN; gets history.jsonl, snapshots/, weights.safetensors and metrics.json.
    options : checkpoints, threads, time limits and how steps are executed.

    Returns
    -------
    dict
        The content of metrics.json.

    Raises
    ------
    Stopped
        A signal was received or the time budget is used up; everything is saved.
    ZfnetError
        Another process trains this run; the loss is not finite, or stays at chance; the processes cannot split a
        minibatch evenly; the GPU has too little memory; a snapshot is missing; or tensorboard is not installed.
    """
    data = TrainingData(train, np.asarray(train_indices), val, np.asarray(val_indices))
    options = replace(options, checkpoints=Path(options.checkpoints))
    with process_group() as rank, _run_lock(spec, options, rank), Interrupt(options.budget_minutes) as stop:
        options = replace(options, threads=max(1, options.threads // rank.world_size))
        torch.set_num_threads(options.threads)
        options = checked(options, device())
        return Trainer(spec, data, Path(folder), options, rank, stop).run()


class Trainer:
    """A training in progress: its learner, progress and files, as one of its processes sees them."""

    def __init__(
        self, spec: RunSpec, data: TrainingData, folder: Path, options: RunOptions, rank: Rank, stop: Interrupt
    ) -> None:
        self.spec, self.recipe, self.data, self.options = spec, spec.recipe, data, options
        self.rank, self.stop = rank, stop
        self.stamp = checkpoint.Stamp(json.loads(spec.text), data.hash)
        snapshot_dir = options.checkpoints / self.stamp.name
        self.files = RunFiles(spec, folder, snapshot_dir, data.train.classes, options.events) if rank.is_main else None
        self.batch_size = min(self.recipe.batch_size, len(data.train_indices))
        self.local_batch_size = rank.local_batch_size(self.batch_size)
        self.steps = len(data.train_indices) // self.batch_size  # per epoch
        self.progress = Progress()
        self.net = _initial_net(spec, data.train).to(device())
        require_room(self.net, self.recipe, self.local_batch_size, options.share, self.net.mean.device)
        self.learner = Learner(
            self.net,
            self.recipe,
            self.learning_rate,
            data.train.covariance,
            rank,
            rank.wrap_ddp(self.net),
            options.compile,
        )
        self.did_step = False  # whether this process has done a step
        self.saved_at, self.cpu_seconds_at_start = time.monotonic(), _cpu_seconds()

    @property
    def learning_rate(self) -> float:
        """Learning rate of the running epoch."""
        return lr_schedule.learning_rate(self.progress.schedule, self.recipe.lr_schedule, self.recipe.learning_rate)

    def run(self) -> dict[str, Any]:
        """Train to the end and return the content of metrics.json."""
        self._restore()
        while self.progress.epoch < self.recipe.epochs:
            self._train_epoch()
            self._end_epoch()
        return self._finish()

    def _restore(self) -> None:
        """Load the checkpoint of this spec and data, if there is one, and cut the history back to it."""
        checkpoints = self.options.checkpoints
        if self.rank.is_main:
            checkpoint.adopt_older_format(checkpoints, self.stamp)
        self.rank.barrier()  # no process looks for the checkpoint before its folder has its final name
        saved = checkpoint.load(checkpoints, self.stamp)
        if saved:
            self._resume(*saved)
        else:
            checkpoint.report_stale_checkpoints(checkpoints, self.stamp, self.spec.run)
        if self.files:
            self.files.begin(self.progress.history)
        self.rank.barrier()  # no process writes before all have read

    def _resume(self, tensors: dict[str, torch.Tensor], progress: dict[str, Any]) -> None:
        saved = Progress.from_json(progress)
        if saved.metrics is None:
            self.progress = replace(saved, resumptions=saved.resumptions + 1)
        else:  # the hash differs if the spec was upgraded from an older format
            self.progress = replace(saved, metrics=saved.metrics | {"spec": self.spec.hash})
        self.learner.load_state(tensors, self.learning_rate)
        if self.rank.is_main:  # saved sums are those of all processes together
            self.learner.sums += self.learner.sums.new_tensor(saved.sums)
        print(f"{self.spec.run}: resuming from its checkpoint (epoch {saved.epoch + 1}, step {saved.step})", flush=True)

    def _train_epoch(self) -> None:
        """Do the remaining steps of the running epoch."""
        self.net.train()
        previous = time.monotonic()
        for batch in self._batches():
            arrived = time.monotonic()
            self._train_step(batch)
            self._add_times(arrived - previous, time.monotonic() - previous)
            self._save_or_stop()
            previous = time.monotonic()

    def _batches(self) -> Iterator[Batch]:
        """Return this process's rows of the epoch's remaining minibatches, in the epoch's random order."""
        indices, progress = self.data.train_indices, self.progress
        order = indices[epoch_order(len(indices), self.spec.seed, progress.epoch)]  # (N,)
        remaining = order[progress.step * self.batch_size : self.steps * self.batch_size]
        rows = self.rank.local_rows(remaining, self.batch_size)
        return iter(self.data.train.batches(rows, self.local_batch_size, self.options.threads))

    def _train_step(self, batch: Batch) -> None:
        epoch, step = self.progress.epoch, self.progress.step
        self.learner.train_step(batch.images, batch.labels, (self.spec.seed, epoch, step), epoch / self.recipe.epochs)
        self.did_step = True
        self.progress = replace(self.progress, step=step + 1)
        if (step + 1) % CHECK_EVERY == 0 or step + 1 == self.steps:
            self._read_sums()
            done, loss = epoch * self.steps + step + 1, self.progress.sums[0] / ((step + 1) * self.batch_size)
            warn_if_at_chance(loss, self.net.classes, self.spec.run, done, done - 1 - step % CHECK_EVERY)

    def _add_times(self, waiting: float, seconds: float) -> None:
        before = self.progress
        self.progress = replace(before, waiting=before.waiting + waiting, seconds=before.seconds + seconds)

    def _read_sums(self) -> None:
        """Copy the sums from the devices; raise if the loss is not finite."""
        loss, errors = self.rank.all_reduce_sum(self.learner.sums).tolist()
        check_finite(loss, self.spec.run, self.progress.epoch + 1, self.progress.step, self.learning_rate)
        self.progress = replace(self.progress, sums=(loss, errors))

    def _save_or_stop(self) -> None:
        """Save if a checkpoint is due, and stop if there is a reason."""
        save_due = time.monotonic() - self.saved_at >= 60 * self.options.checkpoint_minutes
        reason, save_due = self.rank.any_rank(self.stop.reason, save_due)
        if reason or save_due:
            self._read_sums()
            self._save()
        if reason:
            self._raise_stopped(reason)

    def _stop_validation(self) -> None:
        """Stop within a validation, which is then repeated after resuming.

        A used-up budget counts only once this process has done a step, so that every job makes progress.
        """
        reason, _ = self.rank.any_rank(self.stop.reason if self.did_step else self.stop.signal_reason)
        if reason:
            self._save()
            self._raise_stopped(reason)

    def _raise_stopped(self, reason: str) -> NoReturn:
        raise Stopped(
            f"{self.spec.run}: stopped in epoch {self.progress.epoch + 1} after step {self.progress.step} of "
            f"{self.steps}, because {reason}. Everything is saved; run the same command to resume."
        )

    def _save(self) -> None:
        if self.rank.is_main:
            progress = replace(self.progress, cpu_seconds=self._total_cpu_seconds)
            checkpoint.save(self.options.checkpoints, self.stamp, self.learner.state(), asdict(progress))
        self.saved_at = time.monotonic()

    @property
    def _total_cpu_seconds(self) -> float:
        return self.progress.cpu_seconds + _cpu_seconds() - self.cpu_seconds_at_start

    def _end_epoch(self) -> None:
        """Validate, record the epoch, advance the learning rate schedule, save a snapshot."""
        row = self._record_epoch()
        stuck = check_stuck(row["loss"], self.net.classes, self.spec.run, row["epoch"], self.recipe)
        error = row["loss"] if row["val_top1"] is None else row["val_top1"]
        schedule = lr_schedule.advance(
            self.progress.schedule, self.recipe.lr_schedule, self.recipe.epochs, row["epoch"], error
        )
        self.progress = Progress(
            row["epoch"],
            schedule=schedule,
            history=[*self.progress.history, row],
            stuck=stuck,
            resumptions=self.progress.resumptions,
            cpu_seconds=self.progress.cpu_seconds,
        )
        self.learner.reset_sums()
        self.learner.set_lr(self.learning_rate)
        if self.files and row["epoch"] in self.spec.snapshots:
            self.files.save_snapshot(self.net, row["epoch"])

    def _record_epoch(self) -> dict[str, Any]:
        start, progress = time.monotonic(), self.progress
        errors = self._validate()
        times = progress.seconds, progress.waiting, time.monotonic() - start
        images = self.steps * self.batch_size
        row = history_row(progress.epoch + 1, images, progress.sums, errors, self.learning_rate, times)
        if self.files:
            self.files.add_row(row)
        print(log_line(self.spec.run, row, self.recipe.epochs), flush=True)
        return row

    def _validate(self) -> tuple[float, float] | tuple[None, None]:
        data = self.data
        return validate(
            self.net, data.val, data.val_indices, self.recipe, self.options.threads, self.rank, self._stop_validation
        )

    def _finish(self) -> dict[str, Any]:
        """Save the last checkpoint and write the results, metrics.json last."""
        metrics = self.progress.metrics
        if metrics is None:
            metrics = self._metrics()
            self.progress = replace(self.progress, metrics=metrics)
            self._save()
        if self.files:
            self.files.publish(self.net, metrics)
        return metrics

    def _metrics(self) -> dict[str, Any]:
        return final_metrics(
            self.spec,
            self.net,
            self.progress.history,
            data=self.stamp.data,
            images=len(self.data.train_indices),
            threads=self.options.threads,
            step=self.learner.execution,
            norm="triton" if gpu_kernels.used(CONTRAST_NORM) else "torch",
            driver=gpu_cards.driver() if self.net.mean.device.type == "cuda" else None,
            processes=self.rank.world_size,
            resumptions=self.progress.resumptions,
            cpu_seconds=self._total_cpu_seconds,
            stuck=self.progress.stuck,
            snapshots=[snapshot_name(epoch) for epoch in self.spec.snapshots],
        )


def _run_lock(spec: RunSpec, options: RunOptions, rank: Rank) -> AbstractContextManager[None]:
    """Return the lock on the run, which the main process holds for all."""
    return checkpoint.lock_run(options.checkpoints, spec.run) if rank.is_main else nullcontext()


def _cpu_seconds() -> float:
    """Return the CPU time of this process so far."""
    times = os.times()
    return times.user + times.system


def _initial_net(spec: RunSpec, train: Shards) -> Network:
    """Return the net before its first step: initial weights, and the mean image of the training set."""
    options = spec.net.model_dump(include={"width", "crop", "norm_alpha"}) | spec.net.changes.arguments
    net = build(spec.net.name, classes=len(train.classes), size=train.size, dropout=spec.recipe.dropout, **options)
    initialise(net, spec.recipe, spec.seed)
    net.mean.copy_(train.mean)
    return net.to(memory_format=torch.channels_last)
