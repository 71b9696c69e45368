"""Device and precision: where tensors are computed, and in which type."""

import torch


def device() -> torch.device:
    """Return the GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return the context manager for a forward pass: `fp32` changes nothing, `bf16` keeps float32 master weights."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
