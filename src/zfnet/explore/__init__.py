"""For the tinkerer: any plain chain of layers and any pictures through the methods of `zfnet.visualize`.

The commands project, strongest, occlude, saliency and maximize each write sheets (PNG), one table (CSV) and where both
come from (JSON). Importing this package is cheap; torch is loaded when one of the names below is first used.
"""

from zfnet.core.lazy import exports

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "Opened": "opened_net",
        "open_net": "opened_net",
        "open_pictures": "choices",
        "project_pictures": "projections",
        "show_strongest": "strongest_patches",
        "occlude_pictures": "occlusion_maps",
        "saliency_of_pictures": "saliency_maps",
        "maximize_units": "activation_maxima",
    },
)
