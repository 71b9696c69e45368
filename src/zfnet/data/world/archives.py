"""All archives of the generated world, under the official names and in the official formats.

What is in them is drawn, not photographed, so numbers measured on it say nothing about the papers. The pre-training
classes share no category with the transfer sets; a few near-duplicates of Caltech pictures are planted in ImageNet's
training set, as in the real ones (PAPER.md 8.2), and listed in planted_duplicates.csv.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

from zfnet.data.world import formats, kinds
from zfnet.data.world.addresses import Address, Map, Photo, crew, frontal, group, jpeg, planted, tiny
from zfnet.data.world.animals import FACES, KEY_POINTS
from zfnet.data.world.families import FAMILIES
from zfnet.data.world.kinds import Kind
from zfnet.files import sha256, write_json, write_text
from zfnet.progress import track
from zfnet.settings import World

# Field of settings.Archives: official file name.
FILES = {
    "imagenet_train": "ILSVRC2012_img_train.tar",
    "imagenet_val": "ILSVRC2012_img_val.tar",
    "imagenet_devkit": "ILSVRC2012_devkit_t12.tar.gz",
    "caltech101": "101_ObjectCategories.tar.gz",
    "caltech256": "256_ObjectCategories.tar",
    "voc2012": "VOCtrainval_11-May-2012.tar",
    "cifar10": "cifar-10-python.tar.gz",
    "parts_images": "parts.tar",
    "parts_keypoints": "keypoints.json",
}
BACKGROUND, CLUTTER = "BACKGROUND_Google", "257.clutter"
CHANGES = ("none", "brightness+10%", "none", "crop4%", "none", "brightness-10%")
QUIRKS = ("png", "cmyk", "grey", "exif", "grey", "cmyk", "grey")  # one file each, as the official archive has some


def generate(world: World, folder: Path, workers: int | None = None) -> dict[str, Path]:
    """Write the generated world into `folder`; world.json comes last, so where it is, the world is complete.

    Parameters
    ----------
    world : seed, counts and picture size. The same settings give the same bytes under the same library versions.
    folder : where the archives go; it is made.
    workers : processes that draw; as many as there are cores if not given. The bytes do not depend on it.

    Returns
    -------
    dict
        Path of each archive by its name in `zfnet.settings.Archives`.

    Raises
    ------
    ZfnetError
        More classes are wanted than can be drawn.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "world.json").unlink(missing_ok=True)
    paths = {field: folder / name for field, name in FILES.items()}
    with crew(workers or len(os.sched_getaffinity(0))) as draw:
        copies = _imagenet_train(world, paths["imagenet_train"], draw)
        _imagenet_val(world, paths["imagenet_val"], paths["imagenet_devkit"], draw)
        _caltech(paths["caltech101"], _caltech101(world), draw)
        _caltech(paths["caltech256"], _caltech256(world), draw)
        _voc(world, paths["voc2012"], draw)
        _cifar(world, paths["cifar10"], draw)
        _parts(world, paths["parts_images"], paths["parts_keypoints"], draw)
    write_text(folder / "planted_duplicates.csv", "".join(f"{line}\n" for line in copies))
    files = {path.name: sha256(path) for path in [*paths.values(), folder / "planted_duplicates.csv"]}
    write_json(folder / "world.json", {"settings": world.model_dump(), "sha256": files})
    return paths


def _imagenet_classes(world: World) -> dict[str, Kind]:
    """The classes by WordNet id (n9…, which WordNet does not have), in the order of the ids."""
    found = kinds.imagenet(world.imagenet_classes, world.seed)
    numbered = {f"n9{(i * 7_368_787 + 1_234_567) % 9_999_991:07d}": kind for i, kind in enumerate(found)}
    return dict(sorted(numbered.items()))


def _imagenet_train(world: World, path: Path, draw: Map) -> list[str]:
    """The training archive, a tar of tars; the lines of planted_duplicates.csv."""
    classes = _imagenet_classes(world)
    quirks = _quirks(world, list(classes))
    addresses = [
        Address(world.seed, "imagenet-train", (kind,), kind.name, i, world.side, quirks.get((wnid, i)))
        for wnid, kind in classes.items()
        for i in range(world.train_images)
    ]
    sources = _duplicated(world)
    copies = draw(planted, list(sources.values()))
    drawn = iter(track(draw(jpeg, addresses), "world: ImageNet train", len(addresses)))
    rng = Random(f"{world.seed}/planted")
    homes = [rng.choice(list(classes)) for _ in sources]
    members = {wnid: [next(drawn) for _ in range(world.train_images)] for wnid in classes}
    for wnid, copy in zip(homes, copies, strict=True):
        members[wnid].append(copy)
    names = {wnid: _file_names(world, wnid, len(data)) for wnid, data in members.items()}
    with formats.tar(path) as archive:
        for wnid, data in members.items():
            archive.add(f"{wnid}.tar", formats.tar_bytes(sorted(zip(names[wnid], data, strict=True))))
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
    sets = [sorted(_objects(pictures).items()) for pictures in (_caltech101(world), _caltech256(world))]
    pools = [rng.sample(pictures, min(len(pictures), world.duplicates)) for pictures in sets]
    turns = [pair for both in zip(*pools, strict=False) for pair in both][: world.duplicates]
    return {name: address._replace(change=CHANGES[i % len(CHANGES)]) for i, (name, address) in enumerate(turns)}


def _objects(pictures: dict[str, Address]) -> dict[str, Address]:
    return {name: address for name, address in pictures.items() if address.kinds}


def _imagenet_val(world: World, path: Path, devkit: Path, draw: Map) -> None:
    """The validation archive in shuffled order, and the devkit with its ground truth."""
    classes = _imagenet_classes(world)
    cells = [(wnid, i) for wnid in classes for i in range(world.val_images)]
    Random(f"{world.seed}/val").shuffle(cells)
    addresses = [
        Address(world.seed, "imagenet-val", (classes[wnid],), classes[wnid].name, i, world.side) for wnid, i in cells
    ]
    with formats.tar(path) as archive:
        for number, data in enumerate(track(draw(jpeg, addresses), "world: ImageNet val", len(addresses)), 1):
            archive.add(f"ILSVRC2012_val_{number:08d}.JPEG", data)
    ids = _ids(world, list(classes))
    with formats.tar(devkit) as archive:
        truth = "".join(f"{ids[wnid]}\n" for wnid, _ in cells)
        archive.add("ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt", truth.encode())
        archive.add("ILSVRC2012_devkit_t12/data/meta.mat", formats.meta_mat(_synsets(world, classes, ids)))
        archive.add(
            "ILSVRC2012_devkit_t12/readme.txt", b"Development kit of the generated world, in the official layout.\n"
        )


def _ids(world: World, wnids: list[str]) -> dict[str, int]:
    """ILSVRC2012_ID of each class: 1..n, not in the order of the WordNet ids."""
    order = Random(f"{world.seed}/ids").sample(wnids, len(wnids))
    return {wnid: i for i, wnid in enumerate(order, 1)}


def _synsets(world: World, classes: dict[str, Kind], ids: dict[str, int]) -> list[dict]:
    """Rows of meta.mat: the classes by id, then the root and the groups of families."""
    leaves = [
        _synset(ids[wnid], wnid, classes[wnid].name, [], 0, world.train_images)
        for wnid in sorted(ids, key=ids.get)  # type: ignore[arg-type]
    ]
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
    return dict(zip(formats.SYNSET, row, strict=True))


def _caltech101(world: World) -> dict[str, Address]:
    """Member name and address of every picture of Caltech-101."""
    found = {kind.name: (kind,) for kind in kinds.caltech101(world.caltech101_classes, world.seed)}
    return {
        f"101_ObjectCategories/{name}/image_{i:04d}.jpg": Address(world.seed, "caltech101", one, name, i, world.side)
        for name, one in sorted({**found, BACKGROUND: ()}.items())
        for i in range(1, world.caltech101_images + 1)
    }


def _caltech256(world: World) -> dict[str, Address]:
    """Member name and address of every picture of Caltech-256."""
    found = {kind.name: (kind,) for kind in kinds.caltech256(world.caltech256_classes, world.seed)}
    return {
        f"256_ObjectCategories/{name}/{name[:3]}_{i:04d}.jpg": Address(
            world.seed, "caltech256", one, name, i, world.side
        )
        for name, one in sorted({**found, CLUTTER: ()}.items())
        for i in range(1, world.caltech256_images + 1)
    }


def _caltech(path: Path, pictures: dict[str, Address], draw: Map) -> None:
    drawn = track(draw(jpeg, list(pictures.values())), f"world: {path.name}", len(pictures))
    with formats.tar(path) as archive:
        for name, data in zip(pictures, drawn, strict=True):
            archive.add(name, data)


def _voc(world: World, path: Path, draw: Map) -> None:
    """PASCAL VOC 2012: annotations, image sets, pictures."""
    names = [f"{2008 + i * 5 // world.voc_images}_{i + 1:06d}" for i in range(world.voc_images)]
    addresses = [
        Address(world.seed, "voc2012", _company(world, i), "scene", i, world.side) for i in range(world.voc_images)
    ]
    photos = dict(zip(names, track(draw(group, addresses), "world: VOC 2012", len(names)), strict=True))
    objects = {name: _judge(photo) for name, photo in photos.items()}
    root = "VOCdevkit/VOC2012"
    with formats.tar(path) as archive:
        for name in names:
            text = formats.annotation(name, photos[name].size, objects[name])
            archive.add(f"{root}/Annotations/{name}.xml", text.encode())
        for file, text in _image_sets(world, objects).items():
            archive.add(f"{root}/ImageSets/Main/{file}.txt", text.encode())
        for name in names:
            archive.add(f"{root}/JPEGImages/{name}.jpg", photos[name].data)


def _company(world: World, number: int) -> tuple[Kind, ...]:
    """The objects of one picture: every class comes first in turn, and others may join it."""
    rng, classes = Random(f"{world.seed}/voc-company/{number}"), list(kinds.VOC)
    wanted = [classes[number % len(classes)]]
    wanted += [rng.choice((wanted[0], "person", *classes)) for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 3)))]
    return tuple(rng.choice(kinds.VOC[name]) for name in wanted)


def _judge(photo: Photo) -> list[tuple]:
    """(thing, truncated, difficult): cut off by the picture's edge; too small, or too much behind nearer things."""
    width, height = photo.size
    judged = []
    for i, thing in enumerate(photo.things):
        left, top, right, bottom = thing.box
        truncated = left == 0 or top == 0 or right == width or bottom == height
        area = (right - left) * (bottom - top)
        hidden = max((_overlap(thing.box, nearer.box) for nearer in photo.things[i + 1 :]), default=0)
        judged.append((thing, truncated, area < 0.035 * width * height or hidden > 0.6 * area))
    return judged


def _overlap(first: tuple[int, int, int, int], second: tuple[int, int, int, int]) -> int:
    """Area that two boxes have in common, pixels."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(0, width) * max(0, height)


def _image_sets(world: World, objects: dict[str, list[tuple]]) -> dict[str, str]:
    """ImageSets/Main: the lists train, val, trainval, and one for each class with 1, -1, or 0 where it is difficult."""
    names = list(objects)
    train = set(Random(f"{world.seed}/voc-train").sample(names, len(names) // 2))
    parts = {"train": sorted(train), "val": [name for name in names if name not in train], "trainval": names}
    files = {}
    for part, members in parts.items():
        files[part] = "".join(f"{name}\n" for name in members)
        for label in kinds.VOC:
            files[f"{label}_{part}"] = "".join(f"{name} {_presence(objects[name], label):2d}\n" for name in members)
    return files


def _presence(objects: list[tuple], label: str) -> int:
    hard = [difficult for thing, _, difficult in objects if thing.name == label]
    return -1 if not hard else 0 if all(hard) else 1


def _cifar(world: World, path: Path, draw: Map) -> None:
    """CIFAR-10: five training batches and the test batch."""
    names, batch = list(kinds.CIFAR10), world.cifar_images
    titles = [*(f"training batch {i} of 5" for i in range(1, 6)), "testing batch 1 of 1"]
    labels = [_balanced(Random(f"{world.seed}/cifar/{title}"), batch) for title in titles]
    addresses = [
        Address(
            world.seed, "cifar10", (kinds.CIFAR10[names[label]][i % len(kinds.CIFAR10[names[label]])],), title, i, 32
        )
        for title, of_batch in zip(titles, labels, strict=True)
        for i, label in enumerate(of_batch)
    ]
    pixels = list(track(draw(tiny, addresses), "world: CIFAR-10", len(addresses)))
    with formats.tar(path) as archive:
        archive.add("cifar-10-batches-py/batches.meta", formats.cifar_meta(names, batch))
        for i, (title, of_batch) in enumerate(zip(titles, labels, strict=True)):
            files = [f"{names[label]}_s_{i * batch + j + 1:06d}.png" for j, label in enumerate(of_batch)]
            data = formats.cifar_batch(title, of_batch, pixels[i * batch : (i + 1) * batch], files)
            archive.add(f"cifar-10-batches-py/{f'data_batch_{i + 1}' if i < 5 else 'test_batch'}", data)


def _balanced(rng: Random, count: int) -> list[int]:
    labels = [i % len(kinds.CIFAR10) for i in range(count)]
    rng.shuffle(labels)
    return labels


def _parts(world: World, images: Path, keypoints: Path, draw: Map) -> None:
    """Frontal animals, and their key points in COCO's format."""
    addresses = [
        Address(world.seed, "parts", (_animal(world, i),), "animal", i, world.side) for i in range(world.parts_images)
    ]
    photos = list(track(draw(frontal, addresses), "world: parts", len(addresses)))
    with formats.tar(images) as archive:
        for i, photo in enumerate(photos, 1):
            archive.add(f"{i:06d}.jpg", photo.data)
    write_text(keypoints, json.dumps(_coco(photos), indent=1))


def _animal(world: World, number: int) -> Kind:
    rng = Random(f"{world.seed}/animal/{number}")
    shapes = [name for name, form in FACES.items() if form.ears != "long"]  # those might leave the picture
    return Kind("animal", "face", rng.choice(shapes), "fur", rng.choice(("plain", "plain", "spotted", "striped")))


def _coco(photos: list[Photo]) -> dict:
    """COCO's key point format: x, y, 2 for each point that is seen, boxes as x, y, width, height."""
    images, annotations = [], []
    for i, photo in enumerate(photos, 1):
        thing = photo.things[0]
        left, top, right, bottom = thing.box
        points = [value for name in KEY_POINTS for value in (*(round(c, 1) for c in thing.points[name]), 2)]
        images.append({"id": i, "file_name": f"{i:06d}.jpg", "width": photo.size[0], "height": photo.size[1]})
        annotations.append(
            {
                "id": i,
                "image_id": i,
                "category_id": 1,
                "iscrowd": 0,
                "bbox": [left, top, right - left, bottom - top],
                "area": (right - left) * (bottom - top),
                "keypoints": points,
                "num_keypoints": len(KEY_POINTS),
            }
        )
    skeleton = [[1, 2], [1, 3], [2, 3], [1, 4], [2, 5]]
    category = {
        "id": 1,
        "name": "animal",
        "supercategory": "animal",
        "keypoints": list(KEY_POINTS),
        "skeleton": skeleton,
    }
    info = {"description": "Frontal animals of the generated world, five points of the face"}
    return {"info": info, "images": images, "annotations": annotations, "categories": [category]}
