"""Projections of single units back to pixels: ours, many at once, beside captum's, unit by unit."""

import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from benchmarks.harness import Bench, Row
from zfnet.nets import Network, build
from zfnet.visualize.backward import record, single_out
from zfnet.visualize.windowed_backward import WayBack

LAYER = "conv5"
PICTURES, UNITS = 9, 256
SAMPLE = 72  # units that captum is asked for
CASE = "deconvnet, {units} units of layer 5 in {pictures} pictures"


def results(bench: Bench) -> Iterator[Row | str]:
    """One row, and what captum was asked for."""
    quick = {"width": 1 / 8, "crop": 64, "pictures": 2, "units": 8}
    full = {"width": 1.0, "crop": 224, "pictures": PICTURES, "units": UNITS}
    size: dict[str, Any] = quick if bench.quick else full
    row = bench.compare(CASE.format(**size), "projections/s", "projection:ours", "projection:captum", "captum", **size)
    assert row.peer is not None  # compare() measures both
    yield row
    asked, wanted = min(SAMPLE, size["units"]), size["pictures"] * size["units"]
    yield (
        f"captum's NeuronDeconvolution was asked for {asked} of the {wanted} projections and made {row.peer:.2f} a "
        f"second; all of them would take it {wanted / row.peer:,.0f} s (an estimate from that rate)."
    )


def ours(width: float, crop: int, pictures: int, units: int) -> float:
    """Projections a second: every unit in every picture, at its maximum; the forward pass counts."""
    net, images = _net(width, crop, pictures)
    _project(net, images, range(1))
    start = time.perf_counter()
    _project(net, images, range(units))
    return pictures * units / (time.perf_counter() - start)


def captum(width: float, crop: int, pictures: int, units: int) -> float:
    """Projections a second, one unit of one picture after the other, at the same places."""
    from captum.attr import NeuronDeconvolution

    net, images = _net(width, crop, pictures)
    output = record(net, images, LAYER)[-1].output
    peer = NeuronDeconvolution(net, net.operations[net.layers[LAYER]].module)
    asked = [(place % pictures, place * units // min(SAMPLE, units)) for place in range(min(SAMPLE, units))]
    places = [(image, unit, *divmod(int(output[image, unit].argmax()), output.shape[3])) for image, unit in asked]
    peer.attribute(images[:1].requires_grad_(), places[0][1:])
    start = time.perf_counter()
    for image, *unit in places:
        peer.attribute(images[image : image + 1], tuple(unit))
    return len(places) / (time.perf_counter() - start)


def _project(net: Network, images: Tensor, units: range) -> None:
    steps = record(net, images, LAYER)
    back = WayBack(steps)
    for unit in units:
        back.descend(single_out(steps[-1].output, unit)[1])


def _net(width: float, crop: int, pictures: int) -> tuple[Network, Tensor]:
    """A net with random weights and noise for pictures: how long a projection takes does not hang on either."""
    torch.manual_seed(0)
    net = build("zf", width=width, crop=crop).eval().requires_grad_(False)
    return net, 50 * torch.randn(pictures, 3, crop, crop)
