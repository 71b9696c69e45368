"""The nets of Zeiler & Fergus (Figure 3) and Krizhevsky et al. (Figure 2) as data, without torch.

A net is a table of layers (`layer_table`). Variants edit that table at full size; `width` then scales the result. Sizes
follow cuda-convnet, which both papers used: the last window may extend beyond the right and bottom edge, where it reads
zeros, so `out = 1 + ceil((2 padding + n - kernel) / stride)` (D2, D3). For convolutions this overhang is an explicit
padding operation.

Decisions: D4 (order of norm and pool), D5 (alpha of the norm), D23 (groups are kept when layers are removed),
D32 (layers keep the paper's numbers when others are removed).
"""

import math
from collections.abc import Iterator
from dataclasses import field, replace
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from zfnet.core.errors import ZfnetError
from zfnet.core.suggest import require_known
from zfnet.nets.layer_table import POOL_STRIDE, TABLES, Changes, Conv, Count, Full, Layer, apply_changes, scale

NormAlpha = Literal["over_n", "per_term"]
_STRICT = ConfigDict(extra="forbid")
NAMES = tuple(TABLES)
CLASSIFIER = 8
FULL_CROP = 224


class OpSpec(NamedTuple):
    """One operation of a net, with its sizes resolved."""

    name: str
    kind: str
    options: dict[str, Any]  # arguments of the torch module
    layer: str | None  # public name of the output, if it has one
    shape: tuple[int, ...]  # of the output: (maps, side, side) or (units,)


@dataclass(frozen=True, config=_STRICT)
class Architecture:
    """A complete description of a net; `to_json` and `from_json` are exact inverses.

    Attributes
    ----------
    name : `zf` or `krizhevsky`.
    classes : outputs of layer 8.
    width : factor on all maps and units except the classes, rounded to multiples of 4; exact at 1.
    crop : side of the input, pixels.
    size : side of the mean image, pixels.
    norm_alpha : `over_n`: alpha is 1e-4 and divided by n = 5; `per_term`: alpha / n is 1e-4 (D5).
    dropout : dropout probability in layers 6 and 7.
    changes : see `Changes`.
    """

    name: str
    classes: Count = 1000
    width: Annotated[float, Field(gt=0, le=64)] = 1.0
    crop: Count = FULL_CROP
    size: Count = 256
    norm_alpha: NormAlpha = "over_n"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    changes: Changes = field(default_factory=Changes)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The table of layers after all changes, without the classifier (layer 8)."""
        return tuple(scale(layer, self.width) for layer in apply_changes(TABLES[self.name], self.changes))

    def plan(self) -> list[OpSpec]:
        """Return every operation in order, with resolved sizes."""
        return list(_plan(self))

    def fan_ins(self) -> dict[str, int]:
        """Return the fan-in of each learned operation: {"conv1": 147, …, "fc8": 4096} for the published ZF net."""
        return {spec.name: _fan_in(spec) for spec in self.plan() if spec.kind in ("conv", "linear")}

    def full_size(self) -> "Architecture":
        """Return the same net, with the same changes, at width 1 and a 224 crop (D33)."""
        return replace(self, width=1.0, crop=FULL_CROP, size=256)

    def to_json(self) -> dict[str, Any]:
        """Return the description as JSON data."""
        return TypeAdapter(Architecture).dump_python(self, mode="json")

    @staticmethod
    def from_json(data: Any) -> "Architecture":
        """Read the data that `to_json` returned.

        Raises
        ------
        ZfnetError
            A key or value is wrong; the message names it.
        """
        try:
            architecture = TypeAdapter(Architecture).validate_python(data)
        except ValidationError as error:
            raise ZfnetError(f"Not an architecture: {_first_mistake(error)}.") from None
        _check(architecture)
        return architecture


def describe(
    name: str,
    classes: int = 1000,
    width: float = 1.0,
    crop: int = FULL_CROP,
    size: int | None = None,
    norm_alpha: NormAlpha = "over_n",
    dropout: float = 0.5,
    **changes: Any,
) -> Architecture:
    """Describe a net.

    The arguments are those of `Architecture`, then those of `Changes`. `size` None stands for crop * 256 / 224.

    Raises
    ------
    ZfnetError
        There is an unknown name, change or value, or the crop is too small for the layers.

    Examples
    --------
    >>> describe("zf", classes=102, width=0.25, crop=112).size
    128
    >>> [layer.number for layer in describe("krizhevsky", remove=(3, 4)).layers]
    [1, 2, 5, 6, 7]
    """
    require_known(name, NAMES, "net")
    for change in changes:
        require_known(change, [*Changes.__dataclass_fields__], "change")
    size = round(crop * 256 / FULL_CROP) if size is None else size
    shape = {"name": name, "classes": classes, "width": width, "crop": crop, "size": size}
    return Architecture.from_json({**shape, "norm_alpha": norm_alpha, "dropout": dropout, "changes": changes})


def _first_mistake(error: ValidationError) -> str:
    mistake = error.errors()[0]
    return f"{'.'.join(map(str, mistake['loc'])) or 'it'}: {mistake['msg']} (found {str(mistake['input'])[:80]!r})"


def _check(architecture: Architecture) -> None:
    """Check what single fields cannot: names, layer numbers, groups and sizes."""
    require_known(architecture.name, NAMES, "net")
    table, changes = TABLES[architecture.name], architecture.changes
    for number in changes.remove:
        require_known(number, [layer.number for layer in table], "layer to remove")
    for number in (*changes.maps, *changes.paddings):
        kept = [layer.number for layer in table if isinstance(layer, Conv) and layer.number not in changes.remove]
        require_known(number, kept, "convolutional layer")
    if architecture.crop > architecture.size:
        raise ZfnetError(
            f"A crop of {architecture.crop} px does not fit into a square of {architecture.size} px; make the crop "
            "smaller or the square larger."
        )
    architecture.plan()  # raises where groups or sizes do not fit


def _plan(net: Architecture) -> Iterator[OpSpec]:
    maps, side = 3, net.crop  # shape so far: (maps, side, side)
    convs = [layer for layer in net.layers if isinstance(layer, Conv)]
    for layer in convs:
        for spec in _conv_layer(layer, net, maps, side):
            maps, side = spec.shape[:2]
            yield spec
    units = maps * side * side  # shape from here on: (units,)
    yield OpSpec("flatten", "flatten", {}, None, (units,))
    for full in net.layers:
        if isinstance(full, Full):
            yield from _full_layer(full, net, units)
            units = full.units
    yield OpSpec(f"fc{CLASSIFIER}", "linear", _linear(units, net.classes), f"fc{CLASSIFIER}", (net.classes,))


def _conv_layer(layer: Conv, net: Architecture, maps: int, side: int) -> Iterator[OpSpec]:
    n, name = layer.number, f"conv{layer.number}"
    if maps % layer.groups or layer.maps % layer.groups:
        raise ZfnetError(
            f"{name} of {net.name} has {layer.groups} groups, which do not divide its {maps} input and {layer.maps} "
            "output maps; choose multiples of the number of groups."
        )
    out, overhang = _windows(side, layer.kernel, layer.stride, layer.padding, name, net)
    if overhang:
        shape = (maps, side + overhang, side + overhang)
        yield OpSpec(f"pad{n}", "pad", {"padding": (0, overhang, 0, overhang)}, None, shape)
    yield OpSpec(name, "conv", _convolution(layer, maps), None, (layer.maps, out, out))
    for kind in layer.then:
        if kind == "pool":
            out, _ = _windows(out, net.changes.pool_kernel, POOL_STRIDE, 0, f"pool{n}", net)
        yield OpSpec(f"{kind}{n}", kind, _options(kind, net), _public(kind, n), (layer.maps, out, out))


def _convolution(layer: Conv, maps: int) -> dict[str, int]:
    return {
        "in_channels": maps,
        "out_channels": layer.maps,
        "kernel_size": layer.kernel,
        "stride": layer.stride,
        "padding": layer.padding,
        "groups": layer.groups,
    }


def _public(kind: str, number: int) -> str:
    """Return the paper's name of an output: convN is the output of the ReLU after the convolution."""
    return f"conv{number}" if kind == "relu" else f"{kind}{number}"


def _options(kind: str, net: Architecture) -> dict[str, Any]:
    if kind == "pool":
        return {"kernel_size": net.changes.pool_kernel, "stride": POOL_STRIDE, "ceil_mode": True}
    return {"alpha": 1e-4 if net.norm_alpha == "over_n" else 5e-4} if kind == "norm" else {}


def _full_layer(layer: Full, net: Architecture, units: int) -> Iterator[OpSpec]:
    n, shape = layer.number, (layer.units,)
    yield OpSpec(f"fc{n}", "linear", _linear(units, layer.units), None, shape)
    yield OpSpec(f"relu{n}", "relu", {}, f"fc{n}", shape)
    yield OpSpec(f"dropout{n}", "dropout", {"p": net.dropout}, None, shape)


def _linear(units: int, outputs: int) -> dict[str, int]:
    return {"in_features": units, "out_features": outputs}


def _windows(side: int, kernel: int, stride: int, padding: int, name: str, net: Architecture) -> tuple[int, int]:
    """Return the number of windows, and by how many pixels the last one extends beyond the padded input.

    cuda-convnet rounds the number of windows up where torch's convolutions round it down.
    """
    room = side + 2 * padding - kernel
    windows = 1 + math.ceil(room / stride)
    if windows < 1:
        raise ZfnetError(
            f"A crop of {net.crop} px is too small for {net.name}: the input of {name} is {side} px wide, its window "
            f"{kernel} px; choose a larger crop."
        )
    return windows, (windows - 1) * stride - room


def _fan_in(spec: OpSpec) -> int:
    options = spec.options
    if spec.kind == "linear":
        return options["in_features"]
    return options["in_channels"] // options["groups"] * options["kernel_size"] ** 2
