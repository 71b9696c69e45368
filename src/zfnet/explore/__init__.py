"""Your own nets and images: any network that classifies images, and any images, with the methods of `zfnet.visualize`.

The commands project, strongest, occlude, saliency and maximize each write sheets (PNG), one table (CSV) and the
provenance of both (JSON). Importing this package is cheap: torch is loaded when one of the names below is first used.
"""

from zfnet.core.lazy import exports

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "OpenedNet": "opened_net",
        "open_net": "opened_net",
        "open_images": "choices",
        "project_images": "projections",
        "show_strongest": "strongest_patches",
        "occlude_images": "occlusion_maps",
        "saliency_of_images": "saliency_maps",
        "maximize_units": "activation_maxima",
    },
)
