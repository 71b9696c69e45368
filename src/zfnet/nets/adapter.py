"""Adapt foreign nets: any chain of convolutions, ReLUs, pools, norms and linear layers becomes a `Network`.

The modules are copied in the order in which they are registered, without hooks. Each use becomes an operation of its
own (a ReLU used five times becomes five operations, none of them in place), and a flatten is inserted before the first
linear layer. Running both nets then checks that the original really computes its modules in that order.

At evaluation batch normalisation is an affine map, which is folded into the layer before it. The function stays the
same; on the way back to the pixels its scale acts as part of the filters, and its shift is dropped like the biases.

Layers are numbered as in the paper: torchvision's AlexNet has conv1 … conv5 and fc6 … fc8, VGG-16 conv1 … fc16.
"""

from collections.abc import Callable, Iterator, Sequence
from copy import copy, deepcopy
from typing import Any, NamedTuple, NoReturn

import torch
from torch import Tensor, nn

from zfnet.core.colours import rgb_image, rgb_vector
from zfnet.core.errors import ZfnetError
from zfnet.nets.contrast_norm import ContrastNorm
from zfnet.nets.network import Network, Operation


class _Part(NamedTuple):
    path: str
    kind: str
    module: Any  # the nn.Module of that kind


def adapt(
    module: nn.Module, crop: int, mean: Tensor | Sequence[float] | None = None, std: Sequence[float] | None = None
) -> Network:
    """Convert a chain of layers to a `Network` of named operations, without modifying the original.

    Parameters
    ----------
    module : a chain of layers: `nn.Sequential`, nested ones, or torchvision's AlexNet and VGG, with batch
        normalisation or without. Windows and strides may be rectangular and dilated.
    crop : side of the input, pixels.
    mean : float (3, S, S) or three numbers, RGB 0..255, that the caller subtracts from the images; None: zeros.
    std : three numbers, RGB 0..255, if the net was trained on images divided by them. The division is folded into the
        first convolution, so that the adapted net takes mean-subtracted RGB 0..255 as ours do.

    Returns
    -------
    Network
        In eval mode, with its own copy of the weights; `save` and `load` handle it like our own nets.

    Raises
    ------
    ZfnetError
        A module cannot be adapted (the message gives its path), or the net computes something else than its modules
        one after the other.

    Examples
    --------
    >>> net = adapt(torchvision.models.alexnet(), 224, (123.7, 116.3, 103.5), (58.4, 57.1, 57.4))  # doctest: +SKIP
    """
    parts = _read_parts(deepcopy(module).eval(), crop)
    operations, layers = _name_operations(parts)
    mean = _mean_image(mean, crop)
    logits = _run_chain(parts, _noise(module, crop))
    net = Network(operations, layers, crop, mean.shape[1], logits.shape[1], None).eval()
    _require_equal(module, net, crop)
    net.mean.copy_(mean)
    if std is not None:
        _fold_std(net, std)
    return net


def _noise(module: nn.Module, crop: int) -> Tensor:
    """Return the same two random inputs on every call, on the module's device and of its type."""
    images = torch.randn(2, 3, crop, crop, generator=torch.Generator().manual_seed(0))
    first = next(module.parameters(), images)
    return images.to(first.device, first.dtype)


# ---- reading the modules ---------------------------------------------------------------------------------------------


def _leaves(module: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Iterate over the modules in order of registration; `named_children` would skip the second use of a module."""
    if not module._modules:
        yield path, module
    for name, child in module._modules.items():
        if child is not None:
            yield from _leaves(child, f"{path}.{name}".lstrip("."))


@torch.no_grad()
def _read_parts(module: nn.Module, crop: int) -> list[_Part]:
    """Read every module, given its input at this crop; flatten before the first linear layer."""
    parts: list[_Part] = []
    x = _noise(module, crop)  # (2, 3, crop, crop)
    for path, leaf in _leaves(module):
        if isinstance(leaf, nn.Linear) and x.ndim == 4:
            parts.append(_Part(path, "flatten", nn.Flatten()))
            x = x.flatten(1)  # (2, C H W)
        if isinstance(leaf, _BATCH_NORMS):
            parts[-1:] = [_fold_batch_norm(path, leaf, parts[-1] if parts else None)]
        elif part := _read(path, leaf, x):
            parts.append(part)
            x = _run(part, x)
    return parts


def _run_chain(parts: Sequence[_Part], x: Tensor) -> Tensor:
    with torch.no_grad():
        for part in parts:
            x = part.module(x)
    if x.ndim != 2:
        raise ZfnetError(f"The net ends with an output of shape {tuple(x.shape)}; expected one number per class.")
    return x


def _run(part: _Part, x: Tensor) -> Tensor:
    try:
        return part.module(x)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise ZfnetError(
            f"{part.path} ({part.module}) does not fit its input {tuple(x.shape)}: {reason}. Modules are run one after "
            "another, so nets with shortcuts or branches cannot be adapted."
        ) from None


def _read(path: str, module: nn.Module, x: Tensor) -> _Part | None:
    """Convert one module to an operation; None if it does nothing."""
    for kind, reader in _READERS.items():
        if isinstance(module, kind):
            return reader(path, module, x)
    problem = f"{path or 'The net'} is a {type(module).__name__}, which cannot be adapted"
    if type(module).__module__ == nn.ReLU.__module__:
        raise ZfnetError(
            f"{problem}: the deconvnet rectifies (section 2.1), so only ReLU is allowed as a non-linearity."
        )
    names = sorted(kind.__name__ for kind in (*_READERS, *_BATCH_NORMS))
    raise ZfnetError(f"{problem}; expected a chain of {', '.join(names)}.")


def _refuse(path: str, module: nn.Module, option: str, expected: str) -> NoReturn:
    raise ZfnetError(f"{path} ({module}) has {option}={getattr(module, option)!r}; expected {expected}.")


def _conv(path: str, module: nn.Conv2d, x: Tensor) -> _Part:
    if module.padding_mode != "zeros":
        _refuse(path, module, "padding_mode", "zeros")
    if isinstance(module.padding, str):
        module = _with_numeric_padding(path, module)
    return _Part(path, "conv", module)


def _with_numeric_padding(path: str, module: nn.Conv2d) -> nn.Conv2d:
    """Replace padding="same" or "valid" by numbers."""
    total = [d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True)]  # of "same", both sides
    if module.padding == "same" and any(pixels % 2 for pixels in total):
        _refuse(path, module, "padding", "equal padding on both sides, which needs windows of odd size")
    converted = copy(module)
    converted.padding = tuple(pixels // 2 if module.padding == "same" else 0 for pixels in total)
    return converted


def _pool(path: str, module: nn.MaxPool2d, x: Tensor) -> _Part:
    if module.return_indices:
        _refuse(path, module, "return_indices", "False")
    return _Part(path, "pool", module)


def _adaptive(path: str, module: nn.AdaptiveAvgPool2d, x: Tensor) -> _Part | None:
    """At a fixed crop this is the identity, an average over equal windows, or one over windows of unequal sizes."""
    sides, size = x.shape[2:], module.output_size
    sizes = size if isinstance(size, tuple) else (size, size)
    outs = tuple(side if out is None else out for side, out in zip(sides, sizes, strict=True))
    if outs == tuple(sides):
        return None
    if any(side % out for side, out in zip(sides, outs, strict=True)):
        return _Part(path, "average", nn.AdaptiveAvgPool2d(outs))
    return _Part(path, "average", nn.AvgPool2d((sides[0] // outs[0], sides[1] // outs[1])))


def _norm(path: str, module: nn.LocalResponseNorm, x: Tensor) -> _Part:
    return _Part(path, "norm", ContrastNorm(module.size, module.alpha, module.beta, module.k))


def _flatten(path: str, module: nn.Flatten, x: Tensor) -> _Part | None:
    return _Part(path, "flatten", nn.Flatten()) if x.ndim == 4 else None


def _kind(kind: str) -> Callable[[str, Any, Tensor], _Part]:
    return lambda path, module, x: _Part(path, kind, module)


def _dropout(path: str, module: nn.Dropout, x: Tensor) -> _Part:
    return _Part(path, "dropout", nn.Dropout(module.p))


_READERS: dict[type[nn.Module], Callable[[str, Any, Tensor], _Part | None]] = {
    nn.Conv2d: _conv,
    nn.ReLU: lambda path, module, x: _Part(path, "relu", nn.ReLU()),
    nn.MaxPool2d: _pool,
    nn.AvgPool2d: _kind("average"),
    nn.AdaptiveAvgPool2d: _adaptive,
    nn.LocalResponseNorm: _norm,
    ContrastNorm: _kind("norm"),
    nn.ZeroPad2d: _kind("pad"),
    nn.Flatten: _flatten,
    nn.Linear: _kind("linear"),
    nn.Dropout: _dropout,
    nn.Dropout2d: _dropout,
    nn.Identity: lambda path, module, x: None,
}


# ---- batch normalisation ---------------------------------------------------------------------------------------------

_BATCH_NORMS = (nn.BatchNorm2d, nn.BatchNorm1d)


def _fold_batch_norm(path: str, norm: nn.BatchNorm2d | nn.BatchNorm1d, before: _Part | None) -> _Part:
    """Fold a batch normalisation into the layer before it.

    gamma (W x + b - mean) / sqrt(var + eps) + beta = (scale W) x + (scale b + beta - scale mean),
    scale = gamma / sqrt(var + eps)
    """
    if before is None or before.kind not in ("conv", "linear"):
        raise ZfnetError(
            f"{path} ({norm}) comes after {before.path if before else 'nothing'}; expected it directly after a "
            "convolution or linear layer, into which it can be folded."
        )
    if norm.running_var is None or norm.running_mean is None:
        _refuse(
            path,
            norm,
            "track_running_stats",
            "True: without statistics the output depends on the rest of the minibatch",
        )
    layer = deepcopy(before.module)  # the original may be used again without this normalisation
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    scale = scale if norm.weight is None else scale * norm.weight.double()
    shift = -norm.running_mean.double() * scale + (0 if norm.bias is None else norm.bias.double())
    bias = shift if layer.bias is None else shift + layer.bias.double() * scale
    weight = layer.weight.double() * scale.reshape(-1, *[1] * (layer.weight.ndim - 1))
    layer.weight = nn.Parameter(weight.to(layer.weight.dtype))
    layer.bias = nn.Parameter(bias.to(layer.weight.dtype))
    return before._replace(module=layer)


# ---- names and checks ------------------------------------------------------------------------------------------------


def _name_operations(parts: Sequence[_Part]) -> tuple[list[Operation], dict[str, int]]:
    """Name operations after the layer they belong to; the output of a layer is taken after its ReLU."""
    operations: list[Operation] = []
    layers: dict[str, int] = {}
    number, learned = 0, ""  # learned: the convolution or linear layer of this number
    for index, part in enumerate(parts):
        if part.kind in ("conv", "linear"):
            number += 1
            learned = f"{'conv' if part.kind == 'conv' else 'fc'}{number}"
        layer = learned if part.kind in ("conv", "linear", "relu") else f"{part.kind}{number}"
        taken = {operation.name for operation in operations}
        name = _unused_name(f"relu{number}" if part.kind == "relu" else layer, taken)
        operations.append(Operation(name, part.kind, part.module))
        if part.kind in ("conv", "linear", "pool", "average", "norm") or (part.kind == "relu" and learned):
            layers[layer if part.kind == "relu" else name] = index  # a ReLU takes over the name of its convolution
    return operations, layers


def _unused_name(name: str, taken: set[str]) -> str:
    """Return `pool2`, or `pool2b` if layer 2 has a second pool."""
    candidates = (name, *(f"{name}{letter}" for letter in "bcdefghijklmnopqrstuvwxyz"))
    return next(candidate for candidate in candidates if candidate not in taken)


def _mean_image(mean: Tensor | Sequence[float] | None, crop: int) -> Tensor:
    values = torch.as_tensor([0.0, 0.0, 0.0] if mean is None else mean, dtype=torch.float32)
    if values.shape == (3,):
        return rgb_image(values, round(crop * 256 / 224), "mean")
    if values.ndim == 3 and values.shape[0] == 3 and values.shape[1] == values.shape[2] >= crop:
        return values
    raise ZfnetError(f"The mean has shape {tuple(values.shape)}; expected 3 numbers or (3, S, S), S at least {crop}.")


@torch.no_grad()
def _require_equal(module: nn.Module, net: Network, crop: int) -> None:
    """Compare the outputs of both nets, which reveals a custom forward method (a shortcut, a reshape)."""
    images = _noise(module, crop)
    theirs, ours = _original_output(module, images), net.to(images.device)(images)
    if theirs.shape != ours.shape or not torch.allclose(theirs, ours, rtol=1e-3, atol=1e-4 * float(ours.abs().max())):
        raise ZfnetError(
            f"{type(module).__name__} computes something else than its modules one after another: its forward method "
            "may have a shortcut, a branch or a function. Only plain chains can be adapted."
        )


def _original_output(module: nn.Module, images: Tensor) -> Tensor:
    try:
        return deepcopy(module).eval()(images)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise ZfnetError(f"{type(module).__name__} itself fails on inputs {tuple(images.shape)}: {reason}.") from None


@torch.no_grad()
def _fold_std(net: Network, std: Sequence[float]) -> None:
    """Divide the input channels of the first convolution by `std`: W (x / std) = (W / std) x."""
    first = next(operation.module for operation in net.operations if operation.kind == "conv")
    first.weight.div_(rgb_vector(std, "std", first.weight.dtype).to(first.weight.device)[:, None, None])
