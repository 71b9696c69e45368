"""Who holds something: a process, told apart from every other one by its host, boot, id and start time.

Process ids are used again, by the same machine and after a reboot; host names may be equal in containers and clouds.
The boot id tells whether a record was written under the running kernel, the start time whether its process still runs.
"""

import json
import os
import socket
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Self

from zfnet.core.parsing import parse_json

JOB_VARIABLES = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID")  # of Slurm, PBS, LSF, SGE


@dataclass(frozen=True)
class ProcessRecord:
    """One process on one machine."""

    host: str
    pid: int
    started: str  # clock ticks between boot and its start; "" where the system does not tell
    boot: str  # id of the machine's boot; "" where the system does not tell
    job: str  # id of the scheduler's job it belongs to, or ""

    @classmethod
    def of(cls, pid: int) -> Self:
        """Describe a process of this machine."""
        job = next((os.environ[name] for name in JOB_VARIABLES if os.environ.get(name)), "")
        return cls(socket.gethostname(), pid, _start_time(pid), _boot_id(), job)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the record that `text` holds; None if it holds none."""
        try:
            record = cls(**parse_json(text))
        except (ValueError, TypeError):
            return None
        return record if isinstance(record.pid, int) and record.pid > 0 else None

    @property
    def text(self) -> str:
        """The record as a line of JSON."""
        return json.dumps(asdict(self)) + "\n"

    @property
    def is_here(self) -> bool:
        """Whether it was written under the kernel that runs now, so that this kernel knows the process."""
        return self.boot == _boot_id() and (bool(self.boot) or self.host == socket.gethostname())

    @property
    def is_gone(self) -> bool:
        """Whether the process has certainly ended: it is of an earlier boot of this host, or no longer runs here."""
        if not self.is_here:
            return self.host == socket.gethostname()
        return not _exists(self.pid) or _start_time(self.pid) != self.started

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}" + (f" (job {self.job})" if self.job else "")


@cache
def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _start_time(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]  # field 22; the name before it may hold blanks


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # a process of another user; no process id
        return True
    return True
