"""The categories of each data set: a family's shape with a colour and a marking."""

from collections.abc import Iterator
from itertools import count, zip_longest
from random import Random
from typing import NamedTuple

from zfnet.core.errors import ZfnetError
from zfnet.synthetic.families import FAMILIES, ORDER


class Category(NamedTuple):
    """One category, defined by what its members have in common."""

    name: str
    family: str
    shape: str
    colour: str  # or "fur", "paint", "any": varies between members
    marking: str


def _family_categories(family: str, shapes: list[str], rng: Random) -> Iterator[Category]:
    """Yield all categories of a family with these shapes, in random order, cycling through the shapes."""
    form = FAMILIES[family]
    looks = [(colour, marking) for colour in form.colours.split() for marking in form.markings.split()]
    rows = []
    for shape in rng.sample(shapes, len(shapes)):
        noun = f"{shape} face" if family == "face" else shape
        words = (f"{colour} {marking} {noun}".replace(" plain ", " ") for colour, marking in looks)
        row = [Category(name, family, shape, *look) for name, look in zip(words, looks, strict=True)]
        rows.append(rng.sample(row, len(row)))
    for turn in zip_longest(*rows):
        yield from filter(None, turn)


def _draw(wanted: int, pre_training: bool, rng: Random, data_set: str) -> list[Category]:
    """Return the first `wanted` categories, cycling through the families."""
    queues = {
        name: _family_categories(name, (family.shapes if pre_training else family.others).split(), rng)
        for name, family in FAMILIES.items()
    }
    drawn: list[Category] = []
    while len(drawn) < wanted:
        turn = list(filter(None, (next(queues[name], None) for name in ORDER)))
        if not turn:
            raise ZfnetError(f"world: {data_set} cannot have {wanted} classes; at most {len(drawn)} are available.")
        drawn += turn
    return drawn[:wanted]


def imagenet(classes: int, seed: int) -> list[Category]:
    """Return the categories of the pre-training set."""
    return _draw(classes, True, Random(f"{seed}/kinds"), "imagenet_classes")


def _category(name: str, family: str, shape: str, colour: str, marking: str = "plain") -> Category:
    return Category(name, family, shape, colour, marking)


_CALTECH101 = (
    _category("airplanes", "plane", "airliner", "silver"),
    _category("cougar_face", "face", "cougar", "tawny"),
    _category("butterfly", "butterfly", "monarch", "orange", "striped"),
    _category("pagoda", "building", "pagoda", "red"),
    _category("watch", "dial", "watch", "golden"),
    _category("Motorbikes", "cycle", "motorbike", "paint"),
    _category("sunflower", "flower", "sunflower", "yellow"),
    _category("dalmatian", "face", "dog", "white", "spotted"),
    _category("schooner", "boat", "schooner", "blue"),
    _category("soccer_ball", "ball", "football", "silver"),
    _category("car_side", "car", "estate", "paint"),
    _category("stop_sign", "sign", "stop", "red"),
    _category("strawberry", "fruit", "strawberry", "red"),
    _category("ewer", "vessel", "ewer", "golden", "banded"),
    _category("flamingo", "bird", "flamingo", "pink"),
    _category("scissors", "tool", "scissors", "paint"),
    _category("panda", "face", "panda", "white"),
    _category("umbrella", "tool", "umbrella", "paint"),
    _category("rooster", "bird", "rooster", "rust"),
)
_CALTECH256 = (
    _category("041.coffee-mug", "vessel", "mug", "paint"),
    _category("045.computer-keyboard", "mesh", "keyboard", "grey"),
    _category("056.dog", "face", "dog", "chocolate"),
    _category("132.light-house", "building", "lighthouse", "red"),
    _category("224.touring-bike", "cycle", "bicycle", "paint"),
    _category("250.zebra", "beast", "zebra", "white", "striped"),
    _category("025.cactus", "tree", "cactus", "green"),
    _category("127.laptop-101", "screen", "laptop", "grey"),
    _category("118.iris", "flower", "iris", "violet"),
    _category("087.goldfish", "fish", "goldfish", "orange"),
    _category("027.calculator", "mesh", "calculator", "black"),
    _category("037.chess-board", "mesh", "chessboard", "chocolate"),
    _category("245.windmill", "building", "windmill", "tawny"),
    _category("246.wine-bottle", "vessel", "bottle", "green"),
    _category("178.school-bus", "car", "bus", "yellow"),
)


def _caltech(classes: int, seed: int, named: tuple[Category, ...], data_set: str) -> list[Category]:
    """Return the named categories, followed by as many others as are needed."""
    looks = {category[1:] for category in named}
    wanted = max(0, classes - len(named))
    more = _draw(wanted + len(named), False, Random(f"{seed}/{data_set}"), data_set) if wanted else []
    return [*named, *(category for category in more if category[1:] not in looks)][:classes]


def caltech101(classes: int, seed: int) -> list[Category]:
    """Return the categories of Caltech-101 without BACKGROUND_Google."""
    drawn = _caltech(classes, seed, _CALTECH101, "caltech101_classes")
    return [category._replace(name=category.name.replace(" ", "_")) for category in drawn]


def caltech256(classes: int, seed: int) -> list[Category]:
    """Return the categories of Caltech-256 without 257.clutter, with numbers before their names."""
    drawn = _caltech(classes, seed, _CALTECH256, "caltech256_classes")
    taken = {int(category.name[:3]) for category in drawn if "." in category.name} | {257}
    free = (number for number in count(1) if number not in taken)
    named = (k.name if "." in k.name else f"{next(free):03d}.{k.name.replace(' ', '-')}" for k in drawn)
    return sorted(category._replace(name=name) for category, name in zip(drawn, named, strict=True))


VOC = {
    "aeroplane": [_category("aeroplane", "plane", "airliner", "any")],
    "bicycle": [_category("bicycle", "cycle", "bicycle", "paint")],
    "bird": [_category("bird", "bird", "songbird", "any")],
    "boat": [_category("boat", "boat", "launch", "paint")],
    "bottle": [_category("bottle", "vessel", "bottle", "any")],
    "bus": [_category("bus", "car", "bus", "paint")],
    "car": [_category("car", "car", "sedan", "paint"), _category("car", "car", "estate", "paint")],
    "cat": [_category("cat", "face", "cat", "fur"), _category("cat", "beast", "cat", "fur", "striped")],
    "chair": [_category("chair", "furniture", "chair", "any")],
    "cow": [_category("cow", "beast", "cow", "fur", "patched")],
    "diningtable": [_category("diningtable", "furniture", "table", "any")],
    "dog": [_category("dog", "face", "dog", "fur"), _category("dog", "beast", "dog", "fur")],
    "horse": [_category("horse", "beast", "horse", "fur")],
    "motorbike": [_category("motorbike", "cycle", "motorbike", "paint")],
    "person": [_category("person", "person", "person", "any")],
    "pottedplant": [_category("pottedplant", "tree", "pot", "any")],
    "sheep": [_category("sheep", "beast", "sheep", "white")],
    "sofa": [_category("sofa", "furniture", "sofa", "any")],
    "train": [_category("train", "train", "railcar", "paint")],
    "tvmonitor": [_category("tvmonitor", "screen", "monitor", "black")],
}
CIFAR10 = {
    "airplane": [_category("airplane", "plane", "airliner", "any")],
    "automobile": [_category("automobile", "car", "sedan", "paint")],
    "bird": [_category("bird", "bird", "songbird", "any")],
    "cat": [_category("cat", "face", "cat", "fur"), _category("cat", "face", "cat", "fur", "striped")],
    "deer": [_category("deer", "beast", "deer", "tawny")],
    "dog": [_category("dog", "face", "dog", "fur"), _category("dog", "beast", "dog", "fur")],
    "frog": [_category("frog", "frog", "frog", "green"), _category("frog", "frog", "frog", "chocolate", "spotted")],
    "horse": [_category("horse", "beast", "horse", "fur")],
    "ship": [_category("ship", "boat", "freighter", "any")],
    "truck": [_category("truck", "car", "lorry", "paint")],
}
