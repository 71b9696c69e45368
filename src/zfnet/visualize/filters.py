"""Measures of the first and second layer (Figure 6): dead and dominant filters, spectrum, aliasing.

The paper shows by eye that Krizhevsky's first layer (11 × 11, stride 4) mixes very high and very low frequencies and
has dead filters, that one filter dominates without renormalisation, and that stride 4 causes block artefacts in layer
2. The table has one line per net, with these measures, none of which is the paper's (claims C12-C14):

dead         filters whose RMS is below 10 % of the median, or to which no image responds
norm_median, norm_max   of the filters' RMS, the quantity that training limits to 0.1
low, middle, high   fraction of the living filters' energy below 1/6, up to 1/3 and above 1/3 cycles per pixel
aliasing     block artefacts: how much the mean energy of the layer-2 projections depends on a pixel's phase in the grid
             of layer 1's stride (standard deviation over the phases divided by their mean)
shift        relative change of layer 2 when images move by one pixel, mean of down and right
dominance    fraction of the variance of layer 1's responses due to the five strongest filters
"""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zfnet.core.progress_bar import track
from zfnet.core.tables import write_table
from zfnet.nets import Network
from zfnet.settings import Visualize
from zfnet.visualize.net_inputs import InputLoader, centre, open_loader, sample_indices, to_inputs
from zfnet.visualize.patches import tiles
from zfnet.visualize.stage_files import StageProvenance
from zfnet.visualize.top_activations import find_strongest, random_maps

COLUMNS = (
    *("run", "filters", "dead", "norm_median", "norm_max", "low", "middle", "high"),
    *("aliasing", "shift", "dominance"),
)
BANDS = (1 / 6, 1 / 3)  # cycles per pixel
DEAD = 0.1  # of the median RMS
_SPECTRUM = 64  # points of the zero-padded Fourier transform
_IMAGES = 256  # for the measures of layer 2


def filters_stage(
    weights: Mapping[str, Path], manifest: Path, settings: Visualize, out: Path, threads: int = 2
) -> None:
    """Write filters.csv (`out`), one line per net of `weights` (run name -> file), and the provenance (.json)."""
    provenance = StageProvenance(settings, weights=list(weights.values()), manifest=manifest)
    loaders = ((run, open_loader(path, manifest, threads, labels=False)) for run, path in weights.items())
    rows = [(run, *measure(loader, settings)) for run, loader in loaders]
    write_table(out, COLUMNS, rows)
    provenance.write(out.with_suffix(".json"), runs=list(weights))


def measure(loader: InputLoader, settings: Visualize) -> tuple[int | float, ...]:
    """Compute the measures of one net, in the order of `COLUMNS` without the run."""
    filters = loader.net.get_submodule("conv1").weight.cpu()
    rms = filters.square().mean((1, 2, 3)).sqrt()  # (maps,)
    largest, variance = responses(loader)
    dead = (rms < DEAD * rms.median()) | (largest <= 0)
    few = sample_indices(len(loader), _IMAGES, settings.seed)
    second = block_artefacts(loader, few, settings), shift_change(loader, few)
    dominance = (variance.topk(min(5, len(variance))).values.sum() / variance.sum()).item()
    norms = rms.median().item(), rms.max().item()
    return len(filters), int(dead.sum()), *norms, *bands(filters[~dead]), *second, dominance


def bands(filters: Tensor) -> tuple[float, ...]:
    """Return the mean fraction of the energy of filters, float (n, 3, k, k), at low, middle and high frequencies."""
    if not len(filters):
        return (0.0, 0.0, 0.0)
    power = torch.fft.fft2(filters, (_SPECTRUM, _SPECTRUM)).abs().square().sum(1)  # (n, 64, 64)
    power /= power.sum((1, 2), keepdim=True)
    along = torch.fft.fftfreq(_SPECTRUM)
    radius = torch.hypot(along[:, None], along)  # (64, 64), cycles per pixel
    edges = (0.0, *BANDS, torch.inf)
    inside = [(radius >= low) & (radius < high) for low, high in pairwise(edges)]
    return tuple((power * band).sum((1, 2)).mean().item() for band in inside)


@torch.no_grad()
def responses(loader: InputLoader) -> tuple[Tensor, Tensor]:
    """Return the largest response of each layer-1 filter to any image and the variance of its responses, (maps,)."""
    largest = sums = squares = torch.zeros(())  # a rectified response is never below 0
    count = 0
    for batch in track(loader.batches(), "Responses of layer 1, minibatches", -(-len(loader) // loader.batch_size)):
        *_, last = loader.net.iter_forward(batch.inputs, "conv1")
        values = last.output.transpose(0, 1).flatten(1)  # (maps, responses)
        largest = torch.maximum(largest, values.amax(1).cpu())
        sums = sums + values.sum(1, dtype=torch.float64).cpu()
        squares = squares + values.square().sum(1, dtype=torch.float64).cpu()
        count += values.shape[1]
    return largest, (squares / count - (sums / count).square()).clamp(min=0)


def block_artefacts(loader: InputLoader, indices: list[int], settings: Visualize) -> float:
    """Measure how the mean energy of conv2 projections depends on the phase in the grid of conv1's stride."""
    maps = random_maps(loader.net, {"conv2": settings.filter_maps}, settings.seed)
    best = find_strongest(loader.net, loader.batches(indices), maps, settings.top_k)
    projections = tiles(loader, "conv2", maps["conv2"], best["conv2"]).projections.astype(np.float64)
    stride = loader.net.get_submodule("conv1").stride[0]
    return phase_dependence((projections**2).sum(-1).mean((0, 1)), stride)


def phase_dependence(energy: np.ndarray, stride: int) -> float:
    """Return standard deviation over mean of the mean energy (H, W) at the stride × stride phases; 0 for no energy."""
    phases = np.array([energy[row::stride, column::stride].mean() for row in range(stride) for column in range(stride)])
    return float(phases.std() / phases.mean()) if phases.mean() > 0 else 0.0


@torch.no_grad()
def shift_change(loader: InputLoader, indices: list[int]) -> float:
    """Return the mean of |conv2 of the shifted image - conv2| / |conv2|, over images and two directions."""
    changes = []
    for batch in loader.shards.batches(indices, loader.batch_size, loader.threads):
        shifted = [_second_layer(loader.net, batch.images.roll(1, axis)) for axis in (1, 2)]
        original = _second_layer(loader.net, batch.images)
        changes += [(one - original).norm(dim=1) / original.norm(dim=1).clamp(min=1e-12) for one in shifted]
    return torch.cat(changes).mean().item()


def _second_layer(net: Network, squares: Tensor) -> Tensor:
    """Return conv2 of the centre crops of squares, uint8 (B, S, S, 3): float (B, features)."""
    *_, last = net.iter_forward(to_inputs(net, centre(squares, net.crop)), "conv2")
    return last.output.flatten(1)
