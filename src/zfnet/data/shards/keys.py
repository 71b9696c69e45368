"""Keys of a million images in little memory: a packed sequence, and a set.

A Python string takes 50 bytes besides its characters, and its slot in a list or set 8 to 50 more; ImageNet's keys have
25 characters.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from operator import eq, index
from typing import overload

import numpy as np

_NEWLINE = ord("\n")
_BLOCK = 4096  # keys decoded at once


class Keys(Sequence[str]):
    """A sequence of keys stored as one text, one per line: their characters plus eight bytes per key.

    Parameters
    ----------
    text : uint8 (L,), UTF-8, the keys separated by newlines
    """

    def __init__(self, text: np.ndarray):
        self.text = text
        inner = np.flatnonzero(text == _NEWLINE)
        self._ends = np.append(inner, len(text)) if len(text) else inner  # int64 (N,)

    @classmethod
    def of(cls, keys: Iterable[str]) -> "Keys":
        """Pack keys, none of them empty. A string of several lines counts as several keys."""
        return cls(np.frombuffer("\n".join(keys).encode(), np.uint8))

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, position: int) -> str: ...
    @overload
    def __getitem__(self, position: slice) -> list[str]: ...
    def __getitem__(self, position: int | slice) -> str | list[str]:
        if isinstance(position, slice):
            return [self[number] for number in range(*position.indices(len(self)))]
        number = range(len(self))[index(position)]  # resolves negative indices, refuses those out of range
        start = self._ends.item(number - 1) + 1 if number else 0
        return self.text[start : self._ends.item(number)].tobytes().decode()

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _BLOCK):
            stop = min(start + _BLOCK, len(self))
            begin = self._ends.item(start - 1) + 1 if start else 0
            yield from self.text[begin : self._ends.item(stop - 1)].tobytes().decode().split("\n")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(eq, self, other))


class KeySet:
    """A set of keys that takes 16 to 32 bytes per key: open addressing of 64-bit hashes.

    The probability that any two of 1.28 million distinct keys collide is 4e-8.
    """

    def __init__(self) -> None:
        self._slots = array("Q", [0]) * 1024  # 0: free; the length is a power of two
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, key: str) -> bool:
        """Add a key; return whether it is new."""
        number = int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()) or 1
        slot = self._slot(number)
        if self._slots[slot]:
            return False
        self._slots[slot] = number
        self._count += 1
        if 2 * self._count > len(self._slots):
            self._grow()
        return True

    def _slot(self, number: int) -> int:
        """Return the slot that holds the number, or the free one where it belongs."""
        last = len(self._slots) - 1
        slot = number & last
        while self._slots[slot] not in (0, number):
            slot = (slot + 1) & last
        return slot

    def _grow(self) -> None:
        old, self._slots = self._slots, array("Q", [0]) * (2 * len(self._slots))
        for number in filter(None, old):
            self._slots[self._slot(number)] = number
