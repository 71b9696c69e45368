"""Check of a device before it trains: its kernels and its recorded step against the plain path, from the same state.

`zfnet check-gpu` runs it and prints what it finds. Before the first training on a card it runs by itself, in a process
of its own, because a kernel that crashes or a recording that fails leaves a process that cannot use the GPU. Its result
is kept per card, driver, torch and code. What fails is replaced by the plain path, in every training on that card.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from zfnet.core import gpu_cards, memory
from zfnet.core.device import full_precision
from zfnet.core.errors import first_line
from zfnet.core.seeds import generator
from zfnet.nets import build, gpu_kernels
from zfnet.nets.contrast_norm import NAME as CONTRAST_NORM
from zfnet.nets.contrast_norm import ContrastNorm
from zfnet.settings import Compile, Recipe
from zfnet.training.init_weights import initialise
from zfnet.training.learner import Learner

RECIPE = Recipe(init_std=0.03, dropout=0.0, pca_noise=0.1, precision="bf16", max_filter_rms=0.05)
NETS: dict[str, dict[str, Any]] = {
    "cuda": {"width": 1.0, "crop": 224},
    "cpu": {"width": 1 / 16, "crop": 64, "remove": (3, 4, 6)},
}
BATCH = {"cuda": 32, "cpu": 16}
MAPS = (96, 256)  # of the contrast norms at full width
TOLERANCES = {torch.float32: 1e-5, torch.bfloat16: 2e-2}
STEPS = 3
ROUNDING = 2.0  # the fast step may be so many times as far from the step in fp32 as the plain step in bf16 is
SEED_TOLERANCE = 1e-3  # relative difference of two sums of losses with equal dropout masks


class Finding(NamedTuple):
    """The result of one check."""

    name: str
    passed: bool
    text: str


def check(device: torch.device) -> dict[str, Any]:
    """Run all checks on a device.

    Returns
    -------
    dict
        `findings` (name, passed, text), and what trainings may use: `step` (recorded, compiled or eager) and `norm`
        (triton or torch).
    """
    full_precision()  # as in every command; compiled code would be compiled again if it changed later
    with _compiler(device):
        findings = list(_findings(device))
    failed = {finding.name for finding in findings if not finding.passed}
    fast = "recorded" if device.type == "cuda" else "compiled"
    return {
        "findings": [finding._asdict() for finding in findings],
        "step": "eager" if failed & {"step", "dropout"} else fast,
        "norm": "triton" if gpu_kernels.used(CONTRAST_NORM) and "norm" not in failed else "torch",
    }


def _compiler(device: torch.device) -> AbstractContextManager[Any]:
    """On a CPU, which trains uncompiled, let the step be traced but no code be generated: that takes minutes there."""
    return nullcontext() if device.type == "cuda" else torch.compiler.set_stance(force_backend="aot_eager")


def _findings(device: torch.device) -> Iterator[Finding]:
    yield _facts(device)
    norm = _guarded("norm", _norm, device)
    yield norm
    if not norm.passed:
        gpu_kernels.switch_off(CONTRAST_NORM, norm.text)  # so that the step is checked as it will run
    yield _guarded("step", _step, device)
    yield _guarded("dropout", _dropout, device)


def _guarded(name: str, check: Callable[[torch.device], str], device: torch.device) -> Finding:
    """Run a check, which returns what it measured or raises."""
    try:
        return Finding(name, True, check(device))
    except Exception as error:  # a check fails in whatever way the device fails
        return Finding(name, False, first_line(error))


def _facts(device: torch.device) -> Finding:
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    free = f"{memory.available(device) / memory.GIB:.1f} GiB free, compiler {compiler or 'missing (Triton needs one)'}"
    if device.type != "cuda":
        return Finding("device", compiler is not None, f"CPU, {free}")
    major, minor = torch.cuda.get_device_capability(device)
    card = f"{torch.cuda.get_device_name(device)}, compute capability {major}.{minor}, driver {gpu_cards.driver()}"
    return Finding("device", compiler is not None, f"{card}, {free}")


def _norm(device: torch.device) -> str:
    """Compare the contrast norm and its gradient with torch's in double precision."""
    worst = 0.0
    for maps in MAPS:
        for dtype, tolerance in TOLERANCES.items():
            x, along = (60 * torch.randn(4, maps, 13, 13, generator=generator("norm", maps, i)) for i in (0, 1))
            ours, theirs = ContrastNorm(), nn.LocalResponseNorm(5, 1e-4, 0.75, 2.0)
            x, along = x.to(device, dtype), along.to(device, dtype)
            pairs = zip(_both_ways(ours, x, along), _both_ways(theirs, x.double(), along.double()), strict=True)
            errors = [((found.double() - expected).norm() / expected.norm()).item() for found, expected in pairs]
            if not max(errors) <= tolerance:
                raise RuntimeError(f"{maps} maps in {dtype}: {max(errors):.2g} from float64, {tolerance:g} allowed")
            worst = max(worst, max(errors) / tolerance)
    path = "Triton kernels" if gpu_kernels.used(CONTRAST_NORM) else "torch"
    return f"{path}; the largest error is {worst:.2f} of the tolerance"


def _both_ways(norm: nn.Module, x: Tensor, along: Tensor) -> tuple[Tensor, Tensor]:
    """Return the output of a norm, and the gradient of its input."""
    x = x.detach().requires_grad_()
    y = norm(x)
    return y.detach(), torch.autograd.grad(y, x, along)[0]


def _step(device: torch.device) -> str:
    """Compare three fast steps with three plain ones from the same state, by their distance to those in fp32."""
    fast, plain, exact = (
        _trained(_learner(device, compile, precision=precision))
        for compile, precision in ((_fast(device), "bf16"), ("eager", "bf16"), ("eager", "fp32"))
    )
    wanted = "recorded" if device.type == "cuda" else "compiled"
    if fast.execution != wanted:
        raise RuntimeError(f"the step runs {fast.execution} instead of {wanted}")
    distances = [_distance(each, exact) for each in (fast, plain)]
    if not distances[0] <= ROUNDING * distances[1]:
        raise RuntimeError(
            f"after {STEPS} steps weights are {distances[0] / distances[1]:.2g} times as far from fp32's"
        )
    ratio = distances[0] / distances[1]
    return f"{wanted}; {ratio:.2f} times as far from fp32 as plain ones in bf16; {_rate(fast):,.0f} images/s"


def _rate(learner: Learner) -> float:
    """Measure a step for a second: images per second."""
    batch, steps = _images(learner.device, 0), 0
    learner.sums.tolist()  # waits for the device
    start = time.monotonic()
    while time.monotonic() - start < 1:
        learner.train_step(*batch, (1, 0, steps), 0.0)
        steps += 1
    learner.sums.tolist()
    return steps * len(batch[1]) / (time.monotonic() - start)


def _dropout(device: torch.device) -> str:
    """Check that equal places give equal dropout masks, and others different ones.

    Each image has one colour, so that all its crops are equal and only the masks differ.
    """
    learner = _learner(device, _fast(device), dropout=0.5, pca_noise=0.0)
    images, labels = _images(device, 0)
    images[:] = images[:, :1, :1]
    start = {name: tensor.clone() for name, tensor in learner.state().items()}
    losses = []
    for epoch in (0, 0, 1):
        learner.load_state(start, learner.recipe.learning_rate)
        learner.reset_sums()
        for step in range(STEPS):
            learner.train_step(images, labels, (1, epoch, step), 0.0)
        losses.append(learner.sums[0].item())
    if abs(losses[1] / losses[0] - 1) > SEED_TOLERANCE:
        raise RuntimeError(f"equal seeds gave losses of {losses[0]:.6g} and {losses[1]:.6g}")
    if abs(losses[2] / losses[0] - 1) <= SEED_TOLERANCE:
        raise RuntimeError("different seeds gave the same loss")
    return "equal seeds give equal losses, different ones do not"


def _fast(device: torch.device) -> Compile:
    return "auto" if device.type == "cuda" else "compiled"


def _learner(device: torch.device, compile: Compile, **changes: Any) -> Learner:
    """Return a learner whose recipe differs from RECIPE by these changes."""
    recipe = RECIPE.model_copy(update=changes)
    net = build("zf", classes=10, dropout=recipe.dropout, **NETS[device.type])
    initialise(net, recipe, seed=1)
    net.mean.fill_(128)
    net = net.to(device, memory_format=torch.channels_last)
    return Learner(net, recipe, recipe.learning_rate, 400 * torch.eye(3), compile=compile)


def _trained(learner: Learner) -> Learner:
    for step in range(STEPS):
        learner.train_step(*_images(learner.device, step), (1, 0, step), 0.0)
    return learner


def _images(device: torch.device, step: int) -> tuple[Tensor, Tensor]:
    side, batch = round(NETS[device.type]["crop"] * 256 / 224), BATCH[device.type]
    images = torch.randint(256, (batch, side, side, 3), generator=generator("check", step), dtype=torch.uint8)
    return images, torch.arange(batch) % 10


def _distance(learner: Learner, exact: Learner) -> float:
    """Return how far the weights are from those of another learner."""
    pairs = zip(learner.net.parameters(), exact.net.parameters(), strict=True)
    return sum((a.detach().double() - b.detach().double()).square().sum().item() for a, b in pairs) ** 0.5
