"""An adapted net as plain data, so that it can be kept in the same file format as our own nets.

Our nets are described by their `Architecture`; a foreign one is the list of its operations with their options, as
JSON: {"crop": 224, "size": 256, "classes": 1000, "operations": [{"name": "conv1", "kind": "conv", "options": {…},
"layer": null}, {"name": "relu1", "kind": "relu", "options": {}, "layer": "conv1"}, …]}. A file is untrusted input: it
can name no code but the modules of `_MODULES`, and a net is tried out without memory before its weights are read.
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
Sides = Annotated[list[Whole], Field(min_length=2, max_length=4)]  # a window's height and width, the pads of four sides


class _Described(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Part(_Described):
    name: str = Field(pattern=r"^[a-z]+\d+[a-z]?$")
    kind: str
    options: dict[str, bool | Whole | Number | Sides | None]
    layer: str | None = Field(pattern=r"^[a-z]+\d+[a-z]?$")


class _Chain(_Described):
    crop: Side
    size: Side
    classes: Count
    operations: list[_Part] = Field(min_length=1, max_length=1000)


def to_json(net: Network) -> dict[str, Any]:
    """Describe the operations of a net."""
    public = {index: layer for layer, index in net.layers.items()}
    operations = [
        {"name": one.name, **_described(one.module, one.kind), "layer": public.get(index)}
        for index, one in enumerate(net.operations)
    ]
    return {"crop": net.crop, "size": net.size, "classes": net.classes, "operations": operations}


def from_json(data: Any) -> Network:
    """Build the net that `to_json` described, with torch's initial weights.

    Raises
    ------
    ZfnetError
        A key or value is wrong, or the operations do not fit one another; the sentence names it.
    """
    try:
        chain = _Chain.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise ZfnetError(f"Not the description of an adapted net ({place}: {first['msg']}).") from None
    operations = [_built(part) for part in chain.operations]
    layers = {part.layer: index for index, part in enumerate(chain.operations) if part.layer}
    if len({one.name for one in operations}) < len(operations) or not layers or chain.size < chain.crop:
        raise ZfnetError("Not the description of an adapted net (names twice, no layers, or a crop beyond its square).")
    _try_out(operations, chain.crop, chain.classes)
    return Network(operations, layers, chain.crop, chain.size, chain.classes)


@torch.no_grad()
def _try_out(operations: Sequence[Operation], crop: int, classes: int) -> None:
    """Run the operations without memory, so that one that does not fit its input is named."""
    images = torch.empty(2, 3, crop, crop, device="meta")
    for operation in operations:
        if operation.kind == "norm":  # fits any maps and keeps their shape
            continue
        try:
            images = operation.module(images)
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            raise ZfnetError(
                f"{operation.name} does not fit its input {tuple(images.shape)} ({first_line(error)})."
            ) from None
    if images.shape != (2, classes):
        raise ZfnetError(f"The net gives {tuple(images.shape)} for two pictures; expected {(2, classes)}.")


def _described(module: nn.Module, kind: str) -> dict[str, Any]:
    kind = "adaptive" if isinstance(module, nn.AdaptiveAvgPool2d) else kind
    options = {name: getattr(module, name) for name in _MODULES[kind][1]}
    if kind in ("conv", "linear"):
        options["bias"] = module.bias is not None
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}
    return {"kind": kind, "options": plain}


def _built(part: _Part) -> Operation:
    if part.kind not in _MODULES:
        raise ZfnetError(f"{part.name}: there is no operation {part.kind!r}; there are {', '.join(_MODULES)}.")
    module, names = _MODULES[part.kind]
    if set(part.options) - {"bias"} != set(names):
        raise ZfnetError(f"{part.name}: has the options {', '.join(part.options)}; expected {', '.join(names)}.")
    options = {name: tuple(value) if isinstance(value, list) else value for name, value in part.options.items()}
    try:
        with torch.device("meta"):
            made = module(**options)
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise ZfnetError(f"{part.name}: {error}.") from None
    return Operation(part.name, "average" if part.kind == "adaptive" else part.kind, made)
