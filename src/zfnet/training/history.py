"""Records of a training: a row of history and a log line per epoch, and the metrics at its end."""

import json
from statistics import median
from typing import Any

import torch

from zfnet.core.device import usable_precision
from zfnet.core.provenance import peak_memory_mb, provenance
from zfnet.nets import Network, parameters
from zfnet.training.experiments import RunSpec
from zfnet.training.filter_norm import conv_filters, filter_rms


def history_row(
    epoch: int,
    images: int,
    sums: tuple[float, float],
    errors: tuple[float, float] | tuple[None, None],
    learning_rate: float,
    times: tuple[float, float, float],
) -> dict[str, Any]:
    """Return the row of history.jsonl for one epoch.

    Parameters
    ----------
    epoch : counted from 1.
    images : number trained on in this epoch.
    sums : loss (nats) and errors, summed over these images, each before the step it takes part in.
    errors : top-1 and top-5 validation error in per cent, or None twice.
    times : seconds spent training, of these waiting for data, and seconds spent validating.
    """
    training, waiting, validating = times
    return {
        "epoch": epoch,
        "loss": sums[0] / images,
        "train_top1": 100 * sums[1] / images,
        "val_top1": errors[0],
        "val_top5": errors[1],
        "learning_rate": learning_rate,
        "images_per_second": images / training,
        "wait_fraction": waiting / training,
        "seconds": training + validating,
    }


def json_line(row: dict[str, Any]) -> str:
    """Return `row` as a line of a JSON-lines file."""
    return json.dumps(row) + "\n"


def log_line(run: str, row: dict[str, Any], epochs: int) -> str:
    """Return the log line of an epoch."""
    val = "" if row["val_top1"] is None else f", val {row['val_top1']:.1f} / {row['val_top5']:.1f} %"
    left = _duration((epochs - row["epoch"]) * row["seconds"])
    return (
        f"{run}: epoch {row['epoch']} of {epochs}: loss {row['loss']:.3f}, train error {row['train_top1']:.1f} %{val}, "
        f"learning rate {row['learning_rate']:.2g}, {row['images_per_second']:.0f} images/s, "
        f"{100 * row['wait_fraction']:.0f} % waiting for data, {left} left"
    )


def final_metrics(spec: RunSpec, net: Network, history: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """Return the content of metrics.json: errors in per cent, median speed of the epochs, memory in MB."""
    return {
        "run": spec.run,
        "spec": spec.hash,
        "seed": spec.seed,
        "parameters": parameters(net),
        "classes": net.classes,
        "epochs": len(history),
        **{key: history[-1][key] for key in ("loss", "train_top1", "val_top1", "val_top5")},
        **{key: median(row[key] for row in history) for key in ("images_per_second", "wait_fraction")},
        "seconds": sum(row["seconds"] for row in history),
        "largest_filter_rms": max(filter_rms(weight).max().item() for weight in conv_filters(net)),
        **_memory(net.mean.device),
        "device": _name(net.mean.device),
        "precision": usable_precision(net.mean.device, spec.recipe.precision),
        **more,
        "provenance": provenance(),
    }


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _memory(device: torch.device) -> dict[str, float]:
    """Return the peak memory of the process and of the GPU."""
    peak = {"peak_memory_mb": peak_memory_mb()}
    if device.type == "cuda":
        peak["peak_gpu_memory_mb"] = torch.cuda.max_memory_allocated(device) / 2**20
    return peak


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
