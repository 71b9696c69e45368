"""Who works in a folder: the snakemakes that run there and the jobs that they started.

Snakemake's own lock says nothing about its process and outlives it. So each snakemake leaves a record of itself here,
locked as long as it lives, and each of its jobs shares a second lock. Whoever starts next can tell what is left over:
it waits for the jobs of a snakemake that was killed, then removes Snakemake's lock. A job ends soon after its
snakemake, so the wait is short.
"""

import errno
import fcntl
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from zfnet.core.file_lock import heartbeat, is_alive_elsewhere
from zfnet.core.process_record import ProcessRecord

JOBS, PARENT, CLUSTER = "ZFNET_JOBS", "ZFNET_PARENT", "ZFNET_CLUSTER_JOB"  # environment variables for the jobs
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # a file system without locks
WATCH = 1.0  # seconds between two looks at a job's snakemake
_held: list[object] = []  # locks that end with this process


def enter(folder: Path, say: Callable[[str], object] = print) -> list[str]:
    """Register this snakemake in its working folder; clear away what killed ones left there.

    Parameters
    ----------
    folder : the working folder.
    say : called with each sentence for the user.

    Returns
    -------
    list of str
        The other snakemakes that run in the folder.
    """
    home = folder / ".snakemake" / "zfnet"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "mutex").open("a") as mutex:
        try:
            fcntl.flock(mutex, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno in NO_LOCKS:
                return []  # Snakemake's own lock remains, and --unlock
            raise
        others = _clear(home, say)
        _register(home)
    return others


def pass_on_as_parent(in_cluster_job: bool) -> None:
    """Let the jobs that this process starts end when it does; tell them whether it is a job of a scheduler."""
    os.environ[PARENT] = ProcessRecord.of(os.getpid()).text
    if in_cluster_job:
        os.environ.pop(JOBS, None)  # the snakemake that submitted this job is on another machine
        os.environ[CLUSTER] = "1"


def in_cluster_job() -> bool:
    """Return whether this process was started by the workflow within a job of a scheduler, which has a time limit."""
    return CLUSTER in os.environ


def join() -> None:
    """Be counted among the jobs of the snakemake that started this process, and end with it."""
    if path := os.environ.get(JOBS):
        with suppress(OSError):
            _held.append(_locked(Path(path), fcntl.LOCK_SH))
    if parent := ProcessRecord.parse(os.environ.get(PARENT, "")):
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: ProcessRecord) -> None:
    while not parent.is_gone:
        time.sleep(WATCH)
    print(f"zfnet: the snakemake that started this job ({parent}) has ended; so does the job.", file=sys.stderr)
    os.kill(os.getpid(), signal.SIGTERM)  # trainings save a checkpoint first


def _register(home: Path) -> None:
    me = ProcessRecord.of(os.getpid())
    record, jobs = (home / f"{me.host}-{me.pid}.{kind}" for kind in ("run", "jobs"))
    record.write_text(me.text, encoding="utf-8")
    jobs.touch()
    beat = heartbeat(record)
    beat.__enter__()
    _held.extend([_locked(record, fcntl.LOCK_EX), beat])
    os.environ[JOBS] = str(jobs.absolute())


def _clear(home: Path, say: Callable[[str], object]) -> list[str]:
    """Remove what dead snakemakes left; return the living ones."""
    left = sorted(home.glob("*.run"))
    living = [path for path in left if _lives(path)]
    dead = [path for path in left if path not in living]
    for path in dead:
        _wait_for_jobs(path.with_suffix(".jobs"), say)
        path.unlink(missing_ok=True)
    locks = home.parent / "locks"
    if dead and not living and locks.is_dir() and any(locks.iterdir()):
        say(f"{locks}: removed; the snakemake that held it was killed.")
        shutil.rmtree(locks)
        locks.mkdir()
    return [str(ProcessRecord.parse(path.read_text(encoding="utf-8")) or path.stem) for path in living]


def _lives(path: Path) -> bool:
    try:
        _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB).close()
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    record = ProcessRecord.parse(path.read_text(encoding="utf-8", errors="replace"))
    return record is not None and is_alive_elsewhere(record, path)


def _wait_for_jobs(path: Path, say: Callable[[str], object]) -> None:
    """Wait until no job of a dead snakemake writes any more."""
    with suppress(FileNotFoundError):
        try:
            _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB).close()
        except BlockingIOError:
            say("Waiting for the jobs of a snakemake that was killed: each ends within seconds.")
            _locked(path, fcntl.LOCK_EX).close()
        path.unlink()


def _locked(path: Path, how: int) -> IO[bytes]:
    file = path.open("rb+")
    try:
        fcntl.flock(file, how)
    except BaseException:
        file.close()
        raise
    return file
