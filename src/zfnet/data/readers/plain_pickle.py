"""Plain values from a pickle (bytes, text, numbers, lists, dicts, uint8 arrays), without Python's unpickler.

A pickle is a program for a small stack machine that can call any function and allocate any amount. This machine knows
only the instructions that build plain values, and four constructors of numpy, which it replaces by its own. Arguments
are cut from the file itself, so memory stays within a few times its size.
"""

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

INSTRUCTIONS = 1_000_000  # an official batch has 50,000

_MARK = object()


class RefusedPickleError(ValueError):
    """A pickle that does something other than build plain values."""


def load(data: bytes) -> Any:
    """Return the value of a pickle of Python 2 or 3; the strings of Python 2 are bytes.

    Raises
    ------
    RefusedPickleError
        It builds anything else, or has too many instructions.
    Exception
        It is not a pickle, or damaged; almost any error.
    """
    machine = _Machine()
    for count, (instruction, argument, _) in enumerate(pickletools.genops(data)):
        if count > INSTRUCTIONS:
            raise RefusedPickleError(f"it has more than {INSTRUCTIONS} instructions")
        if instruction.name == "STOP":
            return _finished(machine.stack.pop())
        machine.run(instruction.name, argument)
    raise EOFError("it has no end")


@dataclass
class _Global:
    """A name in a pickle; `build` makes the value when it is called, None where it is never called."""

    build: Callable[..., Any] | None


@dataclass
class _Array:
    """What a pickle says about an array of numpy."""

    shape: Any = None
    dtype: Any = None
    fortran: Any = False
    data: Any = b""

    def array(self) -> np.ndarray:
        if self.dtype not in ("u1", "uint8", b"u1"):
            raise RefusedPickleError(f"an array of {self.dtype!r:.20}, expected uint8")
        return np.frombuffer(self.data, np.uint8).reshape(self.shape, order="F" if self.fortran else "C")


def _from_buffer(data: bytes, dtype: "_Dtype", shape: Any, order: Any) -> _Array:
    return _Array(shape, dtype.code, order == "F", data)


@dataclass
class _Dtype:
    code: Any


def _dtype(code: Any, *_: Any) -> _Dtype:
    if not isinstance(code, str | bytes):
        raise RefusedPickleError("a type that is not named by a text")
    return _Dtype(code)


def _encode(text: str, *_: Any) -> bytes:
    """Rebuild bytes that Python 3 pickled for Python 2."""
    return text.encode("latin-1")


# numpy 2 says numpy._core; ndarray itself is only ever an argument of _reconstruct
_NAMES: dict[str, Callable[..., Any] | None] = {
    "numpy dtype": _dtype,
    "numpy ndarray": None,
    "_codecs encode": _encode,
    **{f"numpy.{core}.multiarray _reconstruct": lambda *_: _Array() for core in ("core", "_core")},
    **{f"numpy.{core}.numeric _frombuffer": _from_buffer for core in ("core", "_core")},
}


class _Machine:
    """The stack, the marks in it, and the memo of a pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, name: str, argument: Any) -> None:
        """Run one instruction, known by its name in `pickletools`."""
        if name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name](argument))
        elif name in _ON_STACK:
            _ON_STACK[name](self)
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
        elif name == "GLOBAL":
            self.stack.append(_named(argument))
        elif name not in ("PROTO", "FRAME"):
            raise RefusedPickleError(f"it contains the instruction {name}")

    def above_mark(self) -> list[Any]:
        """Remove and return the values above the last mark, and remove the mark."""
        position = len(self.stack) - 1
        while self.stack[position] is not _MARK:
            position -= 1
        values = self.stack[position + 1 :]
        del self.stack[position:]
        return values

    def memoize(self) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def append(self, values: list[Any]) -> None:
        _of_type(self.stack[-1], list).extend(values)

    def set_items(self, values: list[Any]) -> None:
        _of_type(self.stack[-1], dict).update(zip(values[::2], values[1::2], strict=True))

    def dict_of(self) -> None:
        values = self.above_mark()
        self.stack.append({})
        self.set_items(values)

    def tuple_of(self, count: int) -> None:
        values = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        self.stack.append(values)

    def stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.stack.append(_named(f"{module!s:.100} {name!s:.100}"))

    def reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, _Global) or function.build is None:
            raise RefusedPickleError("it calls something that is not a function")
        self.stack.append(function.build(*_of_type(arguments, tuple)))

    def build(self) -> None:
        """Set the state of an array; byte order and the like, which uint8 does not have, are ignored."""
        state, value = self.stack.pop(), self.stack[-1]
        if isinstance(value, _Array):
            _, value.shape, dtype, value.fortran, value.data = state
            value.dtype = _of_type(dtype, _Dtype).code
        elif not isinstance(value, _Dtype):
            raise RefusedPickleError("it sets the state of something other than an array")


def _named(name: str) -> _Global:
    if name not in _NAMES:
        raise RefusedPickleError(f"it uses {name.replace(' ', '.')}")
    return _Global(_NAMES[name])


def _of_type(value: Any, expected: type) -> Any:
    if not isinstance(value, expected):
        raise RefusedPickleError(f"{type(value).__name__} in place of {expected.__name__}")
    return value


def _finished(value: Any) -> Any:
    """Replace the arrays in a dict."""
    if not isinstance(value, dict):
        raise RefusedPickleError(f"it holds a {type(value).__name__}, expected a dict")
    return {key: entry.array() if isinstance(entry, _Array) else entry for key, entry in value.items()}


_CONSTANTS: dict[str, Callable[[Any], Any]] = {
    "MARK": lambda _: _MARK,
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "EMPTY_LIST": lambda _: [],
    "EMPTY_DICT": lambda _: {},
    "EMPTY_TUPLE": lambda _: (),
    **dict.fromkeys(("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1"), lambda argument: argument),
    **dict.fromkeys(("FLOAT", "BINFLOAT"), lambda argument: argument),
    **dict.fromkeys(("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"), lambda argument: argument),
    **dict.fromkeys(("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"), bytes),
    **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING"), lambda argument: argument.encode("latin-1")),
}
_ON_STACK: dict[str, Callable[[_Machine], Any]] = {
    "POP": lambda machine: machine.stack.pop(),
    "POP_MARK": lambda machine: machine.above_mark(),
    "MEMOIZE": _Machine.memoize,
    "LIST": lambda machine: machine.stack.append(machine.above_mark()),
    "APPEND": lambda machine: machine.append([machine.stack.pop()]),
    "APPENDS": lambda machine: machine.append(machine.above_mark()),
    "DICT": _Machine.dict_of,
    "SETITEM": lambda machine: machine.set_items([machine.stack.pop(), machine.stack.pop()][::-1]),
    "SETITEMS": lambda machine: machine.set_items(machine.above_mark()),
    "TUPLE": lambda machine: machine.stack.append(tuple(machine.above_mark())),
    "TUPLE1": lambda machine: machine.tuple_of(1),
    "TUPLE2": lambda machine: machine.tuple_of(2),
    "TUPLE3": lambda machine: machine.tuple_of(3),
    "STACK_GLOBAL": _Machine.stack_global,
    "REDUCE": _Machine.reduce,
    "BUILD": _Machine.build,
}
