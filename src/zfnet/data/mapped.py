"""Advice to the kernel about mapped files: images are read one here, one there.

The usual read-ahead fetches 100 to 500 kB around each image, of which 6 kB are used; with MADV_RANDOM a cold disk
delivers up to five times as many images.
"""

import ctypes
import mmap
from contextlib import suppress

_RANDOM = getattr(mmap, "MADV_RANDOM", None)


def read_at_random(address: int, length: int) -> None:
    """Tell the kernel that the `length` bytes mapped at `address` (a page's) will be read in no order."""
    if _RANDOM is not None and length and address % mmap.PAGESIZE == 0:
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).madvise(ctypes.c_void_p(address), ctypes.c_size_t(length), _RANDOM)
