"""Transfer sets of the generated world: Caltech-101 and -256, PASCAL VOC 2012, CIFAR-10, frontal animals."""

import json
from pathlib import Path
from random import Random

from zfnet.core.files import write_text
from zfnet.core.progress_bar import track
from zfnet.settings import World
from zfnet.synthetic import categories, file_formats
from zfnet.synthetic.categories import Category
from zfnet.synthetic.objects.animals import FACES, KEY_POINTS
from zfnet.synthetic.render import Address, Map, Photo, frontal, group, jpeg, tiny

VOC = "VOCdevkit/VOC2012"
BACKGROUND, CLUTTER = "BACKGROUND_Google", "257.clutter"


def caltech101(world: World) -> dict[str, Address]:
    """Return the member name and address of every image of Caltech-101."""
    drawn = categories.caltech101(world.caltech101_classes, world.seed)
    folders = _class_folders(drawn, BACKGROUND)
    return _caltech_addresses(world, "caltech101", folders, world.caltech101_images, "101_ObjectCategories", "image")


def caltech256(world: World) -> dict[str, Address]:
    """Return the member name and address of every image of Caltech-256."""
    drawn = categories.caltech256(world.caltech256_classes, world.seed)
    folders = _class_folders(drawn, CLUTTER)
    return _caltech_addresses(world, "caltech256", folders, world.caltech256_images, "256_ObjectCategories", None)


def _class_folders(drawn: list[Category], background: str) -> dict[str, tuple[Category, ...]]:
    """Return folder name -> category, none for the background, sorted by name."""
    return dict(sorted([*((category.name, (category,)) for category in drawn), (background, ())]))


def _caltech_addresses(
    world: World, data_set: str, folders: dict[str, tuple[Category, ...]], count: int, root: str, prefix: str | None
) -> dict[str, Address]:
    """Return the address of each file; without a `prefix`, file names begin with the number of their class."""
    return {
        f"{root}/{name}/{prefix or name[:3]}_{i:04d}.jpg": Address(
            world.seed, data_set, of_class, name, i, world.image_size
        )
        for name, of_class in folders.items()
        for i in range(1, count + 1)
    }


def caltech(path: Path, images: dict[str, Address], draw: Map) -> None:
    """Write either Caltech set, as a folder of JPEGs per class."""
    drawn = track(draw(jpeg, list(images.values())), f"world: {path.name}", len(images))
    with file_formats.tar(path) as archive:
        for name, data in zip(images, drawn, strict=True):
            archive.add(name, data)


def voc2012(world: World, path: Path, draw: Map) -> None:
    """Write PASCAL VOC 2012: annotations, image sets, images."""
    photos = _scenes(world, range(world.voc_images), draw)
    names = list(photos)
    objects = {name: _flag_objects(photo) for name, photo in photos.items()}
    with file_formats.tar(path) as archive:
        for name in names:
            text = file_formats.annotation(name, photos[name].size, objects[name])
            archive.add(f"{VOC}/Annotations/{name}.xml", text.encode())
        for file, text in _image_sets(world, objects).items():
            archive.add(f"{VOC}/ImageSets/Main/{file}.txt", text.encode())
        for name in names:
            archive.add(f"{VOC}/JPEGImages/{name}.jpg", photos[name].data)


def voc2012_test(world: World, path: Path, draw: Map) -> None:
    """Write the test archive of VOC 2012: a list and images, without annotations."""
    photos = _scenes(world, range(world.voc_images, world.voc_images + world.voc_test_images), draw)
    with file_formats.tar(path) as archive:
        archive.add(f"{VOC}/ImageSets/Main/test.txt", "".join(f"{name}\n" for name in photos).encode())
        for name, photo in photos.items():
            archive.add(f"{VOC}/JPEGImages/{name}.jpg", photo.data)


def _scenes(world: World, numbers: range, draw: Map) -> dict[str, Photo]:
    """Return images by name: a year and a number."""
    names = [f"{2008 + i * 5 // len(numbers)}_{number + 1:06d}" for i, number in enumerate(numbers)]
    addresses = [
        Address(world.seed, "voc2012", _draw_categories(world, i), "scene", i, world.image_size) for i in numbers
    ]
    return dict(zip(names, track(draw(group, addresses), "world: VOC 2012", len(names)), strict=True))


def _draw_categories(world: World, number: int) -> tuple[Category, ...]:
    """Draw the categories of one image: the classes take turns as the first, and others may join it."""
    rng, classes = Random(f"{world.seed}/voc-company/{number}"), list(categories.VOC)
    wanted = [classes[number % len(classes)]]
    wanted += [rng.choice((wanted[0], "person", *classes)) for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 3)))]
    return tuple(rng.choice(categories.VOC[name]) for name in wanted)


def _flag_objects(photo: Photo) -> list[tuple]:
    """Return (thing, truncated, difficult). Difficult things are too small, or mostly hidden by nearer ones."""
    width, height = photo.size
    flagged = []
    for i, thing in enumerate(photo.things):
        left, top, right, bottom = thing.box
        truncated = left == 0 or top == 0 or right == width or bottom == height
        area = (right - left) * (bottom - top)
        hidden = max((_overlap(thing.box, nearer.box) for nearer in photo.things[i + 1 :]), default=0)
        flagged.append((thing, truncated, area < 0.035 * width * height or hidden > 0.6 * area))
    return flagged


def _overlap(first: tuple[int, int, int, int], second: tuple[int, int, int, int]) -> int:
    """Return the area that two boxes share, pixels."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(0, width) * max(0, height)


def _image_sets(world: World, objects: dict[str, list[tuple]]) -> dict[str, str]:
    """Return the files of ImageSets/Main: train, val, trainval, and one per class with 1, -1, or 0 for difficult."""
    names = list(objects)
    train = set(Random(f"{world.seed}/voc-train").sample(names, len(names) // 2))
    parts = {"train": sorted(train), "val": [name for name in names if name not in train], "trainval": names}
    files = {}
    for part, members in parts.items():
        files[part] = "".join(f"{name}\n" for name in members)
        for label in categories.VOC:
            files[f"{label}_{part}"] = "".join(f"{name} {_presence(objects[name], label):2d}\n" for name in members)
    return files


def _presence(objects: list[tuple], label: str) -> int:
    hard = [difficult for thing, _, difficult in objects if thing.name == label]
    return -1 if not hard else 0 if all(hard) else 1


def cifar10(world: World, path: Path, draw: Map) -> None:
    """Write CIFAR-10: five training batches and the test batch."""
    names, batch = list(categories.CIFAR10), world.cifar_images
    titles = [*(f"training batch {i} of 5" for i in range(1, 6)), "testing batch 1 of 1"]
    labels = [_balanced(Random(f"{world.seed}/cifar/{title}"), batch) for title in titles]
    addresses = [
        Address(world.seed, "cifar10", (_cycle(categories.CIFAR10[names[label]], i),), title, i, 32)
        for title, of_batch in zip(titles, labels, strict=True)
        for i, label in enumerate(of_batch)
    ]
    pixels = list(track(draw(tiny, addresses), "world: CIFAR-10", len(addresses)))
    with file_formats.tar(path) as archive:
        archive.add("cifar-10-batches-py/batches.meta", file_formats.cifar_meta(names, batch))
        for i, (title, of_batch) in enumerate(zip(titles, labels, strict=True)):
            files = [f"{names[label]}_s_{i * batch + j + 1:06d}.png" for j, label in enumerate(of_batch)]
            data = file_formats.cifar_batch(title, of_batch, pixels[i * batch : (i + 1) * batch], files)
            archive.add(f"cifar-10-batches-py/{f'data_batch_{i + 1}' if i < 5 else 'test_batch'}", data)


def _cycle(choices: list[Category], i: int) -> Category:
    return choices[i % len(choices)]


def _balanced(rng: Random, count: int) -> list[int]:
    labels = [i % len(categories.CIFAR10) for i in range(count)]
    rng.shuffle(labels)
    return labels


def parts(world: World, images: Path, keypoints: Path, draw: Map) -> None:
    """Write frontal animals, and their key points in COCO's format."""
    addresses = [
        Address(world.seed, "parts", (_animal(world, i),), "animal", i, world.image_size)
        for i in range(world.parts_images)
    ]
    photos = list(track(draw(frontal, addresses), "world: parts", len(addresses)))
    with file_formats.tar(images) as archive:
        for i, photo in enumerate(photos, 1):
            archive.add(f"{i:06d}.jpg", photo.data)
    write_text(keypoints, json.dumps(_coco(photos), indent=1))


def _animal(world: World, number: int) -> Category:
    rng = Random(f"{world.seed}/animal/{number}")
    shapes = [name for name, form in FACES.items() if form.ears != "long"]  # those might leave the image
    return Category("animal", "face", rng.choice(shapes), "fur", rng.choice(("plain", "plain", "spotted", "striped")))


def _coco(photos: list[Photo]) -> dict:
    """Return COCO key points: x, y, 2 for each visible point, boxes as x, y, width, height."""
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
