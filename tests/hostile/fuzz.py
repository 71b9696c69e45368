"""Fuzz every kind of input: make fuzz MINUTES=30 SEED=1

Valid files are damaged at random. Each must be read or refused by a ZfnetError, within SECONDS and MEMORY. The work is
done in a child process, so that a crash, a hang or an exhausted memory is a finding too. Findings are made smaller and
saved with their tracebacks; the counts of inputs are printed for each kind.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

SECONDS = 10.0  # for one input
MEMORY = 1 << 30  # bytes beyond what the process has before it begins
HANGS = 60.0  # seconds after which a child without a new input is ended
PENDING = "pending.bin"  # the input that the child is reading


def fuzz(kinds: list[str], seed: int, minutes: float, inputs: int, out: Path) -> int:
    """Run children until the time is up; return the number of findings."""
    out.mkdir(parents=True, exist_ok=True)
    end, turn = time.monotonic() + 60 * minutes, 0
    while turn == 0 or (minutes and time.monotonic() < end):
        left = max(end - time.monotonic(), 0)
        command = [sys.executable, "-m", "tests.hostile.fuzz", "--child", *("--seed", f"{seed}-{turn}")]
        command += ["--out", str(out), "--inputs", str(inputs), "--minutes", str(left / 60), *kinds]
        _watch(command, out, turn)
        turn += 1
    return len(list(out.glob("*.txt")))


def _watch(command: list[str], out: Path, turn: int) -> None:
    """Run a child; keep its last input if it crashes or hangs."""
    pending = out / PENDING
    pending.unlink(missing_ok=True)
    child = subprocess.Popen(command)
    while child.poll() is None:
        time.sleep(0.1)
        if pending.exists() and time.time() - pending.stat().st_mtime > HANGS:
            child.kill()
    if child.returncode and pending.exists():
        pending.rename(out / f"crash-{turn}.bin")
        (out / f"crash-{turn}.txt").write_text(f"the process ended with {child.returncode}\n")
    elif child.returncode:
        (out / f"crash-{turn}.txt").write_text(f"the process ended with {child.returncode} before any input\n")


def child(names: list[str], seed: str, minutes: float, inputs: int, out: Path) -> None:
    """Damage and read `inputs` files of each kind, and more while there is time."""
    from tests.hostile.kinds import KINDS

    for kind in KINDS.values():
        kind.examples()
    _limit_memory()
    counts: Counter[str] = Counter()
    end = time.monotonic() + 60 * minutes
    for name in names or KINDS:
        random, share = Random(f"{seed} {name}"), (end - time.monotonic()) / max(len(names or KINDS) - len(counts), 1)
        stop = time.monotonic() + share
        while counts[name] < inputs or (minutes and time.monotonic() < stop):
            counts[name] += 1
            _try(KINDS[name], name, random, out)
    (out / PENDING).unlink(missing_ok=True)
    print("\n".join(f"{name}: {count} inputs" for name, count in counts.items()), flush=True)


def _limit_memory() -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))


def _try(kind, name: str, random: Random, out: Path) -> None:
    from tests.hostile.mutate import mutate, shrink

    examples = kind.examples()
    content = mutate(random.choice(examples), examples, random)
    (out / PENDING).write_bytes(content)
    if finding := problem(kind, content):
        headline = finding.splitlines()[-1][:40]
        small = shrink(content, lambda shorter: headline in (problem(kind, shorter) or ""))
        target = out / f"{name.replace(' ', '_')}-{random.randrange(16**6):06x}"
        target.with_suffix(".bin").write_bytes(small)
        target.with_suffix(".txt").write_text(f"{name}\n{finding}\n")
        print(f"FOUND {target.name}: {headline}", flush=True)


def problem(kind, content: bytes) -> str | None:
    """Read one input; return what is wrong with the way it is read, or None."""
    from zfnet.core.errors import ZfnetError

    start = time.monotonic()
    with TemporaryDirectory() as folder:
        path = Path(folder) / kind.name
        path.write_bytes(kind.pack(content))
        try:
            kind.read(path)
        except ZfnetError as error:
            if "more memory than is free" in str(error):
                return f"it asked for more than {MEMORY} bytes: {error}"
            if not str(error).replace("\n", "").isprintable():
                return f"a sentence that is not printable: {str(error)!a}"
        except Exception:
            return traceback.format_exc()
    spent = time.monotonic() - start
    return f"it took {spent:.0f} seconds" if spent > SECONDS else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kinds", nargs="*", help="all, if none is named")
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--inputs", type=int, default=20, help="of each kind, whatever the time")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--out", type=Path, default=Path("build/fuzz"), help="folder of the findings")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.kinds, given.seed, given.minutes, given.inputs, given.out)
        return
    findings = fuzz(given.kinds, given.seed, given.minutes, given.inputs, given.out)
    print(f"{findings} findings in {given.out}")
    sys.exit(bool(findings))


if __name__ == "__main__":
    main()
