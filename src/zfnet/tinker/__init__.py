"""For the tinkerer: any plain chain of layers and any pictures through the methods of `zfnet.visualize`.

The commands project, strongest, occlude, saliency and maximize each write sheets (PNG), one table (CSV) and where both
come from (JSON). Importing this package is cheap; torch is loaded when one of the names below is first used.
"""

from zfnet.lazy import exports

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "Opened": "nets",
        "open_net": "nets",
        "open_pictures": "choose",
        "project_pictures": "project",
        "show_strongest": "strongest",
        "occlude_pictures": "occlude",
        "saliency_of_pictures": "saliency",
        "maximize_units": "maximize",
    },
)
