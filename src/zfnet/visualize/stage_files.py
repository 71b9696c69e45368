"""Files of the figures' numbers: arrays as safetensors, tables as CSV, and where they come from as JSON."""

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
    with atomic(path) as beside:
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, beside)


class Origin:
    """What a stage was made of; started before the work, so that it knows how long the work took."""

    def __init__(self, settings: Any, **files: Path | Sequence[Path]) -> None:
        self._start, self._settings, self._files = time.monotonic(), settings, files

    def write(self, path: Path, **more: Any) -> None:
        """Write `more` with settings, hashes of the inputs and `provenance` as JSON."""
        files = {name: _hashes(value) for name, value in self._files.items()}
        seconds = round(time.monotonic() - self._start, 2)
        made = provenance(
            device=str(device()), seconds=seconds, settings=self._settings.model_dump(exclude_unset=True), inputs=files
        )
        write_json(path, {**more, "provenance": made})


def _hashes(value: Path | Sequence[Path]) -> Any:
    """Path and SHA-256; of a folder of pictures, that of its listing."""
    if isinstance(value, Path):
        return describe_archive(value).model_dump(include={"path", "sha256"})
    return [_hashes(one) for one in value]
