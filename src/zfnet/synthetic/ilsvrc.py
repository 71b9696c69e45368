"""ImageNet of the generated world: training with quirks and planted near-duplicates, validation, test, devkit."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

from zfnet.core.progress import track
from zfnet.settings import World
from zfnet.synthetic import categories, file_formats, transfer_sets
from zfnet.synthetic.categories import Kind
from zfnet.synthetic.families import FAMILIES
from zfnet.synthetic.render import Address, Map, jpeg, planted

CHANGES = ("none", "brightness+10%", "none", "crop4%", "none", "brightness-10%")  # of the near-duplicates, in turn
QUIRKS = ("png", "cmyk", "grey", "exif", "grey", "cmyk", "grey")  # one file each, as the official archive has some


def classes_of(world: World) -> dict[str, Kind]:
    """The classes by WordNet id (n9…, which WordNet does not have), in the order of the ids."""
    found = categories.imagenet(world.imagenet_classes, world.seed)
    numbered = {f"n9{(i * 7_368_787 + 1_234_567) % 9_999_991:07d}": kind for i, kind in enumerate(found)}
    return dict(sorted(numbered.items()))


def training(world: World, path: Path, draw: Map) -> list[str]:
    """The training archive, a tar of tars; the lines of planted_duplicates.csv."""
    classes = classes_of(world)
    quirks = _quirks(world, list(classes))
    addresses = [
        Address(world.seed, "imagenet-train", (kind,), kind.name, i, world.image_size, quirks.get((wnid, i)))
        for wnid, kind in classes.items()
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
    return ["train_file,caltech_file,transform", *_planted_lines(sources, homes, names, world.train_images)]


def _planted_lines(
    sources: dict[str, Address], homes: list[str], names: dict[str, list[str]], first: int
) -> Iterator[str]:
    """Lines of the table; planted files are those after the `first` ones of a class."""
    places = {wnid: iter(files[first:]) for wnid, files in names.items()}
    for (source, address), wnid in zip(sources.items(), homes, strict=True):
        yield f"{wnid}/{next(places[wnid])},{source},{address.change}"


def _file_names(world: World, wnid: str, count: int) -> list[str]:
    """File names with gaps in their numbers, like the official ones."""
    numbers = Random(f"{world.seed}/numbers/{wnid}").sample(range(1, 20 * count + 1), count)
    return [f"{wnid}_{number}.JPEG" for number in numbers]


def _quirks(world: World, wnids: list[str]) -> dict[tuple[str, int], str]:
    """Which training pictures are not plain RGB JPEGs: at most one in ten."""
    rng, cells = Random(f"{world.seed}/quirks"), [(wnid, i) for wnid in wnids for i in range(world.train_images)]
    return dict(zip(rng.sample(cells, min(len(QUIRKS), len(cells) // 10)), QUIRKS, strict=False))


def _duplicated(world: World) -> dict[str, Address]:
    """Caltech pictures of which near-duplicates are planted, by member name; from both sets in turn."""
    rng = Random(f"{world.seed}/duplicates")
    sets = [
        sorted(_objects(pictures).items())
        for pictures in (transfer_sets.caltech101(world), transfer_sets.caltech256(world))
    ]
    pools = [rng.sample(pictures, min(len(pictures), world.planted_duplicates)) for pictures in sets]
    turns = [pair for both in zip(*pools, strict=False) for pair in both][: world.planted_duplicates]
    return {name: address._replace(change=CHANGES[i % len(CHANGES)]) for i, (name, address) in enumerate(turns)}


def _homes(world: World, wnids: list[str]) -> list[str]:
    """The class in which each near-duplicate is planted."""
    return Random(f"{world.seed}/planted").choices(wnids, k=len(_duplicated(world)))


def _objects(pictures: dict[str, Address]) -> dict[str, Address]:
    return {name: address for name, address in pictures.items() if address.kinds}


def validation(world: World, path: Path, devkit: Path, draw: Map) -> None:
    """The validation archive in shuffled order, and the devkit with its ground truth."""
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
    """The test archive: a folder of pictures of all classes, whose labels nobody is told."""
    kinds_of_all = list(classes_of(world).values())
    chosen = Random(f"{world.seed}/test").choices(kinds_of_all, k=world.test_images)
    addresses = [
        Address(world.seed, "imagenet-test", (kind,), "test", i, world.image_size) for i, kind in enumerate(chosen)
    ]
    with file_formats.tar(path) as archive:
        for number, data in enumerate(track(draw(jpeg, addresses), "world: ImageNet test", len(addresses)), 1):
            archive.add(f"test/ILSVRC2012_test_{number:08d}.JPEG", data)


def _ids(world: World, wnids: list[str]) -> dict[str, int]:
    """ILSVRC2012_ID of each class: 1..n, not in the order of the WordNet ids."""
    order = Random(f"{world.seed}/ids").sample(wnids, len(wnids))
    return {wnid: i for i, wnid in enumerate(order, 1)}


def _synsets(world: World, classes: dict[str, Kind], ids: dict[str, int]) -> list[dict]:
    """Rows of meta.mat: the classes by id, then the root and the groups of families."""
    homes = _homes(world, list(classes))
    files = {wnid: world.train_images + homes.count(wnid) for wnid in classes}
    order = sorted(classes, key=lambda wnid: ids[wnid])
    leaves = [_synset(ids[wnid], wnid, classes[wnid].name, [], 0, files[wnid]) for wnid in order]
    groups: dict[str, list[int]] = {}
    for wnid, kind in classes.items():
        groups.setdefault(FAMILIES[kind.family].group, []).append(ids[wnid])
    root = len(leaves) + 1
    inner = [
        _synset(root + i, f"n9999999{i}", group, sorted(members), 1, 0)
        for i, (group, members) in enumerate(sorted(groups.items()), 1)
    ]
    return [*leaves, _synset(root, "n99999990", "entity", [root + 1 + i for i in range(len(inner))], 2, 0), *inner]


def _synset(number: int, wnid: str, words: str, children: list[int], height: int, images: int) -> dict:
    row = (number, wnid, words, f"drawn: {words}", len(children), children, height, images)
    return dict(zip(file_formats.SYNSET, row, strict=True))
