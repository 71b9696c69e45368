"""Save and load nets: one safetensors file holds weights, mean image, architecture and metadata. No pickle is involved.

The header has one entry, `zfnet`: JSON with `format`, `architecture` (see `zfnet.nets.architecture`; for an adapted net
`chain` instead, see `zfnet.nets.chain_spec`) and `metadata` (added by the caller: class list, spec hash …). Files are
untrusted input, so the net is first built on the meta device and accepts only tensors of exactly the expected names
and shapes.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from zfnet.core.errors import ZfnetError
from zfnet.core.files import atomic, canonical_json
from zfnet.core.parsing import parse_json
from zfnet.nets import chain_spec
from zfnet.nets.architecture import Architecture
from zfnet.nets.network import Network, from_architecture

FORMAT = 1


def save(net: Network, path: str | Path, **metadata: Any) -> None:
    """Write `net` atomically, with `metadata` (any JSON data), which `load_metadata` reads back."""
    header = {"format": FORMAT, "metadata": metadata, **_description(net)}
    tensors = {name: _own_copy(tensor) for name, tensor in net.state_dict().items()}
    with atomic(path) as beside:
        save_file(tensors, beside, metadata={"zfnet": canonical_json(header)})


def _own_copy(tensor: Tensor) -> Tensor:
    """Copy a tensor, since a file cannot hold two names of one (a convolution that is used twice)."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def load(path: str | Path) -> Network:
    """Load a net onto the CPU, in eval mode.

    Raises
    ------
    ZfnetError
        The file is missing, damaged, not a zfnet net, or its tensors do not fit its architecture.
    """
    header, tensors = _read(path, weights=True)
    with torch.device("meta"):
        net = _build(path, header)
    _check_tensors(path, net.state_dict(), tensors)
    state = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    net.load_state_dict(state, assign=True)
    return net.eval()


def load_metadata(path: str | Path) -> dict[str, Any]:
    """Read the metadata of a saved net without loading its weights."""
    metadata = _read(path, weights=False)[0].get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _read(path: str | Path, weights: bool) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(str(path), framework="pt") as file:
            header = _header(path, file.metadata())
            return header, {name: file.get_tensor(name) for name in file.keys()} if weights else {}  # noqa: SIM118
    except FileNotFoundError:
        raise ZfnetError(
            f"{path}: no such file; expected a net saved by zfnet (runs/RUN/weights.safetensors)."
        ) from None
    except (SafetensorError, OSError) as error:
        raise ZfnetError(f"{path}: damaged or not a safetensors file ({error}); delete it and train again.") from None


def _header(path: str | Path, metadata: dict[str, str] | None) -> dict[str, Any]:
    try:
        header = parse_json((metadata or {})["zfnet"])
    except (KeyError, ValueError):
        raise ZfnetError(
            f"{path}: a safetensors file, but not a net saved by zfnet (no 'zfnet' header); to use the weights of a "
            "torchvision model, pass them with --weights."
        ) from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ZfnetError(f"{path}: saved by another version of zfnet; expected format {FORMAT}. Save the net again.")
    return header


def _description(net: Network) -> dict[str, Any]:
    return {"architecture": net.architecture.to_json()} if net.architecture else {"chain": chain_spec.to_json(net)}


def _build(path: str | Path, header: dict[str, Any]) -> Network:
    try:
        if "chain" in header:
            return chain_spec.from_json(header["chain"])
        return from_architecture(Architecture.from_json(header.get("architecture")))
    except ZfnetError as error:
        raise ZfnetError(f"{path}: {error}") from None


def _check_tensors(path: str | Path, expected: dict[str, Tensor], tensors: dict[str, Tensor]) -> None:
    for name in sorted(expected.keys() ^ tensors.keys()):
        raise ZfnetError(f"{path}: {name} is {'missing' if name in expected else 'not part of this net'}.")
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape or tensor.is_floating_point() != expected[name].is_floating_point():
            raise ZfnetError(
                f"{path}: {name} is {tensor.dtype} {tuple(tensor.shape)}, "
                f"expected {_kind(expected[name])} {tuple(expected[name].shape)}."
            )


def _kind(tensor: Tensor) -> str:
    return "float" if tensor.is_floating_point() else "integer"
