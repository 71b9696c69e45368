"""Functions and methods of torch as the modules that compute the same, and without changing their input in place."""

import operator
from copy import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from zfnet.nets.graph_operations import Mean

# Steps that pass their input on at evaluation.
PASSED = {
    *("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"),
    *("stochastic_depth", "drop_block2d", "drop_block3d", "clone", "detach"),
}
_POOL = ("kernel_size", "stride", "padding")
_MODULES: dict[str, tuple[type[nn.Module], tuple[str, ...]]] = {  # name -> module, its options in the function's order
    "relu": (nn.ReLU, ("inplace",)),
    "relu6": (nn.ReLU6, ("inplace",)),
    "leaky_relu": (nn.LeakyReLU, ("negative_slope", "inplace")),
    "sigmoid": (nn.Sigmoid, ()),
    "hardsigmoid": (nn.Hardsigmoid, ("inplace",)),
    "hardswish": (nn.Hardswish, ("inplace",)),
    "silu": (nn.SiLU, ("inplace",)),
    "gelu": (nn.GELU, ("approximate",)),
    "max_pool2d": (nn.MaxPool2d, (*_POOL, "dilation", "ceil_mode", "return_indices")),
    "avg_pool2d": (nn.AvgPool2d, (*_POOL, "ceil_mode", "count_include_pad", "divisor_override")),
    "adaptive_avg_pool2d": (nn.AdaptiveAvgPool2d, ("output_size",)),
    "interpolate": (nn.Upsample, ("size", "scale_factor", "mode", "align_corners", "recompute_scale_factor")),
    "mean": (Mean, ("dim", "keepdim")),
}
_OUT_OF_PLACE = {  # operators such as +=
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    operator.itruediv: operator.truediv,
}


def without_place(target: Any, args: Any, kwargs: Any) -> tuple[Any, Any, Any, bool]:
    """Return the same call without changing its input, and whether it did change it."""
    if isinstance(target, nn.Module):
        if not getattr(target, "inplace", False):
            return target, args, kwargs, False
        changed: Any = copy(target)
        changed.inplace = False
        return changed, args, kwargs, True
    if target in _OUT_OF_PLACE:
        return _OUT_OF_PLACE[target], args, kwargs, True
    if target == "view" and not any(isinstance(arg, torch.dtype) for arg in args):
        target = "reshape"  # the same, also for other orders in memory
    name = target if isinstance(target, str) else getattr(target, "__name__", "")
    if name.endswith("_") and not name.endswith("__"):
        plain = name[:-1] if isinstance(target, str) else getattr(F, name[:-1], None) or getattr(torch, name[:-1])
        return plain, args, kwargs, True
    if kwargs.get("inplace") is True:
        return target, args, {**kwargs, "inplace": False}, True
    return target, args, kwargs, _given_in_place(name, args)


def _given_in_place(name: str, args: Any) -> bool:
    """Return whether `inplace` is True among the positional arguments, as in F.relu(x, True)."""
    options = _MODULES.get(name, (None, ()))[1]
    return "inplace" in options and len(args) > 1 + options.index("inplace") and args[1 + options.index("inplace")]


def as_module(target: Any, args: Any, kwargs: Any, x: Tensor, output: Tensor) -> nn.Module | None:
    """Return the module that computes the same as a function of `x` with these further arguments; None: unknown."""
    name = target if isinstance(target, str) else getattr(target, "__name__", "")
    if name in ("flatten", "view", "reshape") and x.ndim == 4 and output.ndim == 2:
        return nn.Flatten() if torch.equal(output, x.flatten(1)) else None
    if target is F.max_pool2d:
        name = "max_pool2d"
    if name not in _MODULES:
        return None
    module, names = _MODULES[name]
    options = dict(zip(names, args, strict=False)) | {key: value for key, value in kwargs.items() if key in names}
    if len(args) > len(names) or kwargs.keys() - set(names) or _has_node(options):
        return None
    options.pop("inplace", None)
    if name == "mean":
        options["dim"] = _all_of(options.get("dim"))
        return Mean(**options) if len(options["dim"]) == 2 else None
    return module(**options)


def _has_node(options: dict[str, Any]) -> bool:
    found: list[fx.Node] = []
    fx.node.map_arg(options, found.append)
    return bool(found)


def _all_of(dim: Any) -> tuple[int, ...]:
    return (dim,) if isinstance(dim, int) else tuple(dim or ())
