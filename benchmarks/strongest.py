"""The strongest activations of all feature maps of five layers in one pass: overhead, speed and memory."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

from benchmarks.harness import Bench, Row
from zfnet.nets import Network, build
from zfnet.visualize.net_inputs import InputBatch
from zfnet.visualize.top_activations import LAYERS, find_strongest, random_maps

BATCH, TOP = 32, 9
VALIDATION = 50_000


def results(bench: Bench) -> Iterator[Row | str]:
    """Yield the overhead on a forward pass, then speed and memory for 1,000 and 10,000 images, then an estimate."""
    small: dict[str, Any] = {"width": 1 / 8, "crop": 64}
    full = small | {"images": 64} if bench.quick else {"width": 1.0, "crop": 224, "images": 192}
    row = bench.compare(
        "five layers, all maps", "images/s", "strongest:ours", "strongest:forward", "forward with switches", **full
    )
    assert row.peer is not None  # compare() measures both
    yield row
    yield f"Searching takes {row.peer / row.ours:.2f} times as long as the plain forward pass with switches."
    for images in (32, 64) if bench.quick else (1_000, 10_000):
        side = bench.side("strongest:ours", **small, images=images)
        yield Row(f"{images:,} images, width 1/8, {small['crop']} px", side.value, "images/s", peak_mb=side.peak_mb)
    minutes = VALIDATION / row.ours / 60
    yield (
        f"{VALIDATION:,} images at width {full['width']:g} and {full['crop']} px would take {minutes:,.0f} minutes (an "
        f"estimate from {row.ours:.1f} images/s over {full['images']} images, without decoding)."
    )


def ours(width: float, crop: int, images: int) -> float:
    """Return images per second of the search over all maps of layers 1-5."""
    net = _net(width, crop)
    maps = random_maps(net, dict.fromkeys(LAYERS), seed=0)
    return _rate(lambda count: find_strongest(net, _views(crop, count), maps, TOP), images)


def forward(width: float, crop: int, images: int) -> float:
    """Return images per second of the same forward pass without the search."""
    net = _net(width, crop)

    @torch.no_grad()
    def work(count: int) -> None:
        for view in _views(crop, count):
            for _ in net.iter_forward(view.inputs, "conv5"):
                pass

    return _rate(work, images)


def _rate(work: Callable[[int], object], images: int) -> float:
    work(BATCH)
    start = time.perf_counter()
    work(images)
    return images / (time.perf_counter() - start)


def _views(crop: int, count: int) -> Iterator[InputBatch]:
    """Yield noise as images, the same in every batch; only their numbers in the data set differ."""
    inputs = (50 * torch.randn(BATCH, 3, crop, crop)).contiguous(memory_format=torch.channels_last)
    for start in range(0, count, BATCH):
        size = min(BATCH, count - start)
        labels, indices = torch.zeros(size, dtype=torch.int64), torch.arange(start, start + size)
        yield InputBatch(inputs[:size], inputs[:size], labels, indices)


def _net(width: float, crop: int) -> Network:
    torch.manual_seed(0)
    return build("zf", width=width, crop=crop).eval().requires_grad_(False)
