"""Extract the features of every layer of a frozen net in one pass over a data set (ZF sect. 5.2, 5.3).

The features of a layer are the output of its whole stage, after pooling and contrast normalisation (D32): for the ZF
net norm1, norm2, conv3, conv4, pool5, fc6, fc7, in evaluation mode, flattened. They are computed on the centre crop, or
averaged over ten crops; the paper does not say which. The mean image is the one the net was trained with.

A folder of features holds one LAYER.npy for each layer, (N, d) in the order of the manifest, in float32 or float16
(`transfer.feature_dtype`), and index.json, which is written last and identifies the net and the data. At full size
conv1 has 290,400 dimensions: 10 GB for Caltech-101, or 5 GB in float16. The free disk space is checked beforehand.
"""

import math
import shutil
from collections.abc import Callable, Iterator, Sequence
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
from zfnet.core.progress_bar import track
from zfnet.core.provenance import provenance
from zfnet.data.augment import Crops, centre_crops, prepare, ten_crops
from zfnet.data.loader import Shards, require_square_size
from zfnet.nets import Network, load
from zfnet.nets.geometry import stage_output
from zfnet.settings import Transfer

CROPS_PER_PASS = 160  # crops in one forward pass
DTYPES: dict[str, np.dtype] = {"fp32": np.dtype(np.float32), "fp16": np.dtype(np.float16)}
LAYERS = {"voc2012": ("fc7",), "voc2012-test": ("fc7",)}  # Table 6 uses fc7; other sets, settings.layers


class Features:
    """The features of one data set, as `features_stage` wrote them.

    name, classes, keys : of the data set;  labels : int64 (N,)
    crops : "centre" or "ten";  layers : those extracted;  index : everything in index.json

    Parameters
    ----------
    folder
        The folder that `features_stage` wrote.
    weights, manifest
        The net and the data set that the features must come from; None accepts any.

    Raises
    ------
    ZfnetError
        The index is damaged, or names another net or data set.
    """

    def __init__(self, folder: str | Path, weights: Path | None = None, manifest: Path | None = None):
        self.folder = Path(folder)
        path = self.folder / "index.json"
        self.index = read_json(path)
        try:
            self.name, self.classes, self.keys, self.crops = (
                self.index[key] for key in ("set", "classes", "keys", "crops")
            )
            self.labels = np.array(self.index["labels"], dtype=np.int64)
            self.layers = tuple(self.index["layers"])
        except (KeyError, TypeError, ValueError):
            raise ZfnetError(
                f"{path}: not an index of features; delete the folder and run `zfnet extract-features` again."
            ) from None
        if len(self.labels) and self.labels.max() >= len(self.classes):
            raise ZfnetError(
                f"{path}: the class list has {len(self.classes)} classes, but an image has class number "
                f"{self.labels.max() + 1}; delete the folder and run `zfnet extract-features` again."
            )
        self._check_source("net", weights, sha256)
        self._check_source("data", manifest, lambda path: Shards(path).manifest.hash)

    def __len__(self) -> int:
        return len(self.keys)

    def _check_source(self, key: str, path: Path | None, hash_of: Callable[[Path], str]) -> None:
        if path is None or self.index[key] == (expected := hash_of(path)):
            return
        raise ZfnetError(
            f"{self.folder}: features of another {key} ({self.index[key][:12]}) than {path} ({expected[:12]}); "
            "run `zfnet extract-features` again with it."
        )

    def layer(self, layer: str) -> np.ndarray:
        """Return the features of a layer, float32 or float16 (N, d), memory mapped.

        Raises
        ------
        ZfnetError
            The layer was not extracted, or its file does not match the index.
        """
        if layer not in self.layers:
            raise ZfnetError(f"{self.folder}: no features of {layer}; expected one of {', '.join(self.layers)}.")
        path, expected = self.folder / f"{layer}.npy", (len(self), self.index["layers"][layer]["dimensions"])
        try:
            rows = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ZfnetError(
                f"{path}: cannot be read ({error}); delete {self.folder} and run `zfnet extract-features` again."
            ) from None
        if rows.shape != expected or rows.dtype not in DTYPES.values():
            raise ZfnetError(
                f"{path}: {rows.dtype} {rows.shape}, but index.json describes float16 or float32 {expected}; "
                f"delete {self.folder} and run `zfnet extract-features` again."
            )
        return rows


def features_stage(weights: Path, manifest: Path, settings: Transfer, out_dir: Path, threads: int = 2) -> None:
    """Extract the features of a prepared data set and write them.

    Parameters
    ----------
    weights, manifest
        The frozen net (.safetensors) and the data set (manifest.json).
    settings
        `layers`, `crops` and `feature_dtype` are used.
    out_dir
        Receives LAYER.npy and index.json.
    """
    torch.set_num_threads(threads)
    net, shards = load(weights).to(device()), Shards(manifest)
    layers = LAYERS.get(shards.manifest.name, settings.layers)
    outputs = {layer: stage_output(net, layer) for layer in layers}
    out_dir = Path(out_dir)
    (out_dir / "index.json").unlink(missing_ok=True)
    shapes = _write_layers(net, shards, outputs, settings, out_dir, threads)
    write_json(out_dir / "index.json", _index(shards, outputs, shapes, settings.crops, weights))


def extract(
    net: Network,
    shards: Shards,
    outputs: Sequence[str],
    crops: str = "centre",
    threads: int = 2,
    crops_per_pass: int = 160,
) -> Iterator[tuple[np.ndarray, dict[str, Tensor]]]:
    """Yield image numbers (B,) and the features of these images, name -> float32 (B, C, H, W) or (B, C).

    Parameters
    ----------
    outputs
        Names of activations, such as "norm1" and "fc7".
    crops
        "centre", or "ten": the mean of the features of ten crops.
    crops_per_pass
        Crops in one forward pass; up to rounding, the result does not depend on it.

    Raises
    ------
    ZfnetError
        The data set was prepared at another size than the net was trained on.
    """
    require_square_size(shards, net.size, shards.manifest.name)
    per_image = ten_crops(net.size, net.crop) if crops == "ten" else centre_crops(1, net.size, net.crop)
    batch_size = max(1, crops_per_pass // len(per_image.tops))
    for images, _, indices in shards.batches(np.arange(len(shards)), batch_size, threads):
        yield np.asarray(indices), _mean_features(net, images, per_image, outputs)


@torch.inference_mode()
def _mean_features(net: Network, images: Tensor, per_image: Crops, outputs: Sequence[str]) -> dict[str, Tensor]:
    """Return the features of images (B, S, S, 3), averaged over the V crops of each."""
    count, crops_each = len(images), len(per_image.tops)
    images = images.to(net.mean.device).repeat_interleave(crops_each, 0)  # (B * V, S, S, 3)
    crops = Crops(*(values.repeat(count) for values in per_image))  # (B * V,)
    inputs = prepare(images, crops, net.crop, net.mean)  # (B * V, 3, crop, crop)
    names = {net.layers[name]: name for name in outputs}  # operation number -> name
    last = max(outputs, key=net.layers.__getitem__)
    return {
        names[number]: step.output.unflatten(0, (count, crops_each)).mean(1)
        for number, step in enumerate(net.iter_forward(inputs, upto=last))
        if number in names
    }


def _write_layers(
    net: Network, shards: Shards, outputs: dict[str, str], settings: Transfer, folder: Path, threads: int
) -> dict[str, list[int]]:
    """Write the features to their files batch by batch; return the shape of each layer's output."""
    shapes: dict[str, list[int]] = {}
    files: dict[str, np.memmap] = {}
    for path in set(folder.glob("*.npy")) - {folder / f"{layer}.npy" for layer in outputs}:
        path.unlink()  # a layer that is no longer requested
    for layer in outputs:
        remove_unfinished(folder / f"{layer}.npy")  # each may be gigabytes
    batches = extract(net, shards, list(outputs.values()), settings.crops, threads, CROPS_PER_PASS)
    dtype = DTYPES[settings.feature_dtype]
    with ExitStack() as stack:
        paths = {layer: stack.enter_context(atomic(folder / f"{layer}.npy")) for layer in outputs}
        for indices, features in track(batches, f"features of {shards.manifest.name}"):
            if not files:  # shapes are known from the first batch on
                shapes = {layer: list(features[name].shape[1:]) for layer, name in outputs.items()}
                _require_disk_space(folder, len(shards), shapes, dtype)
                files = {layer: _open(path, len(shards), shapes[layer], dtype) for layer, path in paths.items()}
            for layer, name in outputs.items():
                files[layer][indices] = _convert(features[name].flatten(1).cpu().numpy(), dtype, layer)  # (B, d)
        for file in files.values():
            file.flush()
    return shapes


def _require_disk_space(folder: Path, images: int, shapes: dict[str, list[int]], dtype: np.dtype) -> None:
    """Check the disk first: mapped files take space only as they fill, and a full disk then kills without a message."""
    needed = dtype.itemsize * images * sum(math.prod(shape) for shape in shapes.values())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ZfnetError(
            f"Features of {images} images: {needed / GIB:.1f} GiB are needed in {folder}, but only {free / GIB:.1f} "
            "are free; make room there, set transfer.feature_dtype: fp16 (half the size of fp32), remove layer 1, by "
            "far the largest, from transfer.layers, or set `results` to a folder on another disk."
        )


def _open(path: Path, images: int, shape: list[int], dtype: np.dtype) -> np.memmap:
    return np.lib.format.open_memmap(path, "w+", dtype, (images, math.prod(shape)))


def _convert(values: np.ndarray, dtype: np.dtype, layer: str) -> np.ndarray:
    if (largest := np.abs(values).max()) > np.finfo(dtype).max:
        raise ZfnetError(
            f"Features: {layer} reaches {largest:.3g}, more than float16 holds; set transfer.feature_dtype: fp32."
        )
    return values.astype(dtype)


def _index(shards: Shards, outputs: dict[str, str], shapes: dict, crops: str, weights: Path) -> dict[str, Any]:
    annotations = [shards.annotation(i) for i in range(len(shards))]
    return {
        "set": shards.manifest.name,
        "classes": list(shards.classes),
        "keys": list(shards.keys),
        "labels": np.asarray(shards.labels).tolist(),
        "annotations": annotations if any(annotations) else None,
        "crops": crops,
        "layers": {
            layer: {"output": name, "shape": shapes[layer], "dimensions": int(np.prod(shapes[layer]))}
            for layer, name in outputs.items()
        },
        "net": sha256(weights),
        "data": shards.manifest.hash,
        "left_out": [f"{image.key}: {image.reason}" for image in shards.manifest.damaged],
        "provenance": provenance(device=str(device())),
    }
