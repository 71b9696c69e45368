"""Read the parameters of a net from a file, in the wrappings in which people have them.

A `state_dict` may lie at the top or under a name such as "state_dict" or "model", beside an optimizer, arguments and
counters; each of its names may carry the marks of a wrapper (`module.` of DataParallel, `_orig_mod.` of torch.compile),
in front or in the middle. Files are untrusted input: only tensors and plain values are unpickled, argparse's Namespace
and NumPy's numbers included; sizes are checked against the file before anything is copied.
"""

import pickle
import re
import zipfile
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from zfnet.core.errors import ZfnetError, first_line

WRAPPERS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}  # parts of a name
PLACES = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "module", "weights", "params")
DEPTH = 4  # of dictionaries around the state_dict
# Objects that training scripts save beside the weights. Building them runs no code of the file.
_HARMLESS: list[Any] = [
    Namespace,
    np.dtype,
    (np._core.multiarray.scalar, "numpy.core.multiarray.scalar"),  # type: ignore[attr-defined]  # until NumPy 1.26
    (np._core.multiarray.scalar, "numpy._core.multiarray.scalar"),  # type: ignore[attr-defined]
    *{type(np.dtype(code)) for code in (*np.typecodes["AllInteger"], *"?efd")},
]


def read_state(path: Path) -> dict[str, Tensor]:
    """Read the parameters of a net by name, without the marks of wrappers.

    Parameters
    ----------
    path : .safetensors, or a file of `torch.save`.

    Raises
    ------
    ZfnetError
        The file is missing or damaged, contains objects that could run code, or no plain named tensors.
    """
    content = _unwrap(_read(path))
    if not isinstance(content, dict) or not any(isinstance(value, Tensor) for value in content.values()):
        raise ZfnetError(
            f"{path}: holds more than named tensors, or none; expected a net's state_dict(), at the top or under "
            f"one of {', '.join(PLACES)}. Save only that: {_conversion(path)}"
        )
    state: dict[str, Tensor] = {}
    for name, tensor in content.items():
        _check(path, name, tensor)
        plain = ".".join(part for part in name.split(".") if part not in WRAPPERS)
        if plain in state:
            raise ZfnetError(f"{path}: {plain} is given twice, the second time as {name}; save one state_dict() only.")
        state[plain] = tensor
    return state


def _read(path: Path) -> Any:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        _require_stored(path)
        with torch.serialization.safe_globals(_HARMLESS):
            return torch.load(path, "cpu", weights_only=True)
    except FileNotFoundError:
        raise ZfnetError(f"{path}: no such file; expected the weights of a net (.pth or .safetensors).") from None
    except ZfnetError:
        raise
    except pickle.UnpicklingError as error:
        raise ZfnetError(
            f"{path}: holds more than tensors{_named(error)}, which could execute code, or is not a weights file. If "
            f"you trust it, cut out the weights: {_conversion(path)}"
        ) from None
    except Exception as error:  # a damaged file may raise almost anything
        raise ZfnetError(
            f"{path}: damaged or not a weights file ({first_line(error)[:200]}); copy or download it again."
        ) from None


def _require_stored(path: Path) -> None:
    """Refuse a compressed archive: torch writes none, and a small one may become large."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise ZfnetError(
                    f"{path}: a compressed zip archive, which torch.save does not write; if the weights lie inside it, "
                    "unpack it first."
                )


def _named(error: Exception) -> str:
    """Return the class that torch refused, in brackets."""
    found = re.search(r"GLOBAL ([\w.]+)", str(error))
    return f" ({found[1]})" if found else ""


def _conversion(path: Path) -> str:
    return (
        f"python -c \"import torch; c = torch.load({str(path)!r}, 'cpu', weights_only=False); "
        "torch.save(c['state_dict'], 'weights.pth')\" (it runs the code in that file; put the right name for "
        "state_dict)."
    )


def _unwrap(content: Any) -> Any:
    """Follow the usual names down to the dictionary of tensors."""
    for _ in range(DEPTH):
        if not isinstance(content, dict):
            break
        inner = next((content[place] for place in PLACES if isinstance(content.get(place), dict)), None)
        if inner is None:
            break
        content = inner
    return content


def _check(path: Path, name: Any, tensor: Any) -> None:
    """Check that an entry is a plain tensor under a plain name, no larger than what the file holds of it."""
    if not isinstance(name, str):
        raise ZfnetError(f"{path}: the name {name!r} is no text; expected a net's state_dict().")
    if not isinstance(tensor, Tensor):
        raise ZfnetError(
            f"{path}: holds more than named tensors ({name} is of type {type(tensor).__name__}); save only the net's "
            "state_dict()."
        )
    if tensor.is_meta or tensor.layout != torch.strided or tensor.is_quantized:
        kind = "meta" if tensor.is_meta else "quantised" if tensor.is_quantized else str(tensor.layout)
        raise ZfnetError(f"{path}: {name} is a {kind} tensor; expected plain (dense) numbers.")
    if tensor.numel() == 0:
        raise ZfnetError(f"{path}: {name} is empty, {tuple(tensor.shape)}; expected at least one number.")


def require_stored_values(path: Path, state: Mapping[str, Tensor]) -> None:
    """Check that the file holds every value, so that a copy takes no more memory than the file.

    Raises
    ------
    ZfnetError
        A tensor repeats its values (`expand`), so that a small file would become a large net.
    """
    for name, tensor in state.items():
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise ZfnetError(
                f"{path}: {name} is {tuple(tensor.shape)} but the file holds fewer numbers than that (an expanded "
                "tensor); save it after .contiguous()."
            )
