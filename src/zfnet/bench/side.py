"""One side of a comparison, in this process alone: `python -m zfnet.bench.side MODULE:FUNCTION ARGUMENTS`."""

import json
import resource
import sys
from importlib import import_module


def main(function: str, arguments: str) -> None:
    """Call the function and print its value and this process's peak memory as the last line."""
    module, name = function.split(":")
    value = getattr(import_module(f"zfnet.bench.{module}"), name)(**json.loads(arguments))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KB
    print(json.dumps({"value": float(value), "peak_mb": peak}))


if __name__ == "__main__":
    main(*sys.argv[1:])
