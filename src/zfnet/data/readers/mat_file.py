"""A struct array from a MATLAB 5 file: the class table of ImageNet's devkit.

Only what such a table needs is read: a struct array at the top, numbers and text in its fields, plain or compressed.
General readers (SciPy's) crash the process on some damaged files and allocate what a header asks for. Here every count
is compared with the bytes that are there, and compressed data is inflated up to a limit.

Format: "MAT-File Format", The MathWorks. A file is a header of 128 bytes and a sequence of elements, each a tag (type
and number of bytes, four bytes each), its data, and padding to eight bytes. Up to four bytes of data fit in a tag.
"""

import zlib
from collections.abc import Collection, Iterator
from math import prod
from typing import NamedTuple

import numpy as np

MAGIC = b"MATLAB 5.0"
HEADER = 128  # bytes
FIELDS = 64  # fields of a struct
STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}  # by element type
TEXT = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}  # by element type
MATRIX, COMPRESSED = 14, 15  # element types
STRUCT, CHAR, NUMBERS = 2, 4, range(6, 16)  # array classes
COMPLEX = 0x800  # flag of an array

Value = np.ndarray | str
Row = dict[str, Value]


def read_structs(content: bytes, name: str, fields: Collection[str], limit: int) -> list[Row]:
    """Return the elements of the struct array `name`.

    Parameters
    ----------
    content : the file
    fields : the fields that are read; each holds numbers or text
    limit : bytes to which the file may inflate

    Returns
    -------
    list of dict
        Field -> str, or an array of the stored number type, any shape.

    Raises
    ------
    ValueError
        It is not a MATLAB 5 file, is damaged, inflates beyond `limit`, or lacks the array or a field.
    """
    if not content.startswith(MAGIC) or content[126:128] not in (b"IM", b"MI"):
        raise ValueError("it does not begin like one")
    order = "<" if content[126:128] == b"IM" else ">"
    for element in _arrays(_Reader(content[HEADER:], order), limit):
        array = _array_header(element)
        if array.name == name:
            return _structs(element, array, fields)
    raise ValueError(f"it holds no array {name}")


class _Element(NamedTuple):
    kind: int
    data: bytes


class _Reader:
    """The elements in a piece of a file. order : "<" or ">"."""

    def __init__(self, data: bytes, order: str):
        self.data, self.order, self.position = data, order, 0

    def more(self) -> bool:
        return self.position < len(self.data)

    def next(self) -> _Element:
        kind, size = self._numbers(2)
        start = self.position + 8
        if kind >> 16:  # data in the tag
            kind, size, start, end = kind & 0xFFFF, kind >> 16, self.position + 4, self.position + 8
            if size > 4:
                raise ValueError(f"a short element of {size} bytes")
        else:
            end = start + size + (-size % 8 if kind != COMPRESSED else 0)
        if start + size > len(self.data):
            raise ValueError(f"an element of {size} bytes, of which {max(len(self.data) - start, 0)} are there")
        self.position = end
        return _Element(kind, self.data[start : start + size])

    def numbers(self) -> list[int]:
        """Return the whole numbers of the next element."""
        kind, data = self.next()
        return [int(number) for number in np.frombuffer(data, self.order + STORED[kind])]

    def inside(self, element: _Element) -> "_Reader":
        if element.kind != MATRIX:
            raise ValueError(f"an element of type {element.kind} in place of an array")
        return _Reader(element.data, self.order)

    def _numbers(self, count: int) -> list[int]:
        tag = self.data[self.position : self.position + 4 * count]
        return np.frombuffer(tag, self.order + "u4", count).tolist()


def _arrays(file: _Reader, limit: int) -> Iterator[_Reader]:
    """Yield the arrays of the file, inflated to `limit` bytes in all."""
    while file.more():
        element = file.next()
        if element.kind == COMPRESSED:
            unpacker = zlib.decompressobj()
            data = unpacker.decompress(element.data, limit + 1)
            limit -= len(data)
            if limit < 0 or not unpacker.eof:
                raise ValueError("compressed data that is cut off, or larger than such a table")
            inner = _Reader(data, file.order)
            yield inner.inside(inner.next())
        else:
            yield file.inside(element)


class _Header(NamedTuple):
    kind: int  # class of the array
    is_complex: bool
    shape: tuple[int, ...]
    name: str


def _array_header(array: _Reader) -> _Header:
    flags, shape, name = array.numbers()[0], tuple(array.numbers()), array.next().data
    if not 2 <= len(shape) <= 8 or min(shape) < 0:
        raise ValueError(f"an array of shape {shape[:8]}")
    return _Header(flags & 0xFF, bool(flags & COMPLEX), shape, name.decode("ascii"))


def _structs(array: _Reader, header: _Header, wanted: Collection[str]) -> list[Row]:
    if header.kind != STRUCT:
        raise ValueError(f"{header.name} is no struct array")
    names, count = _field_names(array), prod(header.shape)
    if missing := [field for field in wanted if field not in names]:
        raise ValueError(f"no field of that name: {missing[0]}")
    if count * len(names) * 8 > len(array.data):  # each value has a tag at least
        raise ValueError(f"{count} elements in {len(array.data)} bytes")
    return [_row(array, names, wanted) for _ in range(count)]


def _field_names(array: _Reader) -> list[str]:
    (length,), names = array.numbers(), array.next().data
    if length < 1 or len(names) % length or len(names) > FIELDS * length:
        raise ValueError(f"field names of {length} in {len(names)} bytes")
    return [names[start : start + length].rstrip(b"\0").decode("ascii") for start in range(0, len(names), length)]


def _row(array: _Reader, names: list[str], wanted: Collection[str]) -> Row:
    elements = {name: array.next() for name in names}
    return {name: _value(array.inside(elements[name]), name) for name in wanted}


def _value(array: _Reader, field: str) -> Value:
    if not array.more():  # MATLAB's empty matrix
        return np.empty((0, 0))
    header = _array_header(array)
    if header.kind == CHAR:
        return _text(array.next(), array.order)
    if header.kind not in NUMBERS or header.is_complex:
        raise ValueError(f"{field} holds neither numbers nor text")
    kind, data = array.next()
    return np.frombuffer(data, array.order + STORED[kind]).reshape(header.shape, order="F")


def _text(element: _Element, order: str) -> str:
    encoding = TEXT[element.kind]
    suffix = {"<": "-le", ">": "-be"}[order] if encoding in ("utf-16", "utf-32") else ""
    return element.data.decode(encoding + suffix)
