"""Device and precision: where tensors are computed, and in which type."""

from functools import cache

import torch

from zfnet.core import gpu_cards
from zfnet.core.errors import ZfnetError, first_line

BF16_CAPABILITY = (8, 0)  # older cards emulate bfloat16, which is slower than float32


def device() -> torch.device:
    """Return the GPU if there is one, else the CPU.

    Float32 then means float32 there (`full_precision`).

    Raises
    ------
    ZfnetError
        A GPU was given to this process, by our lock, a scheduler or the user, but CUDA does not work.
    """
    full_precision()
    if torch.cuda.is_available():
        return torch.device("cuda")
    if gpu_cards.requested():
        raise ZfnetError(f"This process was given a GPU, but {_why_no_cuda()}")
    return torch.device("cpu")


def full_precision() -> None:
    """Let no GPU compute float32 in TF32, which cuDNN does by default: it rounds mantissas from 23 to 10 bits."""
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False


def usable_precision(device: torch.device, precision: str) -> str:
    """Return `precision`, or fp32 instead of bf16 on a GPU that has no bfloat16 units (it says so once)."""
    return "fp32" if precision == "bf16" and not _has_bf16(device) else precision


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return the context manager for a forward pass: `fp32` changes nothing, `bf16` keeps float32 master weights."""
    bf16 = usable_precision(device, precision) == "bf16"
    return torch.autocast(device.type, torch.bfloat16, enabled=bf16)


@torch.compiler.assume_constant_result
def _has_bf16(device: torch.device) -> bool:
    return device.type != "cuda" or _supports_bf16(torch.cuda.get_device_capability(device))


@cache
def _supports_bf16(capability: tuple[int, int]) -> bool:
    supported = capability >= BF16_CAPABILITY
    if not supported:
        major, minor = capability
        print(
            f"This GPU (compute capability {major}.{minor}) has no bfloat16 units (8.0 and newer have): bf16 recipes "
            "run in fp32 on it.",
            flush=True,
        )
    return supported


def _why_no_cuda() -> str:
    """Return what is wrong with CUDA, and what to do about it."""
    cuda, cpu = torch.version.cuda, "set CUDA_VISIBLE_DEVICES to nothing to compute on the CPU"
    if cuda is None:
        return f"this build of torch ({torch.__version__}) has no CUDA: install one that has, or {cpu}."
    try:
        torch.cuda.init()
        reason = "torch finds no device"
    except Exception as error:  # AssertionError, RuntimeError or OSError, depending on what is missing
        reason = first_line(error).rstrip(".")
    return (
        f"CUDA does not work ({reason}). The driver is {gpu_cards.driver() or 'not found'}, and torch "
        f"{torch.__version__} needs {gpu_cards.needed_driver(cuda)} or newer for CUDA {cuda}: update the driver (in a "
        f"container, pass the GPU in: --nv, --gpus all), or {cpu}."
    )
