"""The GPU checklist: tests, check and benchmarks of a GPU, into one folder (`make gpu`, see docs/gpu.md).

All parts run, whatever the others say. With `--device cpu` everything is rehearsed without a GPU: its tests are
skipped, and the benchmarks have tiny sizes.
"""

import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

GROUPS = ("norm", "pool", "step", "loader", "end_to_end")  # those that a GPU changes, within the time


def commands(device: str, out: Path) -> dict[str, list[str]]:
    """Return the command of each part by its name; its output goes to a file of that name."""
    quick = ["--quick"] if device == "cpu" else []
    check = ["zfnet", "check-gpu", "--device", device, "--out", str(out / "check-gpu.json")]
    return {
        "check-gpu": check,
        "tests": ["pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider"],
        "benchmarks": ["benchmarks", *GROUPS, *quick, "--out", str(out / "bench")],
    }


def run(parts: dict[str, list[str]], out: Path) -> list[str]:
    """Run all parts and return the names of those that failed; write NAME.txt for each, and summary.txt."""
    out.mkdir(parents=True, exist_ok=True)
    failed, lines = [], []
    for name, command in parts.items():
        start = time.monotonic()
        with (out / f"{name}.txt").open("w", encoding="utf-8") as file:
            code = subprocess.run([sys.executable, "-m", *command], stdout=file, stderr=subprocess.STDOUT).returncode
        lines.append(f"{name}: {'ok' if code == 0 else f'FAILED ({code})'}, {time.monotonic() - start:.0f} s")
        print(lines[-1], flush=True)
        failed += [name] if code else []
    (out / "summary.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return failed


def main(
    device: Annotated[Literal["cuda", "cpu"], typer.Option(help="cpu: rehearse the checklist without a GPU")] = "cuda",
    out: Annotated[Path, typer.Option(help="folder of the results")] = Path("build/gpu-checklist"),
) -> None:
    """Run tests, check and benchmarks of a GPU."""
    if failed := run(commands(device, out), out):
        raise SystemExit(f"{', '.join(failed)} failed; see {out}")


if __name__ == "__main__":
    typer.run(main)
