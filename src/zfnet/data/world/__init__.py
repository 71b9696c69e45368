"""The generated world: a miniature of all data sets in the official archive formats.

`generate(world, folder)` writes it; see `zfnet.data.world.archives`.
"""

from zfnet.data.world.archives import generate

__all__ = ["generate"]
