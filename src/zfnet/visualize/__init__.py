"""Visualisation: the backward pass to the pixels (section 2), and the measurements behind Figures 2 and 4-8.

Importing this package is cheap: torch is loaded when one of the names below is first used.
"""

from zfnet.core.lazy import exports

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "RULES": "backward",
        "Rule": "backward",
        "project": "backward",
        "unpool": "backward",
        "find_strongest": "top_activations",
        "saliency_map": "saliency",
        "class_model": "saliency",
        "maximize": "activation_maximization",
    },
)
