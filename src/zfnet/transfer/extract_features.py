"""Features of every layer of a frozen net, read in one pass over a data set (ZF sect. 5.2, 5.3).

"Layer l" is the output of its whole stage, after pooling and contrast normalisation (D32): for the ZF net norm1, norm2,
conv3, conv4, pool5, fc6, fc7, in evaluation mode, flattened. The view is the centre crop, or the mean of the features
of the ten crops; the paper says neither. The mean image is the one the net was trained with.

A folder of features holds layer-L.npy, (N, d) in the order of the manifest, in float32 or, where the settings say so,
in float16, and index.json, which is written last and names the net and the data they came from. At full size layer 1
has 290,400 dimensions: 10 GB for Caltech-101, and half of that in float16. Room for all layers is looked for before.
"""

import math
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zfnet.core.device import device
from zfnet.core.errors import ZfnetError
from zfnet.core.files import atomic, read_json, remove_unfinished, sha256, write_json
from zfnet.core.memory import GIB
from zfnet.core.progress import track
from zfnet.core.provenance import provenance
from zfnet.data.augment import Crops, centre_crops, prepare, ten_crops
from zfnet.data.loader import Shards, require_square_size
from zfnet.evaluation.predict import full_precision
from zfnet.nets import Network, load
from zfnet.nets.geometry import stage_output
from zfnet.settings import Transfer

VIEWS_AT_ONCE = 160  # crops in one forward pass
TYPES = {"fp32": np.dtype(np.float32), "fp16": np.dtype(np.float16)}
LAYERS = {"voc2012": ("7",), "voc2012-test": ("7",)}  # Table 6 is about layer 7; others are read at settings.layers


class Features:
    """The features of one data set, as `features_stage` left them.

    name, classes, keys : of the data set;  labels : int64 (N,);  index : all of index.json
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.index = read_json(self.folder / "index.json")
        try:
            self.name, self.classes, self.keys = (self.index[name] for name in ("set", "classes", "keys"))
            self.labels = np.array(self.index["labels"], dtype=np.int64)
            self.layers = tuple(self.index["layers"])
        except (KeyError, TypeError, ValueError):
            raise ZfnetError(
                f"{self.folder / 'index.json'}: not an index of features; delete the folder and run "
                "`zfnet extract-features` again."
            ) from None

        if len(self.labels) and self.labels.max() >= len(self.classes):
            raise ZfnetError(
                f"{self.folder / 'index.json'}: the class list names {len(self.classes)} classes, but a picture is of "
                f"class number {self.labels.max() + 1}; delete the folder and run `zfnet extract-features` again."
            )

    def __len__(self) -> int:
        return len(self.keys)

    def expect(self, weights: Path | None, manifest: Path | None) -> None:
        """Refuse features of another net or data set than these, where they are named.

        Raises
        ------
        ZfnetError
            A hash differs; the sentence names both.
        """
        wanted = {
            "net": weights and (weights, sha256(weights)),
            "data": manifest and (manifest, Shards(manifest).manifest.hash),
        }
        for what, (path, expected) in ((what, known) for what, known in wanted.items() if known):
            if self.index[what] != expected:
                raise ZfnetError(
                    f"{self.folder}: features of another {what} ({self.index[what][:12]}) than {path} "
                    f"({expected[:12]}); run `zfnet extract-features` again with it."
                )

    def layer(self, layer: str) -> np.ndarray:
        """Return the features of a layer, float32 or float16 (N, d), memory mapped.

        Raises
        ------
        ZfnetError
            The layer was not read, or its file is not the one the index speaks of.
        """
        if layer not in self.layers:
            raise ZfnetError(f"{self.folder}: no features of layer {layer}; there are {', '.join(self.layers)}.")
        path, expected = self.folder / f"layer-{layer}.npy", (len(self), self.index["layers"][layer]["dimensions"])
        try:
            rows = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ZfnetError(f"{path}: cannot be read ({error}); delete {self.folder} and run again.") from None
        if rows.shape != expected or rows.dtype not in TYPES.values():
            raise ZfnetError(
                f"{path}: {rows.dtype} {rows.shape}, but index.json speaks of float16 or float32 {expected}; "
                f"delete {self.folder} and run again."
            )
        return rows


def features_stage(weights: Path, manifest: Path, settings: Transfer, out_dir: Path, threads: int = 2) -> None:
    """Write the features of a prepared data set.

    Parameters
    ----------
    weights, manifest
        The frozen net (.safetensors) and the data set (manifest.json).
    settings
        `layers`, `views` and `stored` count here.
    out_dir
        Gets layer-L.npy and index.json.
    """
    torch.set_num_threads(threads)
    full_precision()
    net, shards = load(weights).to(device()), Shards(manifest)
    layers = LAYERS.get(shards.manifest.name, settings.layers)
    outputs = {layer: stage_output(net, layer) for layer in layers}
    out_dir = Path(out_dir)
    (out_dir / "index.json").unlink(missing_ok=True)
    shapes = _write_layers(net, shards, outputs, settings, out_dir, threads)
    write_json(out_dir / "index.json", _index(shards, outputs, shapes, settings.crops, weights))


def extract(
    net: Network, shards: Shards, outputs: Sequence[str], views: str = "centre", threads: int = 2, at_once: int = 160
) -> Iterator[tuple[np.ndarray, dict[str, Tensor]]]:
    """Yield picture numbers (B,) and the features of these pictures, name -> float32 (B, C, H, W) or (B, C).

    Parameters
    ----------
    outputs
        Names of activations, such as "norm1" and "fc7".
    views
        "centre", or "ten": the mean of the features of ten crops.
    at_once
        Crops in one forward pass; the result does not depend on it, up to rounding.
    """
    require_square_size(shards, net.size, shards.manifest.name)
    crops = ten_crops(net.size, net.crop) if views == "ten" else centre_crops(1, net.size, net.crop)
    batch = max(1, at_once // len(crops.tops))
    for images, _, indices in shards.batches(np.arange(len(shards)), batch, threads):
        yield np.asarray(indices), _mean_features(net, images, crops, outputs)


@torch.inference_mode()
def _mean_features(net: Network, images: Tensor, crops: Crops, outputs: Sequence[str]) -> dict[str, Tensor]:
    count, views = len(images), len(crops.tops)
    images = images.to(net.mean.device).repeat_interleave(views, 0)  # (B * views, S, S, 3)
    crops = Crops(*(values.repeat(count) for values in crops))
    inputs = prepare(images, crops, net.crop, net.mean)
    wanted = {net.layers[name]: name for name in outputs}
    last = max(outputs, key=net.layers.__getitem__)
    return {
        wanted[place]: step.output.unflatten(0, (count, views)).mean(1)
        for place, step in enumerate(net.walk(inputs, upto=last))
        if place in wanted
    }


def _write_layers(
    net: Network, shards: Shards, outputs: dict[str, str], settings: Transfer, folder: Path, threads: int
) -> dict[str, list[int]]:
    """Stream all features into files; return the shape of each layer's output."""
    shapes, files = {}, {}
    for path in set(folder.glob("layer-*.npy")) - {folder / f"layer-{layer}.npy" for layer in outputs}:
        path.unlink()  # a layer that is no longer asked for
    for layer in outputs:
        remove_unfinished(folder / f"layer-{layer}.npy")  # each may be gigabytes
    steps = extract(net, shards, list(outputs.values()), settings.crops, threads, VIEWS_AT_ONCE)
    kind = TYPES[settings.feature_dtype]
    with ExitStack() as stack:
        paths = {layer: stack.enter_context(atomic(folder / f"layer-{layer}.npy")) for layer in outputs}
        for indices, found in track(steps, f"features of {shards.manifest.name}"):
            if not files:
                shapes = {layer: list(found[name].shape[1:]) for layer, name in outputs.items()}
                _require_room(folder, len(shards), shapes, kind)
                files = {layer: _open(path, len(shards), shapes[layer], kind) for layer, path in paths.items()}
            for layer, name in outputs.items():
                files[layer][indices] = _stored(found[name].flatten(1).cpu().numpy(), kind, layer)
        for file in files.values():
            file.flush()
    return shapes


def _require_room(folder: Path, pictures: int, shapes: dict[str, list[int]], kind: np.dtype) -> None:
    """Look at the disk before: mapped files take their room as they fill, and a full disk kills without a sentence."""
    needed = kind.itemsize * pictures * sum(math.prod(shape) for shape in shapes.values())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ZfnetError(
            f"Features of {pictures} pictures: {needed / GIB:.1f} GiB are needed in {folder} and {free / GIB:.1f} are "
            "free; make room there, set transfer.feature_dtype: fp16 (half as much as fp32), leave layer 1, by far the "
            "largest, out of transfer.layers, or name a `results` folder on another disk."
        )


def _open(path: Path, pictures: int, shape: list[int], kind: np.dtype) -> np.memmap:
    return np.lib.format.open_memmap(path, "w+", kind, (pictures, math.prod(shape)))


def _stored(values: np.ndarray, kind: np.dtype, layer: str) -> np.ndarray:
    if (largest := np.abs(values).max()) > np.finfo(kind).max:
        raise ZfnetError(
            f"Features: layer {layer} reaches {largest:.3g}, more than float16 holds; set transfer.feature_dtype: fp32."
        )
    return values.astype(kind)


def _index(shards: Shards, outputs: dict[str, str], shapes: dict, views: str, weights: Path) -> dict[str, Any]:
    annotations = [shards.annotation(i) for i in range(len(shards))]
    return {
        "set": shards.manifest.name,
        "classes": list(shards.classes),
        "keys": list(shards.keys),
        "labels": np.asarray(shards.labels).tolist(),
        "annotations": annotations if any(annotations) else None,
        "views": views,
        "layers": {
            layer: {"output": name, "shape": shapes[layer], "dimensions": int(np.prod(shapes[layer]))}
            for layer, name in outputs.items()
        },
        "net": sha256(weights),
        "data": shards.manifest.hash,
        "left_out": [f"{one.key}: {one.reason}" for one in shards.manifest.damaged],
        "provenance": provenance(device=str(device())),
    }
