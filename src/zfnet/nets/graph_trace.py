"""Read the computation graph of a foreign net with torch.fx: every step of its forward method becomes an operation.

Modules of torch.nn are steps of their own; into all others the trace goes. A module that is used twice becomes two
operations, and none works in place: later uses of a value that was changed in place take the changed one. Steps that do
not depend on the images are computed once; sizes and tuples are part of the steps that use them. The operations are
those on which the output depends, so auxiliary heads, which serve training only, are left out.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_arg

from zfnet.core.errors import ZfnetError, first_line
from zfnet.nets.contrast_norm import ContrastNorm
from zfnet.nets.graph_functions import PASSED, as_module, without_place
from zfnet.nets.graph_kinds import read_kind
from zfnet.nets.graph_operations import Add, Call, Concatenate, Constant, Input, Multiply, Step, apply
from zfnet.nets.network import IMAGES

_OUTPUTS = ("out", "logits", "output")  # in a dictionary of outputs, the main one


class GraphStep(NamedTuple):
    """One operation of the net."""

    name: str  # the path of its module; for a function, of the module around it and the function's name
    kind: str
    module: nn.Module
    sources: tuple[int, ...]  # indices of steps, or IMAGES
    output: Tensor  # for two images of noise
    around: tuple[str, ...]  # paths of the modules around it, from the outermost


@dataclass
class _Value:
    """What a node of the trace stands for; `index` is None for a constant, and for a part of the steps that use it."""

    content: Any
    index: int | None = None
    constant: bool = False


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, ContrastNorm) or super().is_leaf_module(m, module_qualified_name)


def read_graph(module: nn.Module, images: Tensor) -> list[GraphStep]:
    """Return the steps of a net in eval mode, in order; the last one outputs the logits.

    Parameters
    ----------
    images : float (2, 3, crop, crop); sizes are those at this crop.

    Raises
    ------
    ZfnetError
        The forward method cannot be traced, or a module cannot be adapted.
    """
    return _GraphReader(module, images).read()


def _trace(module: nn.Module) -> fx.Graph:
    try:
        return _Tracer().trace(module)
    except Exception as error:  # whatever the forward method does with a placeholder
        raise ZfnetError(
            f"{type(module).__name__}: its forward method cannot be read as a graph ({first_line(error)}). Decisions "
            "that depend on the values of the input cannot be traced; write them without `if`, or adapt a part."
        ) from None


class _GraphReader:
    def __init__(self, module: nn.Module, images: Tensor) -> None:
        self.module, self.images = module, images
        self.values: dict[fx.Node, _Value] = {}
        self.steps: list[GraphStep] = []
        self.names = {path for path, part in module.named_modules() if not _Tracer().is_leaf_module(part, path)}

    @torch.no_grad()
    def read(self) -> list[GraphStep]:
        for node in _trace(self.module).nodes:
            match node.op:
                case "placeholder":
                    self.values[node] = self._placeholder(node)
                case "get_attr":
                    self.values[node] = _Value(_attribute(self.module, node.target), constant=True)
                case "output":
                    return _prune(self.steps, self._output(node))
                case _:
                    self.values[node] = self._call(node)
        raise AssertionError("a trace ends with an output")

    def _placeholder(self, node: fx.Node) -> _Value:
        if not any(value.index == IMAGES for value in self.values.values()):
            return _Value(self.images, IMAGES)
        if not node.args:
            raise ZfnetError(f"{type(self.module).__name__} takes another input, {node.target}; expected images alone.")
        return _Value(node.args[0], constant=True)

    def _call(self, node: fx.Node) -> _Value:
        nodes = node.all_input_nodes
        target, args, kwargs, in_place = without_place(self._target(node), node.args, node.kwargs)
        content = self._compute(node, target, args, kwargs)
        if all(self.values[one].constant for one in nodes):
            return _Value(content, constant=True)
        if _name(target) in PASSED and isinstance(content, Tensor):
            return self.values[nodes[0]]
        if not isinstance(content, Tensor) or not content.is_floating_point():
            return _Value(content)
        value = _Value(content, self._add_step(node, target, args, kwargs, content))
        if in_place and self.values[nodes[0]].index is not None:
            self.values[nodes[0]].content, self.values[nodes[0]].index = value.content, value.index
            return self.values[nodes[0]]
        return value

    def _target(self, node: fx.Node) -> Any:
        return self.module.get_submodule(str(node.target)) if node.op == "call_module" else node.target

    def _compute(self, node: fx.Node, target: Any, args: Any, kwargs: Any) -> Any:
        def content(one: fx.Node) -> Any:
            return self.values[one].content

        try:
            return apply(target, map_arg(args, content), map_arg(kwargs, content))
        except Exception as error:
            place = f"{node.target} ({target})" if isinstance(target, nn.Module) else str(node)
            shapes = [tuple(content(one).shape) for one in node.all_input_nodes if isinstance(content(one), Tensor)]
            raise ZfnetError(
                f"{place} does not fit its input {', '.join(map(str, shapes))}: {first_line(error)}. Give the crop "
                "with which the net was trained."
            ) from None

    def _add_step(self, node: fx.Node, target: Any, args: Any, kwargs: Any, content: Tensor) -> int | None:
        """Add an operation; return its index, or that of its input if it does nothing."""
        path, around = _place(node)
        name = self._unused(path)
        operands = [self.values[one].index for one in node.all_input_nodes]
        kind, module, sources = "", None, tuple(index for index in operands if index is not None)
        if len(sources) == len(operands):
            kind, module, sources = self._known(name, target, args, kwargs, content)
        if module is None:
            kind, (module, sources) = read_kind(target), self._general(target, args, kwargs)
        if isinstance(module, nn.Identity):
            return sources[0]
        self.names.add(name)
        self.steps.append(GraphStep(name, kind, module, sources, content, around))
        return len(self.steps) - 1

    def _known(
        self, name: str, target: Any, args: Any, kwargs: Any, content: Tensor
    ) -> tuple[str, nn.Module | None, tuple[int, ...]]:
        """Read a step of a kind that the backward pass knows."""
        joined = _joined(target, args, kwargs)
        if joined is not None:
            kind, module, nodes = joined
            return kind, module, tuple(self._index(one) for one in nodes)
        if not args or not isinstance(args[0], fx.Node):
            return "", None, ()
        x = self.values[args[0]].content
        found = target if isinstance(target, nn.Module) else as_module(target, args[1:], kwargs, x, content)
        if found is None or (isinstance(target, nn.Module) and len(args) + len(kwargs) > 1):
            return "", None, (self._index(args[0]),)
        kind, module = read_kind(found, name, x)
        return kind, module, (self._index(args[0]),)

    def _index(self, node: fx.Node) -> int:
        index = self.values[node].index
        assert index is not None  # checked before: all operands are activations
        return index

    def _general(self, target: Any, args: Any, kwargs: Any) -> tuple[nn.Module, tuple[int, ...]]:
        """Wrap a function with all it needs; the sources are the activations among its arguments."""
        sources: list[int] = []
        constants: dict[str, Tensor] = {}
        modules: list[nn.Module] = []

        def argument(node: fx.Node) -> Any:
            value = self.values[node]
            if value.index is not None:
                if value.index not in sources:
                    sources.append(value.index)
                return Input(sources.index(value.index))
            if value.constant and isinstance(value.content, Tensor):
                constants[f"constant{len(constants)}"] = value.content
                return Constant(f"constant{len(constants) - 1}")
            return value.content if value.constant else step(*without_place(self._target(node), node.args, node.kwargs))

        def step(target: Any, args: Any, kwargs: Any, in_place: bool = False) -> Step:
            if isinstance(target, nn.Module):
                modules.append(target)
            return Step(target, map_arg(args, argument), map_arg(kwargs, argument))

        made = step(target, args, kwargs)
        return Call(made, constants, modules), tuple(sources)

    def _unused(self, path: str) -> str:
        """Return `relu`, or `relu_1` for its second use."""
        number, name = 0, path
        while name in self.names:
            number += 1
            name = f"{path}_{number}"
        return name

    def _output(self, node: fx.Node) -> int:
        """Return the operation that outputs the logits: the first of several outputs."""
        result = node.args[0]
        while isinstance(result, (tuple, list, dict)):
            if isinstance(result, dict):
                result = next((result[key] for key in _OUTPUTS if key in result), next(iter(result.values())))
            else:
                result = result[0]
        value = self.values.get(result) if isinstance(result, fx.Node) else None
        if value is None or value.index is None or value.index == IMAGES:
            raise ZfnetError(f"{type(self.module).__name__}: its output is no tensor computed from the images.")
        return value.index


def _joined(target: Any, args: Any, kwargs: Any) -> tuple[str, nn.Module, list[fx.Node]] | None:
    """Read a sum, product or join of activations."""
    name = _name(target)
    if len(args) == 2 and not kwargs and all(isinstance(one, fx.Node) for one in args):
        if name == "add":
            return "add", Add(), list(args)
        if name == "mul":
            return "multiply", Multiply(), list(args)
    if name in ("cat", "concat", "concatenate") and args and isinstance(args[0], (list, tuple)):
        dim = args[1] if len(args) > 1 else kwargs.get("dim", kwargs.get("axis", 0))
        return "concatenate", Concatenate(dim), list(args[0])
    return None


def _name(target: Any) -> str:
    return target if isinstance(target, str) else str(getattr(target, "__name__", ""))


def _attribute(module: nn.Module, path: Any) -> Any:
    for part in str(path).split("."):
        module = getattr(module, part)
    return module


def _place(node: fx.Node) -> tuple[str, tuple[str, ...]]:
    """Return the name of a node, and the paths of the modules around it."""
    stack = [path for path, _ in (node.meta.get("nn_module_stack") or {}).values()]
    if node.op == "call_module":
        return str(node.target) or "net", tuple(path for path in stack if path not in (node.target, ""))
    name = _name(node.target).strip("_") or "function"
    return ".".join([*stack[-1:], name]).lstrip("."), tuple(path for path in stack if path)


def _prune(steps: list[GraphStep], last: int) -> list[GraphStep]:
    """Keep the steps on which the last one depends, with new indices."""
    used = {last}
    for index in range(last, -1, -1):
        if index in used:
            used.update(steps[index].sources)
    number = {old: new for new, old in enumerate(sorted(used - {IMAGES}))} | {IMAGES: IMAGES}
    return [
        step._replace(sources=tuple(number[source] for source in step.sources))
        for index, step in enumerate(steps)
        if index in used
    ]
