"""The kind of each module: how the backward pass treats it (`zfnet.nets.graph_operations`)."""

from copy import copy
from typing import Any, NoReturn

from torch import Tensor, nn

from zfnet.core.errors import ZfnetError
from zfnet.nets.contrast_norm import ContrastNorm
from zfnet.nets.graph_operations import ACTIVATION_NAMES, ACTIVATIONS, RECTIFIERS

_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_KINDS: dict[str, Any] = {  # kinds whose modules are taken as they are
    "conv": nn.Conv2d,
    "relu": nn.ReLU,
    "rectifier": RECTIFIERS,
    "pool": nn.MaxPool2d,
    "average": (nn.AvgPool2d, nn.AdaptiveAvgPool2d),
    "norm": (ContrastNorm, nn.LocalResponseNorm),
    "pad": nn.ZeroPad2d,
    "flatten": nn.Flatten,
    "linear": nn.Linear,
    "batchnorm": _BATCH_NORMS,
    "activation": ACTIVATIONS,
}


def read_kind(target: Any, path: str = "", x: Tensor | None = None) -> Any:
    """Return the kind of a function or module; for a module with its input `x` also the module to run.

    A module that does nothing at evaluation becomes an `nn.Identity`.

    Raises
    ------
    ZfnetError
        The output of the module for one image depends on the other images.
    """
    if not isinstance(target, nn.Module):
        name = target if isinstance(target, str) else getattr(target, "__name__", "")
        return "activation" if name in ACTIVATION_NAMES else "function"
    if x is None:
        return "activation" if isinstance(target, ACTIVATIONS) else "function"
    if isinstance(target, nn.modules.batchnorm._BatchNorm) and target.running_var is None:
        expected = "True: without statistics the output depends on the rest of the minibatch"
        _refuse(path, target, "track_running_stats", expected)
    return _read(path, target, x)


def _read(path: str, module: Any, x: Tensor) -> tuple[str, nn.Module]:
    if isinstance(module, _DROPOUTS):
        return ("dropout", nn.Dropout(module.p)) if type(module) in (nn.Dropout, nn.Dropout2d) else _nothing()
    kind = next((kind for kind, types in _KINDS.items() if isinstance(module, types)), "function")
    match kind:
        case "relu":
            return kind, nn.ReLU()
        case "conv":
            return _conv(module)
        case "pool" if module.return_indices:
            _refuse(path, module, "return_indices", "False")
        case "average" if isinstance(module, nn.AdaptiveAvgPool2d):
            return _adaptive(module, x)
        case "norm" if isinstance(module, nn.LocalResponseNorm):
            return kind, ContrastNorm(module.size, module.alpha, module.beta, module.k)
        case "flatten":
            return _flatten(module, x)
    return kind, module


def _nothing() -> tuple[str, nn.Module]:
    return "dropout", nn.Identity()


def _refuse(path: str, module: nn.Module, option: str, expected: str) -> NoReturn:
    raise ZfnetError(f"{path} ({module}) has {option}={getattr(module, option)!r}; expected {expected}.")


def _conv(module: nn.Conv2d) -> tuple[str, nn.Module]:
    """Replace padding="same" or "valid" by numbers; with padding that is not zeros it is any other function."""
    if module.padding_mode != "zeros":
        return "function", module
    if not isinstance(module.padding, str):
        return "conv", module
    total = [d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True)]  # of "same", both sides
    if module.padding == "same" and any(pixels % 2 for pixels in total):
        return "function", module
    converted = copy(module)
    converted.padding = tuple(pixels // 2 if module.padding == "same" else 0 for pixels in total)
    return "conv", converted


def _adaptive(module: nn.AdaptiveAvgPool2d, x: Tensor) -> tuple[str, nn.Module]:
    """At a fixed crop this is the identity, an average over equal windows, or one over windows of unequal sizes."""
    sides, size = x.shape[2:], module.output_size
    sizes = size if isinstance(size, tuple) else (size, size)
    outs = tuple(side if out is None else out for side, out in zip(sides, sizes, strict=True))
    if outs == tuple(sides):
        return "average", nn.Identity()
    if any(side % out for side, out in zip(sides, outs, strict=True)):
        return "average", nn.AdaptiveAvgPool2d(outs)
    return "average", nn.AvgPool2d((sides[0] // outs[0], sides[1] // outs[1]))


def _flatten(module: nn.Flatten, x: Tensor) -> tuple[str, nn.Module]:
    if (module.start_dim, module.end_dim) not in ((1, -1), (1, x.ndim - 1)) or x.ndim not in (2, 4):
        return "function", module
    return "flatten", nn.Flatten() if x.ndim == 4 else nn.Identity()
