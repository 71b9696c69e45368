"""Open a net: a file saved by zfnet, or a torchvision model with a weights file. Nothing is downloaded.

Torchvision models were trained on images divided by 255, minus a mean colour, divided by a standard deviation. All of
that moves into the net (`zfnet.nets.adapt`): the mean image becomes 255 times that colour, and the first convolution
divides. Inputs, projections and gradients are then in grey levels, as with our nets. Images are resized bilinearly and
cropped to the centre as in torchvision, up to a rounding difference of one pixel.
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


class OpenedNet(NamedTuple):
    """A net with its class names and provenance."""

    net: Network
    classes: list[str]  # names of its outputs; empty if they are unknown
    description: dict[str, Any]  # its source and preprocessing, for the provenance
    files: dict[str, Path]  # the files that it was read from


def open_net(net: str | Path, weights: Path | None = None, random_weights: bool = False, crop: int = 0) -> OpenedNet:
    """Open a net by file or by name.

    Parameters
    ----------
    net : a file written by `zfnet.nets.save`, or the name of a torchvision model, such as "alexnet".
    weights : parameters of the torchvision model: .safetensors, or .pth, of which only tensors are unpickled.
    random_weights : use random weights, to try things out.
    crop : side of the torchvision model's input, pixels; 0: as in training.

    Returns
    -------
    OpenedNet
        The net is on the device, in eval mode, and its parameters need no gradient.

    Raises
    ------
    ZfnetError
        There is no such net, its weights are missing, damaged, of another net or not finite, or one of its modules
        cannot be adapted (the message names it).
    """
    opened = _ours(Path(net), weights) if _is_file(net) else _torchvision(str(net), weights, random_weights, crop)
    if not all(parameter.isfinite().all() for parameter in opened.net.parameters()):
        raise ZfnetError(f"{weights or net}: the weights are not finite, so the training diverged; use other weights.")
    opened.net.to(device()).eval().requires_grad_(False)
    return opened


def _is_file(net: str | Path) -> bool:
    return Path(net).suffix == ".safetensors" or Path(net).is_file()


def _ours(path: Path, weights: Path | None) -> OpenedNet:
    if path.suffix != ".safetensors":
        raise ZfnetError(
            f"{path}: not a net saved by zfnet (.safetensors); if these are the weights of a torchvision model, "
            f"give its name and --weights {path}."
        )
    if weights:
        raise ZfnetError(f"{path} holds its own weights; omit --weights, or give the name of a torchvision model.")
    net, classes = load(path), load_metadata(path).get("classes")
    known = isinstance(classes, list) and len(classes) == net.classes
    description = {"net": str(path), "crop": net.crop, "size": net.size}
    return OpenedNet(net, [str(name) for name in classes] if known else [], description, {"net": path})


# ---- torchvision -----------------------------------------------------------------------------------------------------


def _torchvision(name: str, weights: Path | None, random_weights: bool, crop: int) -> OpenedNet:
    from torchvision import models

    _require_model(name, models.list_models(module=models))
    module = _random(name) if weights is None and random_weights else _trained(name, weights)
    published = models.get_model_weights(name).DEFAULT
    transforms = published.transforms()
    training_crop = transforms.crop_size[0]
    crop = crop or training_crop
    size = max(crop, round(crop * transforms.resize_size[0] / training_crop))
    mean, std = ([255 * value for value in values] for values in (transforms.mean, transforms.std))
    net = adapt(module, crop, rgb_image(mean, size, "mean"), std)
    description = {"net": f"torchvision {name}", "crop": crop, "size": size, "mean": mean, "std": std}
    description["random_weights"] = weights is None
    names = published.meta["categories"]
    classes = names if len(names) == net.classes else []
    return OpenedNet(net, classes, description, {"weights": weights} if weights else {})


def _require_model(name: str, known: list[str]) -> None:
    if name in known:
        return
    raise ZfnetError(
        f"{name}: neither a file nor a torchvision model; expected a net saved by zfnet (.safetensors) or a plain "
        f"chain such as {', '.join(CHAINS)}{did_you_mean(name, known)}"
    )


def _random(name: str) -> nn.Module:
    from torchvision import models

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return models.get_model(name, weights=None)


def _trained(name: str, path: Path | None) -> nn.Module:
    """Load a model with the weights of a file, which also determine its number of classes."""
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


def _require_fit(path: Path, name: str, expected: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    for key in expected.keys() ^ state.keys():
        problem = "is missing" if key in expected else "is not part of that net"
        raise ZfnetError(f"{path}: these are not the weights of {name}: {key} {problem}.")
    for key, tensor in state.items():
        if tensor.shape != expected[key].shape:
            shapes = f"{tuple(tensor.shape)}, expected {tuple(expected[key].shape)}"
            raise ZfnetError(f"{path}: these are not the weights of {name}: {key} is {shapes}.")
        if tensor.is_floating_point() != expected[key].is_floating_point():
            raise ZfnetError(
                f"{path}: {key} is {tensor.dtype}; quantised weights are not supported, give float weights."
            )


def read_state(path: Path) -> dict[str, Tensor]:
    """Read the parameters of a net by name.

    Parameters
    ----------
    path : .safetensors, or a `state_dict` saved by `torch.save`, at the top level or under "state_dict" or "model". A
        leading "module." is dropped from the names.

    Raises
    ------
    ZfnetError
        The file is missing or damaged, or contains other objects than tensors.
    """
    try:
        content = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except FileNotFoundError:
        raise ZfnetError(f"{path}: no such file; expected the weights of a net (.pth or .safetensors).") from None
    except pickle.UnpicklingError:
        raise ZfnetError(
            f"{path}: holds more than tensors, which could execute code, or is not a weights file; save only the net's "
            "state_dict()."
        ) from None
    except Exception as error:  # a damaged file may raise almost anything
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ZfnetError(f"{path}: damaged or not a weights file ({reason}).") from None
    for key in ("state_dict", "model"):
        content = content[key] if isinstance(content, dict) and isinstance(content.get(key), dict) else content
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise ZfnetError(f"{path}: holds more than named tensors; save only the net's state_dict().")
    return {name.removeprefix("module."): tensor for name, tensor in content.items()}
