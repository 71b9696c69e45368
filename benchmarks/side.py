"""Run one side of a comparison in this process: `python -m benchmarks.side MODULE:FUNCTION ARGUMENTS`."""

import json
import sys
from importlib import import_module

from zfnet.core.provenance import peak_memory_mb


def main(function: str, arguments: str) -> None:
    """Call the function, and print its value and the peak memory of this process as the last line."""
    module, name = function.split(":")
    value = getattr(import_module(f"benchmarks.{module}"), name)(**json.loads(arguments))
    print(json.dumps({"value": float(value), "peak_mb": peak_memory_mb()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
