"""Models of torchvision: their published weights, and any weights file that fits one of them. Nothing is downloaded.

A published entry (`IMAGENET1K_V1` …) comes with its own preprocessing and class names. It is recognised by its name,
then read from torch's local cache, or by the name of the file that torchvision's address ends with.
"""

import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from zfnet.core.errors import ZfnetError
from zfnet.core.suggest import did_you_mean
from zfnet.explore.weights_reader import read_state, require_stored_values

EXAMPLES = ("alexnet", "vgg16", "resnet50", "googlenet", "densenet121", "mobilenet_v2")
COUNTER = "num_batches_tracked"  # of batch normalisation; without meaning at evaluation, and absent in old files


class Model(NamedTuple):
    """A model with its weights."""

    module: nn.Module
    published: Any  # torchvision's entry: of these weights, or the model's default if they are not published
    path: Path | None  # the file of the weights; None: random
    left_out: list[str]  # names in the file that the model does not use


def open_model(name: str, weights: str | Path | None, random_weights: bool) -> Model:
    """Open a model by its name in torchvision.

    Parameters
    ----------
    weights : a file (.pth, .safetensors), or the name of a published entry, such as IMAGENET1K_V1.
    random_weights : if there are no weights, random ones.

    Raises
    ------
    ZfnetError
        There is no such model, it has no weights, or they do not fit it.
    """
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise ZfnetError(
            f"{name}: neither a file nor a torchvision model; expected a net saved by zfnet (.safetensors) or a name "
            f"such as {', '.join(EXAMPLES)}{did_you_mean(name, known)}"
        )
    entries = list(models.get_model_weights(name))
    default = models.get_model_weights(name).DEFAULT
    if weights is None:
        if random_weights:
            return Model(_random(name), default, None, [])
        raise ZfnetError(
            f"{name}: no weights; give --weights FILE (.pth or .safetensors) or the name of an entry in torch's cache, "
            f"such as {default.name}; nothing is downloaded. --random-weights is for trying things out."
        )
    path, entry = _find(name, weights, entries, default)
    module, left_out = _with_weights(name, path, entry is not None)
    return Model(module, entry or default, path, left_out)


def _find(name: str, weights: str | Path, entries: Iterable[Any], default: Any) -> tuple[Path, Any]:
    """Return the file of the weights and the published entry that it is, if any."""
    path, short = Path(weights), str(weights).rpartition(".")[2]
    by_name = {entry.name: entry for entry in entries} | {"DEFAULT": default}
    if path.is_file() or (path.suffix and short not in by_name):
        return path, {_file_name(entry): entry for entry in entries}.get(path.name)
    if short not in by_name:
        legal = list(by_name)
        raise ZfnetError(
            f"{weights}: neither a file nor weights of {name}, which has {', '.join(legal)}{did_you_mean(short, legal)}"
        )
    entry = by_name[short]
    cached = Path(torch.hub.get_dir()) / "checkpoints" / _file_name(entry)
    if not cached.exists():
        raise ZfnetError(
            f"{cached}: the weights {entry.name} of {name} are not in torch's cache; nothing is downloaded here. Fetch "
            f'them once: python -c "import torchvision; torchvision.models.get_model({name!r}, weights={entry.name!r})"'
        )
    return cached, entry


def _file_name(entry: Any) -> str:
    return entry.url.rpartition("/")[2]


def _random(name: str) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return _build(name)


def _build(name: str, **options: Any) -> nn.Module:
    from torchvision import models

    with warnings.catch_warnings():  # GoogLeNet and Inception announce a change of their initial weights
        warnings.simplefilter("ignore", FutureWarning)
        return models.get_model(name, weights=None, **options)


def _with_weights(name: str, path: Path, official: bool) -> tuple[nn.Module, list[str]]:
    """Build a model with the weights of a file, which also determine its number of classes."""
    state = read_state(path)
    options = {"transform_input": True} if official and name in ("googlenet", "inception_v3") else {}
    module = _empty(name, num_classes=_count_classes(name, state), **options)
    expected = module.state_dict()
    state, left_out = fit_names(_modern_names(state), expected)
    _require_fit(path, name, expected, state, _unused(module))
    require_stored_values(path, state)
    module.load_state_dict(state, strict=False, assign=True)
    return module.float(), left_out


def _empty(name: str, **options: Any) -> nn.Module:
    """Build a model without memory for its weights, where its constructor allows that."""
    try:
        with torch.device("meta"):
            return _build(name, **options)
    except NotImplementedError:  # RegNet computes with tensors while it is built
        return _build(name, **options)


def _count_classes(name: str, state: Mapping[str, Tensor]) -> int:
    """Return the length of the last weight, found by its name in the model of 1,000 classes."""
    last = [key for key, tensor in _empty(name).state_dict().items() if tensor.ndim > 1 and len(tensor) == 1000]
    found = [tensor for key, tensor in state.items() if key.endswith(last[-1]) and tensor.ndim > 1]
    return len(found[-1]) if found else 1000


def _unused(module: nn.Module) -> tuple[str, ...]:
    """Return the beginnings of names of auxiliary heads, which serve training only."""
    return tuple(f"{name}." for name, _ in module.named_children() if name.lower().startswith("aux"))


def fit_names(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Take the names below the outer part that the file puts before all names of the net (`model.`, `backbone.0.`).

    Returns
    -------
    state : the entries by their names in the net; absent counters of batch normalisation are 0.
    left_out : names of the file outside that part.
    """
    first = next(iter(expected))
    fronts = sorted((name.removesuffix(first) for name in state if name.endswith(f".{first}")), key=len)
    front = "" if first in state or not fronts else fronts[0]
    inside = {name.removeprefix(front): tensor for name, tensor in state.items() if name.startswith(front)}
    counters = {name: torch.tensor(0) for name in expected if name.endswith(f".{COUNTER}") and name not in inside}
    return inside | counters, sorted(name for name in state if not name.startswith(front))


def _modern_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename what torchvision's published DenseNets still call `denselayer1.norm.1`, now `denselayer1.norm1`."""
    old = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\.")
    return {old.sub(r"\1\2.", name): tensor for name, tensor in state.items()}


def _require_fit(
    path: Path, name: str, expected: Mapping[str, Tensor], state: Mapping[str, Tensor], unused: tuple[str, ...]
) -> None:
    wrong = f"{path}: these are not the weights of {name}"
    missing = [key for key in expected if key not in state and not key.startswith(unused or ("\0",))]
    extra = sorted(state.keys() - expected.keys())
    for key, problem in [(key, "is missing") for key in missing] + [(key, "is not part of that net") for key in extra]:
        others = f" (and {len(missing) + len(extra) - 1} other names differ)" if len(missing) + len(extra) > 1 else ""
        raise ZfnetError(f"{wrong}: {key} {problem}{others}.")
    for key in sorted(state):
        tensor = state[key]
        if tensor.shape != expected[key].shape:
            raise ZfnetError(f"{wrong}: {key} is {tuple(tensor.shape)}, expected {tuple(expected[key].shape)}.")
        if tensor.is_floating_point() != expected[key].is_floating_point():
            raise ZfnetError(
                f"{path}: {key} is {tensor.dtype}; quantised or complex weights are not supported, give float weights."
            )
