"""Keys of a million pictures in little memory: a sequence of them, and a memory of which were seen.

A Python string takes 50 bytes beside its letters and a place in a list or set 8 to 50 more; ImageNet's keys have 25
letters.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from operator import eq, index
from typing import overload

import numpy as np

_NEWLINE = ord("\n")
_BLOCK = 4096  # keys made into strings at once


class Keys(Sequence[str]):
    """Keys kept as one text, a line each: their letters and eight bytes a key.

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
        """Pack keys, none of which is empty. Several in one string, a line each, count as several."""
        return cls(np.frombuffer("\n".join(keys).encode(), np.uint8))

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        number = range(len(self))[index(place)]  # counts negative places from the end, refuses those beyond it
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
    """A set of keys, each in 16 to 32 bytes: open addressing of 64-bit hashes.

    Two of 1.28 million different keys are taken for the same with a probability of 4e-8.
    """

    def __init__(self) -> None:
        self._slots = array("Q", [0]) * 1024  # 0: free; as many as a power of two
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, key: str) -> bool:
        """Take in a key; tell whether it is new."""
        number = int.from_bytes(blake2b(key.encode(), digest_size=8).digest()) or 1
        slot = self._slot(number)
        if self._slots[slot]:
            return False
        self._slots[slot] = number
        self._count += 1
        if 2 * self._count > len(self._slots):
            self._grow()
        return True

    def _slot(self, number: int) -> int:
        """Where the number is, or where it would go."""
        last = len(self._slots) - 1
        slot = number & last
        while self._slots[slot] not in (0, number):
            slot = (slot + 1) & last
        return slot

    def _grow(self) -> None:
        before, self._slots = self._slots, array("Q", [0]) * (2 * len(self._slots))
        for number in filter(None, before):
            self._slots[self._slot(number)] = number
