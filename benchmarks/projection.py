"""Projections of single units back to pixels: ours, all units of a batch in one go, against captum's, one at a time."""

import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from benchmarks.harness import Bench, Row
from zfnet.nets import Network, build
from zfnet.visualize.backward import forward_trace, select_unit
from zfnet.visualize.windowed_backward import WindowedBackward

LAYER = "conv5"
IMAGES, UNITS = 9, 256
SAMPLE = 72  # projections that captum computes
CASE = "deconvnet, {units} units of layer 5 in {images} images"


def results(bench: Bench) -> Iterator[Row | str]:
    """Yield one row, and how many projections captum computed."""
    quick = {"width": 1 / 8, "crop": 64, "images": 2, "units": 8}
    full = {"width": 1.0, "crop": 224, "images": IMAGES, "units": UNITS}
    size: dict[str, Any] = quick if bench.quick else full
    row = bench.compare(CASE.format(**size), "projections/s", "projection:ours", "projection:captum", "captum", **size)
    assert row.peer is not None  # compare() measures both
    yield row
    computed, total = min(SAMPLE, size["units"]), size["images"] * size["units"]
    yield (
        f"captum's NeuronDeconvolution computed {computed} of the {total} projections at {row.peer:.2f} per second; "
        f"all of them would take it {total / row.peer:,.0f} s (an estimate from that rate)."
    )


def ours(width: float, crop: int, images: int, units: int) -> float:
    """Return projections per second: every unit in every image, at its maximum, with the forward pass."""
    net, pixels = _net(width, crop, images)
    _project(net, pixels, range(1))
    start = time.perf_counter()
    _project(net, pixels, range(units))
    return images * units / (time.perf_counter() - start)


def captum(width: float, crop: int, images: int, units: int) -> float:
    """Return projections per second, one unit of one image after the other, at the same positions."""
    from captum.attr import NeuronDeconvolution

    net, pixels = _net(width, crop, images)
    output = forward_trace(net, pixels, LAYER)[-1].output
    peer = NeuronDeconvolution(net, net.operations[net.layers[LAYER]].module)
    count = min(SAMPLE, units)
    pairs = [(i % images, i * units // count) for i in range(count)]  # image, unit
    targets = [(image, unit, *divmod(int(output[image, unit].argmax()), output.shape[3])) for image, unit in pairs]
    peer.attribute(pixels[:1].requires_grad_(), targets[0][1:])
    start = time.perf_counter()
    for image, *unit_and_position in targets:
        peer.attribute(pixels[image : image + 1], tuple(unit_and_position))
    return len(targets) / (time.perf_counter() - start)


def _project(net: Network, images: Tensor, units: range) -> None:
    records = forward_trace(net, images, LAYER)
    back = WindowedBackward(records)
    for unit in units:
        back.backproject(select_unit(records[-1].output, unit)[1])


def _net(width: float, crop: int, images: int) -> tuple[Network, Tensor]:
    """Return a net with random weights, and noise as images; the time of a projection depends on neither."""
    torch.manual_seed(0)
    net = build("zf", width=width, crop=crop).eval().requires_grad_(False)
    return net, 50 * torch.randn(images, 3, crop, crop)
