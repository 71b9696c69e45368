"""Seeing through a net: the backward pass to the pixels (section 2) and all that Figures 2 and 4-8 compute with it.

Importing this package is cheap; torch is loaded when one of the names below is first used.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "RULES": "backward",
    "Rule": "backward",
    "project": "backward",
    "unpool": "backward",
    "find_strongest": "strongest",
    "saliency_map": "saliency",
    "maximise": "maximize",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
