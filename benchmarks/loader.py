"""Loader: images a second from the same 256-pixel JPEGs, ours against what is usual.

Each reader delivers minibatches of uint8 squares; the row of the usual transforms shows what a training script reads.

- ours: random access over the whole set, in threads;
- webdataset: decoded by its own "rgb8" (Pillow), collated by the DataLoader, as its introduction has it;
- webdataset, tuned: decoded by simplejpeg and stacked in the worker; both shuffle shards and a buffer;
- ImageFolder: files of the same bytes, decoded by Pillow in DataLoader workers.

The peers have one DataLoader worker a core; on one core they run in the process that asks. Every process is confined to
the cores of its row. Memory is measured in runs of its own.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
import torch

from benchmarks import memory, photos
from benchmarks.harness import Bench, Row
from benchmarks.timing import confine, seconds
from zfnet.data.loader import Shards

BATCH = 128
IMAGES, DRAWN = 3000, 1000  # those beyond the drawn ones repeat them under other keys
QUICK_IMAGES, QUICK_DRAWN = 600, 30
BUFFER = 1000  # pictures webdataset shuffles among
PEERS = {
    "webdataset": "webdataset + DataLoader",
    "webdataset_tuned": "webdataset + DataLoader, tuned",
    "image_folder": "ImageFolder + DataLoader",
    "usual": "ImageFolder + DataLoader, crop, flip, ToTensor",
}


def results(bench: Bench) -> Iterator[Row | str]:
    """Time all readers on one core and on all."""
    images, drawn = (QUICK_IMAGES, QUICK_DRAWN) if bench.quick else (IMAGES, DRAWN)
    manifest = photos.squares(bench.work, images, drawn)
    given = {"manifest": str(manifest), "files": str(photos.files(manifest)), "images": images}
    yield (
        f"{images:,} squares of 256 pixels at quality {photos.QUALITY}, {photos.mean_bytes(manifest) / 1000:.1f} kB a "
        f"picture, {drawn:,} different ones; minibatches of {BATCH}, all read from the system's cache."
    )
    for cores in bench.steps:
        rate = partial(bench.side, "loader:rate", threads=1, cores=cores, **given)
        peak = partial(bench.side, "loader:peak", threads=1, cores=cores, **given)
        speed, held = rate(reader="ours").value, peak(reader="ours").value
        for reader, name in PEERS.items():
            yield Row(_on(cores), speed, "images/s", rate(reader=reader).value, name, held)
    for reader, name in PEERS.items():
        yield f"{_on(cores)}: {name} held {peak(reader=reader).value:,.0f} MB, ours {held:,.0f} MB."


def _on(cores: int) -> str:
    return f"{cores} cores" if cores > 1 else "1 core"


def rate(reader: str, cores: int, images: int, **where: str) -> float:
    """Images a second in the best of three epochs."""
    confine(cores)
    epoch = READERS[reader](cores=cores, **where)
    return images / seconds(lambda: _read(epoch, images), rounds=3)


def peak(reader: str, cores: int, images: int, **where: str) -> float:
    """Most memory held during an epoch, MB."""
    epoch = READERS[reader](cores=cores, **where)
    return memory.peak_mb(lambda: _read(epoch, images))


def _read(epoch: Callable[[], Iterator[torch.Tensor]], images: int) -> None:
    found = sum(map(len, epoch()))
    if found != images:
        raise RuntimeError(f"The reader gave {found} of {images} images.")


def ours(cores: int, manifest: str, files: str) -> Callable[[], Iterator[torch.Tensor]]:
    """Epochs of ours in random order."""
    shards, random = Shards(manifest), np.random.default_rng(0)
    return lambda: (batch.images for batch in shards.batches(random.permutation(len(shards)), BATCH, cores))


def webdataset(cores: int, manifest: str, files: str) -> Callable[[], Iterator[torch.Tensor]]:
    """Epochs of webdataset, decoded by its own means and collated by the DataLoader."""
    return _loaded(_shuffled(manifest).decode("rgb8").to_tuple("jpg", "cls"), cores, BATCH)


def webdataset_tuned(cores: int, manifest: str, files: str) -> Callable[[], Iterator[torch.Tensor]]:
    """Epochs of webdataset, decoded by simplejpeg and stacked where they are decoded."""
    data = _shuffled(manifest).to_tuple("jpg", "cls").map_tuple(simplejpeg.decode_jpeg, int)
    return _loaded(data.batched(BATCH, collation_fn=_stacked), cores, batch=None)


def _shuffled(manifest: str) -> Any:
    """Give the encoded pictures in the order webdataset shuffles them into."""
    import webdataset as wds

    addresses = sorted(map(str, Path(manifest).parent.glob("*.tar")))
    return wds.WebDataset(addresses, shardshuffle=len(addresses), empty_check=False).shuffle(BUFFER)


def _stacked(samples: list[tuple[np.ndarray, int]]) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = zip(*samples, strict=True)
    return torch.from_numpy(np.stack(images)), torch.tensor(labels)


def image_folder(cores: int, manifest: str, files: str) -> Callable[[], Iterator[torch.Tensor]]:
    """Epochs of torchvision's ImageFolder, as uint8 squares."""
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import PILToTensor

    return _loaded(ImageFolder(files, PILToTensor()), cores, BATCH, shuffle=True)


def usual(cores: int, manifest: str, files: str) -> Callable[[], Iterator[torch.Tensor]]:
    """Epochs of ImageFolder with the transforms of many a training script: float32 crops."""
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    normalise = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    steps = transforms.RandomCrop(224), transforms.RandomHorizontalFlip(), transforms.ToTensor(), normalise
    return _loaded(ImageFolder(files, transforms.Compose(steps)), cores, BATCH, shuffle=True)


def _loaded(data: Any, cores: int, batch: int | None, **more: Any) -> Callable[[], Iterator[torch.Tensor]]:
    """Epochs of a DataLoader: one worker a core, kept between epochs; on one core none."""
    torch.set_num_threads(1)
    workers = cores if cores > 1 else 0
    loader = torch.utils.data.DataLoader(data, batch, num_workers=workers, persistent_workers=workers > 0, **more)
    return lambda: (images for images, _ in loader)


READERS = {
    "ours": ours,
    "webdataset": webdataset,
    "webdataset_tuned": webdataset_tuned,
    "image_folder": image_folder,
    "usual": usual,
}
