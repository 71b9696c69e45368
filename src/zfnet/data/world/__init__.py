"""The generated world: a miniature of all data sets in the official archive formats.

`generate(world, folder)` writes it; see `zfnet.data.world.archives`.
"""

from typing import Any

__all__ = ["generate"]


def __getattr__(name: str) -> Any:
    if name == "generate":
        from zfnet.data.world.archives import generate

        return generate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
