"""Foreign nets under our names: any chain of convolutions, ReLUs, pools, norms and linear layers becomes a `Network`.

The module is read, not run with hooks: its parts are copied in the order they are registered, each use becomes an
operation of its own (a ReLU used five times is five operations, none of them in place), and a flatten is put in
before the first linear layer. Whether that order is really what the module computes is checked by running both.

Batch normalisation multiplies and shifts once training is over. It is folded into the layer before it: the same
function, whose scale the way back to the pixels meets in the filters and whose shift it drops with the biases.

Layers are numbered as in the paper: torchvision's AlexNet has conv1 … conv5 and fc6 … fc8, VGG-16 conv1 … fc16.
"""

from collections.abc import Callable, Iterator, Sequence
from copy import copy, deepcopy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from zfnet.core.colours import rgb_image, rgb_vector
from zfnet.core.errors import ZfnetError
from zfnet.nets.contrast_norm import ContrastNorm
from zfnet.nets.network import Network, Operation


class _Part(NamedTuple):
    path: str
    kind: str
    module: nn.Module


def adapt(
    module: nn.Module, crop: int, mean: Tensor | Sequence[float] | None = None, std: Sequence[float] | None = None
) -> Network:
    """Give a foreign net the interface of ours: names, walk, trace, switches. The module itself is left as it is.

    Parameters
    ----------
    module : a chain of layers: `nn.Sequential`, nested ones, or torchvision's AlexNet and VGG, with batch
        normalisation or without. Windows and strides may be rectangular and dilated.
    crop : side of its input, pixels.
    mean : float (3, S, S) or three numbers, RGB 0..255, subtracted from the pictures before they come in;
        None: zeros.
    std : three numbers in units of RGB 0..255, if the net was trained on pictures divided by them. They are folded
        into the first convolution, so that the adapted net takes mean-subtracted RGB 0..255 as ours do.

    Returns
    -------
    Network
        In eval mode, with its own copy of the weights; `save` and `load` keep it as they do our own nets.

    Raises
    ------
    ZfnetError
        The module has a part that cannot be read (the sentence gives its path), or computes something else than its
        parts one after the other.

    Examples
    --------
    >>> net = adapt(torchvision.models.alexnet(), 224, (123.7, 116.3, 103.5), (58.4, 57.1, 57.4))  # doctest: +SKIP
    """
    parts = _resolved(deepcopy(module).eval(), crop)
    operations, layers = _named(parts)
    mean = _image(mean, crop)
    logits = _chain(parts, _noise(module, crop))
    net = Network(operations, layers, crop, mean.shape[1], logits.shape[1], None).eval()
    _compare(module, net, crop)
    net.mean.copy_(mean)
    if std is not None:
        _divide_first(net, std)
    return net


def _noise(module: nn.Module, crop: int) -> Tensor:
    """Two inputs as the module wants them, always the same."""
    images = torch.randn(2, 3, crop, crop, generator=torch.Generator().manual_seed(0))
    first = next(module.parameters(), images)
    return images.to(first.device, first.dtype)


# ------------------------------------------------------------------------------------------------ reading the parts


def _leaves(module: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Every part in order of registration. `named_children` would skip the second use of a part."""
    if not module._modules:
        yield path, module
    for name, child in module._modules.items():
        if child is not None:
            yield from _leaves(child, f"{path}.{name}".lstrip("."))


@torch.no_grad()
def _resolved(module: nn.Module, crop: int) -> list[_Part]:
    """Read every part, with the size it meets at this crop; flatten before the first linear layer."""
    parts, x = [], _noise(module, crop)
    for path, leaf in _leaves(module):
        if isinstance(leaf, nn.Linear) and x.ndim == 4:
            parts.append(_Part(path, "flatten", nn.Flatten()))
            x = x.flatten(1)
        if isinstance(leaf, _BATCH_NORMS):
            parts[-1:] = [_folded(path, leaf, parts[-1] if parts else None)]
        elif part := _read(path, leaf, x):
            parts.append(part)
            x = _run(part, x)
    return parts


def _chain(parts: Sequence[_Part], x: Tensor) -> Tensor:
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
            f"{part.path} ({part.module}) does not fit its input {tuple(x.shape)}: {reason}. Parts are read one after "
            "the other: nets with shortcuts or branches cannot be adapted."
        ) from None


def _read(path: str, module: nn.Module, x: Tensor) -> _Part | None:
    """Turn one part into an operation; None where it does nothing."""
    for kind, reader in _READERS.items():
        if isinstance(module, kind):
            return reader(path, module, x)
    what = f"{path or 'The net'} is a {type(module).__name__}, which cannot be read"
    if type(module).__module__ == nn.ReLU.__module__:
        raise ZfnetError(
            f"{what}: the deconvnet rectifies (section 2.1), so of all non-linearities only ReLU is known."
        )
    names = sorted(kind.__name__ for kind in (*_READERS, *_BATCH_NORMS))
    raise ZfnetError(f"{what}; expected a chain of {', '.join(names)}.")


def _refuse(path: str, module: nn.Module, option: str, expected: str) -> None:
    raise ZfnetError(f"{path} ({module}) has {option}={getattr(module, option)!r}; expected {expected}.")


def _conv(path: str, module: nn.Conv2d, x: Tensor) -> _Part:
    if module.padding_mode != "zeros":
        _refuse(path, module, "padding_mode", "zeros")
    if isinstance(module.padding, str):
        module = _padded_in_numbers(path, module)
    return _Part(path, "conv", module)


def _padded_in_numbers(path: str, module: nn.Conv2d) -> nn.Conv2d:
    """Spell out padding="same" and "valid"."""
    reach = [d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True)]
    if module.padding == "same" and any(pixels % 2 for pixels in reach):
        _refuse(path, module, "padding", "as much on both sides, so windows of odd size")
    plain = copy(module)
    plain.padding = tuple(pixels // 2 if module.padding == "same" else 0 for pixels in reach)
    return plain


def _pool(path: str, module: nn.MaxPool2d, x: Tensor) -> _Part:
    if module.return_indices:
        _refuse(path, module, "return_indices", "False")
    return _Part(path, "pool", module)


def _adaptive(path: str, module: nn.AdaptiveAvgPool2d, x: Tensor) -> _Part | None:
    """At a fixed crop it is nothing at all, an average over equal windows, or one over windows of unequal sizes."""
    sides, size = x.shape[2:], module.output_size
    sizes = size if isinstance(size, tuple) else (size, size)
    outs = tuple(side if out is None else out for side, out in zip(sides, sizes, strict=True))
    if outs == tuple(sides):
        return None
    if any(side % out for side, out in zip(sides, outs, strict=True)):
        return _Part(path, "average", nn.AdaptiveAvgPool2d(outs))
    return _Part(path, "average", nn.AvgPool2d(tuple(side // out for side, out in zip(sides, outs, strict=True))))


def _norm(path: str, module: nn.LocalResponseNorm, x: Tensor) -> _Part:
    return _Part(path, "norm", ContrastNorm(module.size, module.alpha, module.beta, module.k))


def _flatten(path: str, module: nn.Flatten, x: Tensor) -> _Part | None:
    return _Part(path, "flatten", nn.Flatten()) if x.ndim == 4 else None


def _kind(kind: str) -> Callable[[str, nn.Module, Tensor], _Part]:
    return lambda path, module, x: _Part(path, kind, module)


def _dropout(path: str, module: nn.Dropout, x: Tensor) -> _Part:
    return _Part(path, "dropout", nn.Dropout(module.p))


_READERS: dict[type[nn.Module], Callable[[str, nn.Module, Tensor], _Part | None]] = {
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


# ------------------------------------------------------------------------------------------------ batch normalisation

_BATCH_NORMS = (nn.BatchNorm2d, nn.BatchNorm1d)


def _folded(path: str, norm: nn.BatchNorm2d, before: _Part | None) -> _Part:
    """The layer before a batch normalisation, with the normalisation's scale and shift in its weights and biases."""
    if before is None or before.kind not in ("conv", "linear"):
        raise ZfnetError(
            f"{path} ({norm}) comes after {before.path if before else 'nothing'}; expected it right after a "
            "convolution or a linear layer, into which it can be folded."
        )
    if norm.running_var is None:
        _refuse(path, norm, "track_running_stats", "True, since without statistics it depends on the other pictures")
    layer = deepcopy(before.module)  # which may be used a second time without this normalisation
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    scale = scale if norm.weight is None else scale * norm.weight.double()
    shift = -norm.running_mean.double() * scale + (0 if norm.bias is None else norm.bias.double())
    bias = shift if layer.bias is None else shift + layer.bias.double() * scale
    weight = layer.weight.double() * scale.reshape(-1, *[1] * (layer.weight.ndim - 1))
    layer.weight = nn.Parameter(weight.to(layer.weight.dtype))
    layer.bias = nn.Parameter(bias.to(layer.weight.dtype))
    return before._replace(module=layer)


# ------------------------------------------------------------------------------------------------ names and checks


def _named(parts: Sequence[_Part]) -> tuple[list[Operation], dict[str, int]]:
    """Name operations after the layer they belong to; a layer's output is taken after its ReLU."""
    operations, layers, number, learned = [], {}, 0, ""
    for index, part in enumerate(parts):
        if part.kind in ("conv", "linear"):
            number += 1
            learned = f"{'conv' if part.kind == 'conv' else 'fc'}{number}"
        public = {"conv": learned, "linear": learned, "relu": learned}.get(part.kind, f"{part.kind}{number}")
        name = _free(f"relu{number}" if part.kind == "relu" else public, {one.name for one in operations})
        operations.append(Operation(name, part.kind, part.module))
        if part.kind in ("conv", "linear", "pool", "average", "norm") or (part.kind == "relu" and learned):
            layers[public if part.kind == "relu" else name] = index
    return operations, layers


def _free(name: str, taken: set[str]) -> str:
    """`pool2`, or `pool2b` where layer 2 has a second pool."""
    return next(
        one for one in (name, *(f"{name}{letter}" for letter in "bcdefghijklmnopqrstuvwxyz")) if one not in taken
    )


def _image(mean: Tensor | Sequence[float] | None, crop: int) -> Tensor:
    values = torch.as_tensor([0.0, 0.0, 0.0] if mean is None else mean, dtype=torch.float32)
    if values.shape == (3,):
        return rgb_image(values, round(crop * 256 / 224), "mean")
    if values.ndim == 3 and values.shape[0] == 3 and values.shape[1] == values.shape[2] >= crop:
        return values
    raise ZfnetError(f"The mean has shape {tuple(values.shape)}; expected 3 numbers or (3, S, S), S at least {crop}.")


@torch.no_grad()
def _compare(module: nn.Module, net: Network, crop: int) -> None:
    """Both must give the same numbers: a forward pass of one's own (a shortcut, a reshape) shows here."""
    images = _noise(module, crop)
    theirs, ours = _theirs(module, images), net.to(images.device)(images)
    if theirs.shape != ours.shape or not torch.allclose(theirs, ours, rtol=1e-3, atol=1e-4 * float(ours.abs().max())):
        raise ZfnetError(
            f"{type(module).__name__} computes something else than its parts one after the other (a shortcut, a branch "
            "or a function in its forward pass?); only plain chains can be adapted."
        )


def _theirs(module: nn.Module, images: Tensor) -> Tensor:
    try:
        return deepcopy(module).eval()(images)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise ZfnetError(f"{type(module).__name__} itself fails on inputs {tuple(images.shape)}: {reason}.") from None


@torch.no_grad()
def _divide_first(net: Network, std: Sequence[float]) -> None:
    """Let the first convolution divide the colours, so that its inputs need not be."""
    first = next(operation.module for operation in net.operations if operation.kind == "conv")
    first.weight.div_(rgb_vector(std, "std", first.weight.dtype).to(first.weight.device)[:, None, None])
