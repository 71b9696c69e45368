"""Information about this installation."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from zfnet.commands.common import on_gpu


def settings() -> None:
    """Print every setting with its default and meaning, as Markdown."""
    from zfnet.config import explain

    print(explain(), end="")


@on_gpu
def check_gpu(
    device: Annotated[Literal["cuda", "cpu"], typer.Option(help="cpu: rehearse the check without a GPU")] = "cuda",
    out: Annotated[Path | None, typer.Option(help="write the result as JSON")] = None,
) -> None:
    """Check kernels and recorded training step of a GPU against the plain path."""
    import torch

    from zfnet.core import device as devices
    from zfnet.core.errors import ZfnetError
    from zfnet.core.files import write_json
    from zfnet.core.provenance import provenance
    from zfnet.training.gpu_check import check

    if device == "cuda" and devices.device().type != "cuda":
        raise ZfnetError("There is no GPU to check; --device cpu rehearses the check without one.")
    result = check(torch.device(device))
    for finding in result["findings"]:
        print(f"{'ok' if finding['passed'] else 'FAILED':6} {finding['name']}: {finding['text']}")
    print(f"Trainings use step: {result['step']}, norm: {result['norm']}.")
    if out:
        write_json(out, result | {"provenance": provenance(device=device)})
    if failed := [finding["name"] for finding in result["findings"] if not finding["passed"]]:
        raise ZfnetError(f"{device} failed: {', '.join(failed)}; trainings take the plain path there, which is slower.")


COMMANDS = (settings, check_gpu)
