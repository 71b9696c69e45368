"""Adapted nets as plain data, so that they can be saved in the same file format as our own nets.

Our nets are described by their `Architecture`, an adapted one by the list of its operations with their options, as
JSON: {"crop": 224, "size": 256, "classes": 1000, "operations": [{"name": "conv1", "kind": "conv", "options": {…},
"layer": null}, {"name": "relu1", "kind": "relu", "options": {}, "layer": "conv1"}, …]}. In a net with branches an
operation also has "sources", the numbers of the operations it takes (-1: the images), and the net has "groups": names
of modules with the number of their last operation. Files are untrusted input: they can only name the modules of
`_MODULES`, and the net is run on the meta device, which allocates nothing, before its weights are read.
"""

from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import nn

from zfnet.core.errors import ZfnetError, first_line
from zfnet.nets.contrast_norm import ContrastNorm
from zfnet.nets.graph_operations import Add, Concatenate, Mean, Multiply, Scale
from zfnet.nets.network import IMAGES, Network, Operation

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
    # Of nets with branches.
    "batchnorm": (nn.BatchNorm2d, ("num_features", "eps", "affine")),
    "relu6": (nn.ReLU6, ()),
    "leaky_relu": (nn.LeakyReLU, ("negative_slope",)),
    "sigmoid": (nn.Sigmoid, ()),
    "hardsigmoid": (nn.Hardsigmoid, ()),
    "silu": (nn.SiLU, ()),
    "hardswish": (nn.Hardswish, ()),
    "gelu": (nn.GELU, ()),
    "add": (Add, ()),
    "multiply": (Multiply, ()),
    "concatenate": (Concatenate, ("dim",)),
    "mean": (Mean, ("dim", "keepdim")),
    "scale": (Scale, ("channels", "reverse")),
}
_KINDS = {  # kind in the file -> kind of the operation, where they differ
    **{"adaptive": "average", "relu6": "rectifier", "leaky_relu": "rectifier", "mean": "function"},
    **{"sigmoid": "function", "hardsigmoid": "function"},
    **{"silu": "activation", "hardswish": "activation", "gelu": "activation"},
}
_NAME = r"^_?[A-Za-z0-9][A-Za-z0-9_-]*(\._?[A-Za-z0-9][A-Za-z0-9_-]*)*$"
Source = Annotated[int, Field(ge=-1, le=10**5)]
Count = Annotated[int, Field(gt=0, le=10**6)]
Side = Annotated[int, Field(gt=0, le=10**4)]
Number = Annotated[float, Field(ge=-(10**6), le=10**6)]
Whole = Annotated[int, Field(ge=0, le=10**6)]
Sides = Annotated[list[Whole], Field(min_length=2, max_length=4)]  # height and width of a window, or padding of 4 sides


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _OpSpec(_Strict):
    name: str = Field(pattern=_NAME, max_length=200)
    kind: str
    options: dict[str, bool | Whole | Number | Sides | None]
    layer: str | None = Field(pattern=_NAME, max_length=200)
    sources: list[Source] = Field([], max_length=1000)


class _Chain(_Strict):
    crop: Side
    size: Side
    classes: Count
    operations: list[_OpSpec] = Field(min_length=1, max_length=10_000)
    groups: dict[str, Whole] = {}


def to_json(net: Network) -> dict[str, Any]:
    """Describe the operations of a net as JSON data."""
    names = [operation.name for operation in net.operations]
    groups = {name: index for name, index in net.layers.items() if name not in names and _is_group(net, name)}
    layers = {index: layer for layer, index in net.layers.items() if layer not in groups}
    operations = [
        {"name": operation.name, **_describe(operation), "layer": layers.get(index), **_sources(operation, index)}
        for index, operation in enumerate(net.operations)
    ]
    found = {"crop": net.crop, "size": net.size, "classes": net.classes, "operations": operations}
    return found | ({"groups": groups} if groups else {})


def _is_group(net: Network, name: str) -> bool:
    """Return whether a layer is a module around its operation; in a chain `conv1` is the ReLU after it."""
    return any(operation.name.startswith(f"{name}.") for operation in net.operations)


def _sources(operation: Operation, index: int) -> dict[str, Any]:
    return {} if operation.sources == (index - 1,) else {"sources": list(operation.sources)}


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
    layers = {spec.layer: index for index, spec in enumerate(chain.operations) if spec.layer} | chain.groups
    if len({operation.name for operation in operations}) < len(operations) or not layers or chain.size < chain.crop:
        raise ZfnetError(
            "Not the description of an adapted net (repeated names, no layers, or a crop larger than its square)."
        )
    for index, operation in enumerate(operations):
        if any(source >= index for source in operation.sources):
            raise ZfnetError(f"{operation.name}: takes the output of an operation that does not come before it.")
    if any(index >= len(operations) for index in chain.groups.values()):
        raise ZfnetError("Not the description of an adapted net (a group ends after the last operation).")
    layers = dict(sorted(layers.items(), key=lambda layer: layer[1]))
    with torch.device("meta"):
        net = Network(operations, layers, chain.crop, chain.size, chain.classes)
    _check_shapes(net)
    return net


@torch.no_grad()
def _check_shapes(net: Network) -> None:
    """Run the operations on the meta device, to name the first one that does not fit its input."""
    values = {IMAGES: torch.empty(2, 3, net.crop, net.crop, device="meta")}
    for index, operation in enumerate(net.operations):
        inputs = [values[source] for source in operation.sources]
        try:
            # A contrast norm accepts any input and keeps its shape.
            values[index] = inputs[0] if operation.kind == "norm" else operation.module(*inputs)
            assert isinstance(values[index], torch.Tensor), "its output is no tensor"
        except Exception as error:  # whatever torch raises on strange options
            shapes = ", ".join(str(tuple(x.shape)) for x in inputs)
            raise ZfnetError(f"{operation.name} does not fit its input {shapes} ({first_line(error)}).") from None
    if values[index].shape != (2, net.classes):
        raise ZfnetError(
            f"The output for two images has shape {tuple(values[index].shape)}; expected {(2, net.classes)}."
        )


def _describe(operation: Operation) -> dict[str, Any]:
    module = operation.module
    kind = next((kind for kind, (module_type, _) in _MODULES.items() if type(module) is module_type), None)
    if kind is None or getattr(module, "approximate", "none") != "none":
        raise ZfnetError(
            f"{operation.name} ({type(module).__name__}) has no place in the file format, so this net cannot be saved "
            "by zfnet; keep its own weights file and adapt it again."
        )
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
    empty = [name for name, value in spec.options.items() if value is None and name != "divisor_override"]
    if empty or (spec.kind == "norm" and not spec.options["size"]):
        raise ZfnetError(f"{spec.name}: {(empty or ['size'])[0]} has no value; expected a number above 0.")
    options = {name: tuple(value) if isinstance(value, list) else value for name, value in spec.options.items()}
    try:
        with torch.device("meta"):
            module = module_type(**options)
    except Exception as error:  # whatever torch raises on strange options
        raise ZfnetError(f"{spec.name}: {first_line(error)}.") from None
    return Operation(spec.name, _KINDS.get(spec.kind, spec.kind), module.eval(), tuple(spec.sources))
