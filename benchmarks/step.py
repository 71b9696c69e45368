"""One training step of both nets at full size: ours, a plain PyTorch one, and torchvision's AlexNet.

Ours starts from uint8 squares: crop, flip, mean, colour, then bf16 forward and backward, SGD and renormalisation. Its
peers start from prepared float32 crops, and use standard PyTorch: float32 with torch's default settings,
`nn.LocalResponseNorm`, `torch.optim.SGD`. torchvision's AlexNet has fewer feature maps, and no normalisation. The limit
is the rate of an update that consists of its matrix products in bfloat16 and of nothing else.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.costs import Product, forward_flops, image_bytes, products, training_flops, weight_bytes
from benchmarks.harness import Bench, Row, Side
from benchmarks.tensor_timing import milliseconds
from benchmarks.timing import seconds
from zfnet.nets import Network, build
from zfnet.nets.architecture import describe
from zfnet.settings import Compile, KrizhevskyRecipe, Recipe
from zfnet.training.filter_norm import rescale_filters
from zfnet.training.init_weights import initialise
from zfnet.training.learner import Learner

RECIPES = {"zf": Recipe(precision="bf16"), "krizhevsky": KrizhevskyRecipe(precision="bf16")}
FULL = {"width": 1.0, "crop": 224}
QUICK = {"width": 1 / 16, "crop": 64}
SQUARE = 256  # side of the shards' squares, pixels
BATCH = {"cpu": 32, "cuda": 128}
UPDATES = {"cpu": 1, "cuda": 30}  # per timing


def results(bench: Bench) -> Iterator[Row | str]:
    """Yield images per second of a training step on the CPU, and on a GPU if there is one."""
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        yield from _on(bench, device)


def size_on(bench: Bench, device: str) -> dict[str, Any]:
    """Return the net size, batch size and device of the measured steps."""
    size = QUICK if bench.quick else FULL
    return size | {"batch": 4 if bench.quick else BATCH[device], "device": device}


def _on(bench: Bench, device: str) -> Iterator[Row | str]:
    size = size_on(bench, device)
    alexnet = bench.side("step:alexnet", batch=size["batch"], crop=FULL["crop"], device=device)
    for name in RECIPES:
        ours = bench.side("step:ours", name=name, **size)
        plain = bench.side("step:plain", name=name, **size)
        peers = {"eager float32, nn.LocalResponseNorm": plain, "torchvision alexnet, float32": alexnet}
        if device == "cuda":
            peers["ours, neither compiled nor captured"] = bench.side("step:ours", name=name, compile="eager", **size)
        limit, case = bench.side("step:gemm", name=name, **size).value, f"{device}, batch {size['batch']}, {name}"
        for peer_name, peer in peers.items():
            yield Row(case, ours.value, "images/s", peer.value, peer_name, ours.peak_mb, limit)
        yield _roofline(name, case, size, ours)


def _roofline(name: str, case: str, size: dict[str, Any], ours: Side) -> str:
    net = describe(name, width=size["width"], crop=size["crop"])
    moved = image_bytes(net) + weight_bytes(net) / size["batch"]
    return (
        f"{case}: counted {forward_flops(net) / 1e9:.3f} GFLOP per image forward and {training_flops(net) / 1e9:.3f} "
        f"in training, and at least {moved / 1e6:.1f} MB of memory traffic per image; at the measured rate "
        f"{ours.value * training_flops(net) / 1e12:.3f} TFLOP/s and {ours.value * moved / 1e9:.2f} GB/s."
    )


def ours(name: str, width: float, crop: int, batch: int, device: str, compile: Compile = "auto") -> float:
    """Return images per second of our training step, from uint8 squares in CPU memory."""
    trainer = learner(name, width, crop, device, compile)
    images = torch.randint(256, (batch, trainer.net.size, trainer.net.size, 3), dtype=torch.uint8)
    labels = torch.randint(trainer.net.classes, (batch,))
    if device == "cuda":
        images, labels = images.pin_memory(), labels.pin_memory()
    return _rate(
        lambda: trainer.train_step(images, labels, (1, 0, 0), 0.0), lambda: trainer.sums.tolist(), batch, device
    )


def learner(name: str, width: float, crop: int, device: str, compile: Compile = "auto") -> Learner:
    """Return a freshly initialised net, ready to be trained."""
    recipe, net = RECIPES[name], build(name, width=width, crop=crop, size=SQUARE)
    initialise(net, recipe, seed=1)
    net.mean.fill_(120)
    return Learner(net.to(device), recipe, recipe.learning_rate, 3000 * torch.eye(3), compile=compile)


def plain(name: str, width: float, crop: int, batch: int, device: str) -> float:
    """Return images per second of a training step made of PyTorch's own modules."""
    recipe, ours = RECIPES[name], build(name, width=width, crop=crop)
    initialise(ours, recipe, seed=1)
    net = _with_torch_norm(ours).to(device)
    sgd = torch.optim.SGD(net.parameters(), recipe.learning_rate, recipe.momentum, weight_decay=recipe.weight_decay)
    convolutions = [module.weight for module in net if isinstance(module, nn.Conv2d)]

    def renormalise_filters() -> None:
        if recipe.max_filter_rms is not None:
            rescale_filters(convolutions, recipe.max_filter_rms)

    return _plain_rate(net, sgd, crop, batch, device, renormalise_filters)


def gemm(name: str, width: float, crop: int, batch: int, device: str) -> float:
    """Return images per second of the matrix products of a training step."""
    net = describe(name, width=width, crop=crop)
    return 1000 * batch / sum(_product_milliseconds(product, torch.device(device)) for product in products(net, batch))


def _product_milliseconds(product: Product, device: torch.device) -> float:
    groups, rows, inner, columns = product
    a = torch.randn(groups, rows, inner, device=device).bfloat16()
    b = torch.randn(groups, inner, columns, device=device).bfloat16()
    return milliseconds(lambda: [x @ y for x, y in zip(a, b, strict=True)], device)


def alexnet(crop: int, batch: int, device: str) -> float:
    """Return images per second of torchvision's AlexNet, trained as in its reference script."""
    from torchvision import models

    net = models.alexnet().to(device)
    sgd = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    return _plain_rate(net, sgd, crop, batch, device)


def _with_torch_norm(net: Network) -> nn.Sequential:
    def module(operation: Any) -> nn.Module:
        ours = operation.module
        return nn.LocalResponseNorm(ours.size, ours.alpha, ours.beta, ours.k) if operation.kind == "norm" else ours

    return nn.Sequential(*map(module, net.operations))


def _plain_rate(
    net: nn.Module,
    sgd: torch.optim.SGD,
    crop: int,
    batch: int,
    device: str,
    after_step: Callable[[], None] = lambda: None,
) -> float:
    views, labels = torch.randn(batch, 3, crop, crop, device=device), torch.randint(1000, (batch,), device=device)
    losses: list[Tensor] = []

    def update() -> None:
        loss = F.cross_entropy(net(views), labels)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        after_step()
        losses[:] = [loss.detach()]

    return _rate(update, lambda: losses[0].item(), batch, device)


def _rate(update: Callable[[], None], wait: Callable[[], object], batch: int, device: str) -> float:
    updates = UPDATES[device]

    def several() -> None:
        for _ in range(updates):
            update()
        wait()

    return updates * batch / seconds(several, rounds=3)
