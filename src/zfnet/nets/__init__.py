"""The networks of both papers, described as data; every activation and every pooling switch has a name.

Importing this package is cheap: torch is loaded when one of the names below is first used.
"""

from zfnet.core.lazy import exports

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "Architecture": "architecture",
        "describe": "architecture",
        "Network": "network",
        "Operation": "network",
        "OpRecord": "network",
        "Trace": "network",
        "build": "network",
        "parameters": "network",
        "adapt": "adapter",
        "load": "weights_file",
        "load_metadata": "weights_file",
        "save": "weights_file",
    },
)
