"""First filters and second layer in numbers (Figure 6): dead and dominant filters, spectrum, aliasing.

The paper shows by eye that Krizhevsky's first layer (11 × 11, stride 4) mixes very high and very low frequencies and
has dead filters, that one filter dominates without renormalisation, and that stride 4 leaves block artefacts in layer
2. One line per net, with these measures, none of which is the paper's (claims C12-C14):

dead         filters whose RMS is below 10 % of the median, or that no picture makes respond
norm_median, norm_max   of the filters' RMS, the quantity that training limits to 0.1
low, middle, high   share of the living filters' energy below 1/6, up to 1/3 and above 1/3 cycles per pixel
aliasing     block artefacts: how much the mean energy of the layer-2 projections depends on a pixel's phase in the grid
             of layer 1's stride (standard deviation over the phases divided by their mean)
shift        relative change of layer 2 when pictures move by one pixel, mean of down and right
dominance    share of the five strongest filters in the variance of layer 1's responses
"""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zfnet.core.progress import track
from zfnet.core.tables import write_table
from zfnet.nets import Network
from zfnet.settings import Visualize
from zfnet.visualize.net_inputs import Gallery, centre, open_gallery, some, to_inputs
from zfnet.visualize.patches import tiles
from zfnet.visualize.stage_files import Origin
from zfnet.visualize.top_activations import find_strongest, random_maps

COLUMNS = ("run", "filters", "dead", "norm_median", "norm_max", "low", "middle", "high")
COLUMNS += ("aliasing", "shift", "dominance")
BANDS = (1 / 6, 1 / 3)  # cycles per pixel
DEAD = 0.1  # of the median RMS
_SPECTRUM = 64  # points of the padded transform
_PICTURES = 256  # looked at for layer 2


def filters_stage(
    weights: Mapping[str, Path], manifest: Path, settings: Visualize, out: Path, threads: int = 2
) -> None:
    """Write filters.csv (`out`), one line per net of `weights` (run name -> file), and the provenance (.json)."""
    origin = Origin(settings, weights=list(weights.values()), manifest=manifest)
    opened = ((run, open_gallery(path, manifest, threads, labels=False)) for run, path in weights.items())
    rows = [(run, *measure(gallery, settings)) for run, gallery in opened]
    write_table(out, COLUMNS, rows)
    origin.write(out.with_suffix(".json"), runs=list(weights))


def measure(gallery: Gallery, settings: Visualize) -> tuple[int | float, ...]:
    """The measures of one net, in the order of `COLUMNS` without the run."""
    filters = gallery.net.get_submodule("conv1").weight.cpu()
    rms = filters.square().mean((1, 2, 3)).sqrt()
    largest, variance = responses(gallery)
    dead = (rms < DEAD * rms.median()) | (largest <= 0)
    few = some(len(gallery), _PICTURES, settings.seed)
    second = block_artefacts(gallery, few, settings), shift_change(gallery, few)
    dominance = (variance.topk(min(5, len(variance))).values.sum() / variance.sum()).item()
    norms = rms.median().item(), rms.max().item()
    return len(filters), int(dead.sum()), *norms, *bands(filters[~dead]), *second, dominance


def bands(filters: Tensor) -> tuple[float, ...]:
    """Mean share of the filters' energy at low, middle and high radial frequencies: filters float (n, 3, k, k)."""
    if not len(filters):
        return (0.0, 0.0, 0.0)
    power = torch.fft.fft2(filters, (_SPECTRUM, _SPECTRUM)).abs().square().sum(1)  # (n, 64, 64)
    power /= power.sum((1, 2), keepdim=True)
    along = torch.fft.fftfreq(_SPECTRUM)
    radius = torch.hypot(along[:, None], along)
    edges = (0.0, *BANDS, torch.inf)
    inside = [(radius >= low) & (radius < high) for low, high in pairwise(edges)]
    return tuple((power * band).sum((1, 2)).mean().item() for band in inside)


@torch.no_grad()
def responses(gallery: Gallery) -> tuple[Tensor, Tensor]:
    """Largest response of each layer-1 filter to any picture, and the variance of its responses, (maps,) each."""
    largest = sums = squares = torch.zeros(())  # a rectified response is never below 0
    count = 0
    for view in track(gallery.views(), "Responses of layer 1, batches", -(-len(gallery) // gallery.batch)):
        *_, last = gallery.net.walk(view.inputs, "conv1")
        found = last.output.transpose(0, 1).flatten(1)  # (maps, responses)
        largest = torch.maximum(largest, found.amax(1).cpu())
        sums = sums + found.sum(1, dtype=torch.float64).cpu()
        squares = squares + found.square().sum(1, dtype=torch.float64).cpu()
        count += found.shape[1]
    return largest, (squares / count - (sums / count).square()).clamp(min=0)


def block_artefacts(gallery: Gallery, indices: list[int], settings: Visualize) -> float:
    """Dependence of the mean energy of layer-2 projections on the phase in the grid of layer 1's stride."""
    maps = random_maps(gallery.net, {2: settings.filter_maps}, settings.seed)
    found = find_strongest(gallery.net, gallery.views(indices), maps, settings.top_k)
    projections = tiles(gallery, "conv2", maps["conv2"], found["conv2"]).projections.astype(np.float64)
    stride = gallery.net.get_submodule("conv1").stride[0]
    return phase_dependence((projections**2).sum(-1).mean((0, 1)), stride)


def phase_dependence(energy: np.ndarray, stride: int) -> float:
    """Deviation over mean of the mean energy (H, W) at each of the stride × stride phases; 0 where there is none."""
    phases = np.array([energy[row::stride, column::stride].mean() for row in range(stride) for column in range(stride)])
    return float(phases.std() / phases.mean()) if phases.mean() > 0 else 0.0


@torch.no_grad()
def shift_change(gallery: Gallery, indices: list[int]) -> float:
    """Mean of |layer 2 of the picture moved by a pixel - layer 2| / |layer 2|, over pictures and two directions."""
    found = []
    for batch in gallery.shards.batches(indices, gallery.batch, gallery.threads):
        moved = [_second(gallery.net, batch.images.roll(1, axis)) for axis in (1, 2)]
        still = _second(gallery.net, batch.images)
        found += [(one - still).norm(dim=1) / still.norm(dim=1).clamp(min=1e-12) for one in moved]
    return torch.cat(found).mean().item()


def _second(net: Network, squares: Tensor) -> Tensor:
    """Layer 2 of the centre crops of squares, uint8 (B, S, S, 3): float (B, features)."""
    *_, last = net.walk(to_inputs(net, centre(squares, net.crop)), "conv2")
    return last.output.flatten(1)
