"""Adapted nets as plain data, so that they can be saved in the same file format as our own nets.

Our nets are described by their `Architecture`, an adapted one by the list of its operations with their options, as
JSON: {"crop": 224, "size": 256, "classes": 1000, "operations": [{"name": "conv1", "kind": "conv", "options": {…},
"layer": null}, {"name": "relu1", "kind": "relu", "options": {}, "layer": "conv1"}, …]}. Files are untrusted input: they
can only name the modules of `_MODULES`, and the net is run on the meta device, which allocates nothing, before its
weights are read.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import nn

from zfnet.core.errors import ZfnetError, first_line
from zfnet.nets.contrast_norm import ContrastNorm
from zfnet.nets.network import Network, Operation

_WINDOW = ("kernel_size", "stride", "padding")
_MODULES: dict[str, tuple[type[nn.Module], tuple[str, ...]]] = {  # kind in the file -> module and its options
    "conv": (nn.Conv2d, ("in_channels", "out_channels", *_WINDOW, "dilation", "groups")),
    "linear": (nn.Linear, ("in_features", "out_features")),
    "pool": (nn.MaxPool2d, (*_WINDOW, "dilation", "ceil_mode")),
    "average": (nn.AvgPool2d, (*_WINDOW, "ceil_mode", "count_include_pad", "divisor_override")),
    "adaptive": (nn.AdaptiveAvgPool2d, ("output_size",)),
    "norm": (ContrastNorm, ("size", "alpha", "beta", "k")),
    "pad": (nn.ZeroPad2d, ("padding",)),
    "dropout": (nn.Dropout, ("p",)),
    "relu": (nn.ReLU, ()),
    "flatten": (nn.Flatten, ()),
}
Count = Annotated[int, Field(gt=0, le=10**6)]
Side = Annotated[int, Field(gt=0, le=10**4)]
Number = Annotated[float, Field(ge=-(10**6), le=10**6)]
Whole = Annotated[int, Field(ge=0, le=10**6)]
Sides = Annotated[list[Whole], Field(min_length=2, max_length=4)]  # height and width of a window, or padding of 4 sides


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _OpSpec(_Strict):
    name: str = Field(pattern=r"^[a-z]+\d+[a-z]?$")
    kind: str
    options: dict[str, bool | Whole | Number | Sides | None]
    layer: str | None = Field(pattern=r"^[a-z]+\d+[a-z]?$")


class _Chain(_Strict):
    crop: Side
    size: Side
    classes: Count
    operations: list[_OpSpec] = Field(min_length=1, max_length=1000)


def to_json(net: Network) -> dict[str, Any]:
    """Describe the operations of a net as JSON data."""
    layers = {index: layer for layer, index in net.layers.items()}
    operations = [
        {"name": operation.name, **_describe(operation), "layer": layers.get(index)}
        for index, operation in enumerate(net.operations)
    ]
    return {"crop": net.crop, "size": net.size, "classes": net.classes, "operations": operations}


def from_json(data: Any) -> Network:
    """Build the net that `to_json` described, with torch's initial weights.

    Raises
    ------
    ZfnetError
        A key or value is wrong, or an operation does not fit its input; the message names it.
    """
    try:
        chain = _Chain.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise ZfnetError(f"Not the description of an adapted net ({place}: {first['msg']}).") from None
    operations = [_build(spec) for spec in chain.operations]
    layers = {spec.layer: index for index, spec in enumerate(chain.operations) if spec.layer}
    if len({operation.name for operation in operations}) < len(operations) or not layers or chain.size < chain.crop:
        raise ZfnetError(
            "Not the description of an adapted net (repeated names, no layers, or a crop larger than its square)."
        )
    _check_shapes(operations, chain.crop, chain.classes)
    return Network(operations, layers, chain.crop, chain.size, chain.classes)


@torch.no_grad()
def _check_shapes(operations: Sequence[Operation], crop: int, classes: int) -> None:
    """Run the operations on the meta device, to name the first one that does not fit its input."""
    x = torch.empty(2, 3, crop, crop, device="meta")
    for operation in operations:
        if operation.kind == "norm":  # accepts any input and keeps its shape
            continue
        try:
            x = operation.module(x)
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            raise ZfnetError(
                f"{operation.name} does not fit its input {tuple(x.shape)} ({first_line(error)})."
            ) from None
    if x.shape != (2, classes):
        raise ZfnetError(f"The output for two images has shape {tuple(x.shape)}; expected {(2, classes)}.")


def _describe(operation: Operation) -> dict[str, Any]:
    module = operation.module
    kind = "adaptive" if isinstance(module, nn.AdaptiveAvgPool2d) else operation.kind
    options = {name: getattr(module, name) for name in _MODULES[kind][1]}
    if kind in ("conv", "linear"):
        options["bias"] = module.bias is not None
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}
    return {"kind": kind, "options": plain}


def _build(spec: _OpSpec) -> Operation:
    if spec.kind not in _MODULES:
        raise ZfnetError(f"{spec.name}: there is no operation {spec.kind!r}; there are {', '.join(_MODULES)}.")
    module_type, names = _MODULES[spec.kind]
    if set(spec.options) - {"bias"} != set(names):
        raise ZfnetError(f"{spec.name}: has the options {', '.join(spec.options)}; expected {', '.join(names)}.")
    options = {name: tuple(value) if isinstance(value, list) else value for name, value in spec.options.items()}
    try:
        with torch.device("meta"):
            module = module_type(**options)
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise ZfnetError(f"{spec.name}: {error}.") from None
    return Operation(spec.name, "average" if spec.kind == "adaptive" else spec.kind, module)
