"""ImageNet of the generated world: training set with quirks and planted near-duplicates, validation, test, devkit."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

from zfnet.core.progress_bar import track
from zfnet.settings import World
from zfnet.synthetic import categories, file_formats, transfer_sets
from zfnet.synthetic.categories import Category
from zfnet.synthetic.families import FAMILIES
from zfnet.synthetic.render import Address, Map, jpeg, planted

CHANGES = ("none", "brightness+10%", "none", "crop4%", "none", "brightness-10%")  # of the near-duplicates, in turn
PLANTED_COLUMNS = ("train_file", "caltech_file", "transform")
QUIRKS = ("png", "cmyk", "grey", "exif", "grey", "cmyk", "grey")  # one file each, like those in the official archive


def classes_of(world: World) -> dict[str, Category]:
    """Return the classes by WordNet id (n9…, unused by WordNet), sorted by id."""
    drawn = categories.imagenet(world.imagenet_classes, world.seed)
    numbered = {f"n9{(i * 7_368_787 + 1_234_567) % 9_999_991:07d}": category for i, category in enumerate(drawn)}
    return dict(sorted(numbered.items()))


def training(world: World, path: Path, draw: Map) -> list[tuple[str, ...]]:
    """Write the training archive, a tar of tars; return the rows of planted_duplicates.csv."""
    classes = classes_of(world)
    quirks = _quirks(world, list(classes))
    addresses = [
        Address(world.seed, "imagenet-train", (category,), category.name, i, world.image_size, quirks.get((wnid, i)))
        for wnid, category in classes.items()
        for i in range(world.train_images)
    ]
    sources = _duplicated(world)
    copies = draw(planted, list(sources.values()))
    drawn = iter(track(draw(jpeg, addresses), "world: ImageNet train", len(addresses)))
    homes = _homes(world, list(classes))
    members = {wnid: [next(drawn) for _ in range(world.train_images)] for wnid in classes}
    for wnid, copy in zip(homes, copies, strict=True):
        members[wnid].append(copy)
    names = {wnid: _file_names(world, wnid, len(data)) for wnid, data in members.items()}
    with file_formats.tar(path) as archive:
        for wnid, data in members.items():
            archive.add(f"{wnid}.tar", file_formats.tar_bytes(sorted(zip(names[wnid], data, strict=True))))
    return list(_planted_rows(sources, homes, names, world.train_images))


def _planted_rows(
    sources: dict[str, Address], homes: list[str], names: dict[str, list[str]], first: int
) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the table; the planted files of a class come after its `first` files."""
    planted_files = {wnid: iter(files[first:]) for wnid, files in names.items()}
    for (source, address), wnid in zip(sources.items(), homes, strict=True):
        yield f"{wnid}/{next(planted_files[wnid])}", source, str(address.change)


def _file_names(world: World, wnid: str, count: int) -> list[str]:
    """Return file names with gaps in their numbers, like the official ones."""
    numbers = Random(f"{world.seed}/numbers/{wnid}").sample(range(1, 20 * count + 1), count)
    return [f"{wnid}_{number}.JPEG" for number in numbers]


def _quirks(world: World, wnids: list[str]) -> dict[tuple[str, int], str]:
    """Return the training images that are not plain RGB JPEGs: at most one in ten."""
    rng, cells = Random(f"{world.seed}/quirks"), [(wnid, i) for wnid in wnids for i in range(world.train_images)]
    return dict(zip(rng.sample(cells, min(len(QUIRKS), len(cells) // 10)), QUIRKS, strict=False))


def _duplicated(world: World) -> dict[str, Address]:
    """Return the Caltech images whose near-duplicates are planted, by member name, alternating between both sets."""
    rng = Random(f"{world.seed}/duplicates")
    sets = [
        sorted(_objects(images).items())
        for images in (transfer_sets.caltech101(world), transfer_sets.caltech256(world))
    ]
    pools = [rng.sample(images, min(len(images), world.planted_duplicates)) for images in sets]
    turns = [pair for both in zip(*pools, strict=False) for pair in both][: world.planted_duplicates]
    return {name: address._replace(change=CHANGES[i % len(CHANGES)]) for i, (name, address) in enumerate(turns)}


def _homes(world: World, wnids: list[str]) -> list[str]:
    """Return the class in which each near-duplicate is planted."""
    return Random(f"{world.seed}/planted").choices(wnids, k=len(_duplicated(world)))


def _objects(images: dict[str, Address]) -> dict[str, Address]:
    return {name: address for name, address in images.items() if address.categories}


def validation(world: World, path: Path, devkit: Path, draw: Map) -> None:
    """Write the validation archive in shuffled order, and the devkit with its ground truth."""
    classes = classes_of(world)
    cells = [(wnid, i) for wnid in classes for i in range(world.val_images)]
    Random(f"{world.seed}/val").shuffle(cells)
    addresses = [
        Address(world.seed, "imagenet-val", (classes[wnid],), classes[wnid].name, i, world.image_size)
        for wnid, i in cells
    ]
    with file_formats.tar(path) as archive:
        for number, data in enumerate(track(draw(jpeg, addresses), "world: ImageNet val", len(addresses)), 1):
            archive.add(f"ILSVRC2012_val_{number:08d}.JPEG", data)
    ids = _ids(world, list(classes))
    with file_formats.tar(devkit) as archive:
        truth = "".join(f"{ids[wnid]}\n" for wnid, _ in cells)
        archive.add("ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt", truth.encode())
        archive.add("ILSVRC2012_devkit_t12/data/meta.mat", file_formats.meta_mat(_synsets(world, classes, ids)))
        archive.add(
            "ILSVRC2012_devkit_t12/readme.txt", b"Development kit of the generated world, in the official layout.\n"
        )


def testing(world: World, path: Path, draw: Map) -> None:
    """Write the test archive: a folder of images of all classes, without labels."""
    all_categories = list(classes_of(world).values())
    chosen = Random(f"{world.seed}/test").choices(all_categories, k=world.test_images)
    addresses = [
        Address(world.seed, "imagenet-test", (category,), "test", i, world.image_size)
        for i, category in enumerate(chosen)
    ]
    with file_formats.tar(path) as archive:
        for number, data in enumerate(track(draw(jpeg, addresses), "world: ImageNet test", len(addresses)), 1):
            archive.add(f"test/ILSVRC2012_test_{number:08d}.JPEG", data)


def _ids(world: World, wnids: list[str]) -> dict[str, int]:
    """Return the ILSVRC2012_ID of each class: 1..n, not in the order of the WordNet ids."""
    order = Random(f"{world.seed}/ids").sample(wnids, len(wnids))
    return {wnid: i for i, wnid in enumerate(order, 1)}


def _synsets(world: World, classes: dict[str, Category], ids: dict[str, int]) -> list[dict]:
    """Return the rows of meta.mat: the classes by id, then the root and the groups of families."""
    homes = _homes(world, list(classes))
    files = {wnid: world.train_images + homes.count(wnid) for wnid in classes}
    order = sorted(classes, key=lambda wnid: ids[wnid])
    leaves = [_synset(ids[wnid], wnid, classes[wnid].name, [], 0, files[wnid]) for wnid in order]
    groups: dict[str, list[int]] = {}
    for wnid, category in classes.items():
        groups.setdefault(FAMILIES[category.family].group, []).append(ids[wnid])
    root = len(leaves) + 1
    inner = [
        _synset(root + i, f"n9999999{i}", group, sorted(members), 1, 0)
        for i, (group, members) in enumerate(sorted(groups.items()), 1)
    ]
    return [*leaves, _synset(root, "n99999990", "entity", [root + 1 + i for i in range(len(inner))], 2, 0), *inner]


def _synset(number: int, wnid: str, words: str, children: list[int], height: int, images: int) -> dict:
    row = (number, wnid, words, f"drawn: {words}", len(children), children, height, images)
    return dict(zip(file_formats.SYNSET, row, strict=True))
