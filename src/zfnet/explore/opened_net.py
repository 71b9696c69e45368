"""Open a net to look at: a file of ours, or a model of torchvision with a weights file. Nothing is downloaded.

Models of torchvision were trained on pictures divided by 255, less a mean colour, divided by a standard deviation. All
of that is moved into the net (`zfnet.nets.adapt`): its mean image becomes 255 times that colour, and the first
convolution divides. Inputs, projections and gradients are then in grey levels, as with our nets. The short side is
resized bilinearly and the centre cut out as torchvision does, within a pixel of its rounding.
"""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from zfnet.core.colours import rgb_image
from zfnet.core.device import device
from zfnet.core.errors import ZfnetError
from zfnet.core.suggest import did_you_mean
from zfnet.nets import Network, adapt, load, load_metadata

CHAINS = ("alexnet", *(f"vgg{layers}{norm}" for layers in (11, 13, 16, 19) for norm in ("", "_bn")))  # in torchvision


class Opened(NamedTuple):
    """A net and what is known about it."""

    net: Network
    classes: list[str]  # names of its outputs; empty where they are not known
    origin: dict[str, Any]  # how its inputs are made, for the provenance
    files: dict[str, Path]  # what it was read from


def open_net(net: str | Path, weights: Path | None = None, random_weights: bool = False, crop: int = 0) -> Opened:
    """Open a net by file or by name.

    Parameters
    ----------
    net : a file written by `zfnet.nets.save`, or the name of a torchvision model, such as "alexnet".
    weights : that model's parameters: .safetensors, or .pth as torch saves them, which is read without unpickling
        anything but tensors.
    random_weights : go on without weights, to try things out.
    crop : side of the model's input, pixels; 0: that of its training.

    Returns
    -------
    Opened
        The net is on the device, in eval mode, its parameters fixed.

    Raises
    ------
    ZfnetError
        There is no such net, its weights are missing, damaged, of another net or not finite, or a part of it cannot
        be read (the sentence names it).
    """
    opened = _ours(Path(net), weights) if _is_file(net) else _torchvision(str(net), weights, random_weights, crop)
    if not all(parameter.isfinite().all() for parameter in opened.net.parameters()):
        raise ZfnetError(f"{weights or net}: the weights are not finite; the training that made them diverged.")
    opened.net.to(device()).eval().requires_grad_(False)
    return opened


def _is_file(net: str | Path) -> bool:
    return Path(net).suffix == ".safetensors" or Path(net).is_file()


def _ours(path: Path, weights: Path | None) -> Opened:
    if path.suffix != ".safetensors":
        raise ZfnetError(
            f"{path}: not a net saved by zfnet (.safetensors); if these are the weights of a model of torchvision, "
            f"give its name and --weights {path}."
        )
    if weights:
        raise ZfnetError(f"{path} holds its own weights; leave --weights away, or give a torchvision model's name.")
    net, classes = load(path), load_metadata(path).get("classes")
    known = isinstance(classes, list) and len(classes) == net.classes
    origin = {"net": str(path), "crop": net.crop, "size": net.size}
    return Opened(net, [str(name) for name in classes] if known else [], origin, {"net": path})


# ---- torchvision -----------------------------------------------------------------------------------------------------


def _torchvision(name: str, weights: Path | None, random_weights: bool, crop: int) -> Opened:
    from torchvision import models

    _require_model(name, models.list_models(module=models))
    module = _random(name) if weights is None and random_weights else _trained(name, weights)
    published = models.get_model_weights(name).DEFAULT
    made = published.transforms()
    usual = made.crop_size[0]
    crop = crop or usual
    size = max(crop, round(crop * made.resize_size[0] / usual))
    mean, std = ([255 * value for value in values] for values in (made.mean, made.std))
    net = adapt(module, crop, rgb_image(mean, size, "mean"), std)
    origin = {"net": f"torchvision {name}", "crop": crop, "size": size, "mean": mean, "std": std}
    origin["random_weights"] = weights is None
    names = published.meta["categories"]
    return Opened(net, names if len(names) == net.classes else [], origin, {"weights": weights} if weights else {})


def _require_model(name: str, known: list[str]) -> None:
    if name in known:
        return
    raise ZfnetError(
        f"{name}: neither a file nor a model of torchvision; expected a net saved by zfnet (.safetensors) or a plain "
        f"chain such as {', '.join(CHAINS)}{did_you_mean(name, known)}"
    )


def _random(name: str) -> nn.Module:
    from torchvision import models

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return models.get_model(name, weights=None)


def _trained(name: str, path: Path | None) -> nn.Module:
    """The model with the weights of a file, which also tells how many classes it has."""
    from torchvision import models

    if path is None:
        raise ZfnetError(
            f"{name}: no weights; give --weights FILE (.pth or .safetensors; nothing is downloaded), or "
            "--random-weights to try things out."
        )
    state = read_state(path)
    last = [tensor for tensor in state.values() if tensor.ndim == 2]
    with torch.device("meta"):
        module = models.get_model(name, weights=None, num_classes=len(last[-1]) if last else 1000)
    _require_fit(path, name, module.state_dict(), state)
    module.load_state_dict(state, assign=True)
    return module.float()


def _require_fit(path: Path, name: str, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    for key in expected.keys() ^ found.keys():
        what = "is missing" if key in expected else "is not part of it"
        raise ZfnetError(f"{path}: these are not the weights of {name}: {key} {what}.")
    for key, tensor in found.items():
        if tensor.shape != expected[key].shape:
            shapes = f"{tuple(tensor.shape)}, expected {tuple(expected[key].shape)}"
            raise ZfnetError(f"{path}: these are not the weights of {name}: {key} is {shapes}.")
        if tensor.is_floating_point() != expected[key].is_floating_point():
            raise ZfnetError(f"{path}: {key} is {tensor.dtype}; quantised weights cannot be read, give those in float.")


def read_state(path: Path) -> dict[str, Tensor]:
    """Read the parameters of a net by name.

    Parameters
    ----------
    path : .safetensors, or what `torch.save` wrote of a `state_dict`, alone or under "state_dict" or "model"; a
        leading "module." of the names is dropped.

    Raises
    ------
    ZfnetError
        The file is missing, damaged, or holds something else than tensors.
    """
    try:
        content = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except FileNotFoundError:
        raise ZfnetError(f"{path}: no such file; expected the weights of a net (.pth or .safetensors).") from None
    except pickle.UnpicklingError:
        raise ZfnetError(
            f"{path}: holds more than tensors, which could run code of its author, or is no weights file; save the "
            "net's state_dict() alone."
        ) from None
    except Exception as error:  # a damaged file may raise almost anything
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ZfnetError(f"{path}: damaged or not a weights file ({reason}).") from None
    for key in ("state_dict", "model"):
        content = content[key] if isinstance(content, dict) and isinstance(content.get(key), dict) else content
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise ZfnetError(f"{path}: holds more than named tensors; save the net's state_dict() alone.")
    return {name.removeprefix("module."): tensor for name, tensor in content.items()}
