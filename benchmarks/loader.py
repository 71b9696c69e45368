"""Loader: images per second from the same 256-pixel JPEGs, ours against the usual loaders.

Each reader yields minibatches of uint8 squares. The last peer also applies the usual transforms, as a training script
does.

- ours: random access over the whole set, in threads
- webdataset: decoded by its own "rgb8" (Pillow) and collated by the DataLoader, as in its introduction
- webdataset, tuned: decoded by simplejpeg and stacked in the worker; both shuffle shards and a buffer
- ImageFolder: files with the same bytes, decoded by Pillow in DataLoader workers

The peers have one DataLoader worker per core; on one core they run in the main process. Every process is restricted to
the cores of its row. Memory is measured in separate runs. The limit is decoding alone: the same bytes, held in memory,
one thread per core, every image into the same buffer.
"""

from collections.abc import Callable, Iterator, Sized
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
import torch

from benchmarks import memory, photos
from benchmarks.harness import Bench, Row
from benchmarks.timing import restrict_to, seconds
from zfnet.data.loader import Shards

BATCH = 128
SIDE = 256  # of the squares, pixels
IMAGES, DISTINCT = 3000, 1000  # images beyond the distinct ones repeat them under other keys
QUICK_IMAGES, QUICK_DISTINCT = 600, 30
BUFFER = 1000  # images in the shuffle buffer of webdataset
PEERS = {
    "webdataset": "webdataset + DataLoader",
    "webdataset_tuned": "webdataset + DataLoader, tuned",
    "image_folder": "ImageFolder + DataLoader",
    "usual": "ImageFolder + DataLoader, crop, flip, ToTensor",
}


def results(bench: Bench) -> Iterator[Row | str]:
    """Yield the rates and peak memory of all readers, on one core and on all."""
    images, distinct = (QUICK_IMAGES, QUICK_DISTINCT) if bench.quick else (IMAGES, DISTINCT)
    manifest = photos.squares(bench.work, images, distinct)
    arguments = {"manifest": str(manifest), "files": str(photos.files(manifest)), "images": images}
    yield (
        f"{images:,} squares of 256 pixels at quality {photos.QUALITY}, {photos.mean_bytes(manifest) / 1000:.1f} kB "
        f"per image, {distinct:,} of them distinct; minibatches of {BATCH}, all read from the page cache."
    )
    for cores in bench.core_counts:
        rate = partial(bench.side, "loader:rate", threads=1, cores=cores, **arguments)
        peak = partial(bench.side, "loader:peak", threads=1, cores=cores, **arguments)
        our_rate, our_peak = rate(reader="ours").value, peak(reader="ours").value
        limit = rate(reader="bare").value
        for reader, name in PEERS.items():
            yield Row(_count(cores), our_rate, "images/s", rate(reader=reader).value, name, our_peak, limit)
    for reader, name in PEERS.items():
        yield f"{_count(cores)}: {name} took {peak(reader=reader).value:,.0f} MB, ours {our_peak:,.0f} MB."


def _count(cores: int) -> str:
    return f"{cores} cores" if cores > 1 else "1 core"


def rate(reader: str, cores: int, images: int, **where: str) -> float:
    """Return images per second in the fastest of three epochs."""
    restrict_to(cores)
    epoch = READERS[reader](cores=cores, **where)
    return images / seconds(lambda: _read(epoch, images), rounds=3)


def peak(reader: str, cores: int, images: int, **where: str) -> float:
    """Return the peak memory during an epoch, MB."""
    epoch = READERS[reader](cores=cores, **where)
    return memory.peak_mb(lambda: _read(epoch, images))


def _read(epoch: Callable[[], Iterator[Sized]], images: int) -> None:
    count = sum(map(len, epoch()))
    if count != images:
        raise RuntimeError(f"The reader yielded {count} of {images} images.")


def ours(cores: int, manifest: str, files: str) -> Callable[[], Iterator[torch.Tensor]]:
    """Return epochs of our loader, in random order."""
    shards, random = Shards(manifest), np.random.default_rng(0)
    return lambda: (batch.images for batch in shards.batches(random.permutation(len(shards)), BATCH, cores))


def bare(cores: int, manifest: str, files: str) -> Callable[[], Iterator[range]]:
    """Return epochs of decoding and nothing else; they yield how many images each core decoded, as ranges."""
    encoded = [path.read_bytes() for path in Path(files).rglob("*.jpg")]
    parts = [encoded[core::cores] for core in range(cores)]

    def epoch() -> Iterator[range]:
        with ThreadPoolExecutor(cores) as pool:
            yield from pool.map(_decode, parts)

    return epoch


def _decode(encoded: list[bytes]) -> range:
    buffer = np.empty((SIDE, SIDE, 3), np.uint8)
    for jpeg in encoded:
        simplejpeg.decode_jpeg(jpeg, "RGB", buffer=buffer)
    return range(len(encoded))


def webdataset(cores: int, manifest: str, files: str) -> Callable[[], Iterator[torch.Tensor]]:
    """Return epochs of webdataset, decoded by itself and collated by the DataLoader."""
    return _dataloader(_shuffled(manifest).decode("rgb8").to_tuple("jpg", "cls"), cores, BATCH)


def webdataset_tuned(cores: int, manifest: str, files: str) -> Callable[[], Iterator[torch.Tensor]]:
    """Return epochs of webdataset, decoded by simplejpeg and stacked in the worker."""
    data = _shuffled(manifest).to_tuple("jpg", "cls").map_tuple(simplejpeg.decode_jpeg, int)
    return _dataloader(data.batched(BATCH, collation_fn=_stack), cores, batch_size=None)


def _shuffled(manifest: str) -> Any:
    """Return a webdataset of the encoded images, shuffled by shard and within a buffer."""
    import webdataset as wds

    urls = sorted(map(str, Path(manifest).parent.glob("*.tar")))
    return wds.WebDataset(urls, shardshuffle=len(urls), empty_check=False).shuffle(BUFFER)


def _stack(samples: list[tuple[np.ndarray, int]]) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = zip(*samples, strict=True)
    return torch.from_numpy(np.stack(images)), torch.tensor(labels)


def image_folder(cores: int, manifest: str, files: str) -> Callable[[], Iterator[torch.Tensor]]:
    """Return epochs of torchvision's ImageFolder, as uint8 squares."""
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import PILToTensor

    return _dataloader(ImageFolder(files, PILToTensor()), cores, BATCH, shuffle=True)


def usual(cores: int, manifest: str, files: str) -> Callable[[], Iterator[torch.Tensor]]:
    """Return epochs of ImageFolder with the transforms of a typical training script: float32 crops."""
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    normalise = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    steps = transforms.RandomCrop(224), transforms.RandomHorizontalFlip(), transforms.ToTensor(), normalise
    return _dataloader(ImageFolder(files, transforms.Compose(steps)), cores, BATCH, shuffle=True)


def _dataloader(data: Any, cores: int, batch_size: int | None, **options: Any) -> Callable[[], Iterator[torch.Tensor]]:
    """Return epochs of a DataLoader with one persistent worker per core; on one core, without workers."""
    torch.set_num_threads(1)
    workers = cores if cores > 1 else 0
    loader = torch.utils.data.DataLoader(
        data, batch_size, num_workers=workers, persistent_workers=workers > 0, **options
    )
    return lambda: (images for images, _ in loader)


READERS: dict[str, Callable[..., Callable[[], Iterator[Sized]]]] = {
    "bare": bare,
    "ours": ours,
    "webdataset": webdataset,
    "webdataset_tuned": webdataset_tuned,
    "image_folder": image_folder,
    "usual": usual,
}
