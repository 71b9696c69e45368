"""What trainings may use on a card: the record of its check (see gpu_check.py), made once and kept in the cache folder.

The record is found by card, driver, torch and code, so a new driver or a new version checks again. A check that crashes
or hangs is recorded too: trainings then take the plain path, and say so.
"""

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from zfnet.core import gpu_cards
from zfnet.core.errors import ZfnetError
from zfnet.core.files import read_json, text_hash, write_json
from zfnet.nets import gpu_kernels
from zfnet.nets.contrast_norm import NAME as CONTRAST_NORM
from zfnet.training.fingerprint import fingerprint
from zfnet.training.run_options import RunOptions

TIMEOUT = 600  # seconds; a check takes less than one minute on a free card


def checked(options: RunOptions, device: torch.device) -> RunOptions:
    """Return the options of a training with what its GPU has failed at switched off; on a CPU unchanged.

    The first call on a card checks it in a process of its own.
    """
    if device.type != "cuda":
        return options
    record = _record(device)
    if record["norm"] == "torch":
        gpu_kernels.switch_off(CONTRAST_NORM, "this card failed its check (zfnet check-gpu)")
    if record["step"] != "eager" or options.compile == "eager":
        return options
    print("The training step runs uncompiled: this card failed its check (zfnet check-gpu).", flush=True)
    return replace(options, compile="eager")


def record_path(device: torch.device) -> Path:
    """Return the file of a card's record."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    key = (torch.cuda.get_device_name(device), gpu_cards.driver(), torch.__version__, fingerprint())
    return cache / "zfnet" / "gpu-checks" / f"{text_hash(str(key))[:16]}.json"


def _record(device: torch.device) -> dict[str, Any]:
    path = record_path(device)
    try:
        return read_json(path)
    except (ZfnetError, OSError):  # none yet
        pass
    print("Checking this GPU before the first training on it, which takes about a minute.", flush=True)
    try:
        _check_in_child(path)
        return read_json(path)
    except (ZfnetError, OSError, subprocess.SubprocessError) as error:
        record = {"step": "eager", "norm": "torch", "failure": str(error)}
    with suppress(OSError):  # a read-only home: checked again next time
        write_json(path, record)
    return record


def _check_in_child(path: Path) -> None:
    command = [sys.executable, "-m", "zfnet", "check-gpu", "--out", str(path)]
    alone = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
    subprocess.run(command, timeout=TIMEOUT, env=alone, capture_output=True, check=False)
