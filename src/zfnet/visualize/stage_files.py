"""Write the numbers behind the figures: arrays as safetensors, tables as CSV, and their provenance as JSON."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from zfnet.core.device import device
from zfnet.core.files import atomic, write_json
from zfnet.core.provenance import provenance
from zfnet.data.shards.manifest import describe_archive


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays as one safetensors file."""
    with atomic(path) as temporary:
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, temporary)


class StageProvenance:
    """Settings, input files and duration of a stage; create it before the work, so that the time is measured."""

    def __init__(self, settings: Any, **files: Path | Sequence[Path]) -> None:
        self._start, self._settings, self._files = time.monotonic(), settings, files

    def write(self, path: Path, **more: Any) -> None:
        """Write `more` as JSON, with the settings, the hashes of the inputs and `zfnet.core.provenance`."""
        files = {name: _hashes(value) for name, value in self._files.items()}
        seconds = round(time.monotonic() - self._start, 2)
        settings = self._settings.model_dump(exclude_unset=True)
        record = provenance(device=str(device()), seconds=seconds, settings=settings, inputs=files)
        write_json(path, {**more, "provenance": record})


def _hashes(value: Path | Sequence[Path]) -> Any:
    """Return path and SHA-256; for a folder of images the SHA-256 of its listing."""
    if isinstance(value, Path):
        return describe_archive(value).model_dump(include={"path", "sha256"})
    return [_hashes(path) for path in value]
