"""The networks of both papers, described as data and built to be watched: every activation and switch has a name.

Importing this package is cheap; torch is loaded when one of the names below is first used.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "Architecture": "architecture",
    "describe": "architecture",
    "Network": "network",
    "Operation": "network",
    "Step": "network",
    "Trace": "network",
    "build": "network",
    "device": "network",
    "parameters": "network",
    "adapt": "adapter",
    "load": "files",
    "load_metadata": "files",
    "save": "files",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
