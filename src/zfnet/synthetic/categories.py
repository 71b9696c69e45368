"""The categories of each data set: kinds, that is a family's shape in a colour with a marking."""

from collections.abc import Iterator
from itertools import count, zip_longest
from random import Random
from typing import NamedTuple

from zfnet.core.errors import ZfnetError
from zfnet.synthetic.families import FAMILIES, ORDER


class Kind(NamedTuple):
    """One category: what its members have in common."""

    name: str
    family: str
    shape: str
    colour: str  # or "fur", "paint", "any": differs from member to member
    marking: str


def _kinds(family: str, shapes: list[str], rng: Random) -> Iterator[Kind]:
    """All kinds of a family with these shapes, in random order, every shape in turn."""
    form = FAMILIES[family]
    looks = [(colour, marking) for colour in form.colours.split() for marking in form.markings.split()]
    rows = []
    for shape in rng.sample(shapes, len(shapes)):
        noun = f"{shape} face" if family == "face" else shape
        words = (f"{colour} {marking} {noun}".replace(" plain ", " ") for colour, marking in looks)
        row = [Kind(name, family, shape, *look) for name, look in zip(words, looks, strict=True)]
        rows.append(rng.sample(row, len(row)))
    for turn in zip_longest(*rows):
        yield from filter(None, turn)


def _draw(wanted: int, pre_training: bool, rng: Random, data_set: str) -> list[Kind]:
    """The first `wanted` kinds, from one family after the other."""
    queues = {
        name: _kinds(name, (family.shapes if pre_training else family.others).split(), rng)
        for name, family in FAMILIES.items()
    }
    found: list[Kind] = []
    while len(found) < wanted:
        turn = list(filter(None, (next(queues[name], None) for name in ORDER)))
        if not turn:
            raise ZfnetError(f"world: {data_set} cannot have {wanted} classes; the most there is is {len(found)}.")
        found += turn
    return found[:wanted]


def imagenet(classes: int, seed: int) -> list[Kind]:
    """The kinds of the pre-training set."""
    return _draw(classes, True, Random(f"{seed}/kinds"), "imagenet_classes")


def _kind(name: str, family: str, shape: str, colour: str, marking: str = "plain") -> Kind:
    return Kind(name, family, shape, colour, marking)


_CALTECH101 = (
    _kind("airplanes", "plane", "airliner", "silver"),
    _kind("cougar_face", "face", "cougar", "tawny"),
    _kind("butterfly", "butterfly", "monarch", "orange", "striped"),
    _kind("pagoda", "building", "pagoda", "red"),
    _kind("watch", "dial", "watch", "golden"),
    _kind("Motorbikes", "cycle", "motorbike", "paint"),
    _kind("sunflower", "flower", "sunflower", "yellow"),
    _kind("dalmatian", "face", "dog", "white", "spotted"),
    _kind("schooner", "boat", "schooner", "blue"),
    _kind("soccer_ball", "ball", "football", "silver"),
    _kind("car_side", "car", "estate", "paint"),
    _kind("stop_sign", "sign", "stop", "red"),
    _kind("strawberry", "fruit", "strawberry", "red"),
    _kind("ewer", "vessel", "ewer", "golden", "banded"),
    _kind("flamingo", "bird", "flamingo", "pink"),
    _kind("scissors", "tool", "scissors", "paint"),
    _kind("panda", "face", "panda", "white"),
    _kind("umbrella", "tool", "umbrella", "paint"),
    _kind("rooster", "bird", "rooster", "rust"),
)
_CALTECH256 = (
    _kind("041.coffee-mug", "vessel", "mug", "paint"),
    _kind("045.computer-keyboard", "mesh", "keyboard", "grey"),
    _kind("056.dog", "face", "dog", "chocolate"),
    _kind("132.light-house", "building", "lighthouse", "red"),
    _kind("224.touring-bike", "cycle", "bicycle", "paint"),
    _kind("250.zebra", "beast", "zebra", "white", "striped"),
    _kind("025.cactus", "tree", "cactus", "green"),
    _kind("127.laptop-101", "screen", "laptop", "grey"),
    _kind("118.iris", "flower", "iris", "violet"),
    _kind("087.goldfish", "fish", "goldfish", "orange"),
    _kind("027.calculator", "mesh", "calculator", "black"),
    _kind("037.chess-board", "mesh", "chessboard", "chocolate"),
    _kind("245.windmill", "building", "windmill", "tawny"),
    _kind("246.wine-bottle", "vessel", "bottle", "green"),
    _kind("178.school-bus", "car", "bus", "yellow"),
)


def _caltech(classes: int, seed: int, named: tuple[Kind, ...], data_set: str) -> list[Kind]:
    """The named categories, and after them as many others as are wanted."""
    looks = {kind[1:] for kind in named}
    wanted = max(0, classes - len(named))
    more = _draw(wanted + len(named), False, Random(f"{seed}/{data_set}"), data_set) if wanted else []
    return [*named, *(kind for kind in more if kind[1:] not in looks)][:classes]


def caltech101(classes: int, seed: int) -> list[Kind]:
    """The categories of Caltech-101, besides BACKGROUND_Google."""
    kinds = _caltech(classes, seed, _CALTECH101, "caltech101_classes")
    return [kind._replace(name=kind.name.replace(" ", "_")) for kind in kinds]


def caltech256(classes: int, seed: int) -> list[Kind]:
    """The categories of Caltech-256, besides 257.clutter, with numbers before their names."""
    kinds = _caltech(classes, seed, _CALTECH256, "caltech256_classes")
    taken = {int(kind.name[:3]) for kind in kinds if "." in kind.name} | {257}
    free = (number for number in count(1) if number not in taken)
    named = (k.name if "." in k.name else f"{next(free):03d}.{k.name.replace(' ', '-')}" for k in kinds)
    return sorted(kind._replace(name=name) for kind, name in zip(kinds, named, strict=True))


VOC = {
    "aeroplane": [_kind("aeroplane", "plane", "airliner", "any")],
    "bicycle": [_kind("bicycle", "cycle", "bicycle", "paint")],
    "bird": [_kind("bird", "bird", "songbird", "any")],
    "boat": [_kind("boat", "boat", "launch", "paint")],
    "bottle": [_kind("bottle", "vessel", "bottle", "any")],
    "bus": [_kind("bus", "car", "bus", "paint")],
    "car": [_kind("car", "car", "sedan", "paint"), _kind("car", "car", "estate", "paint")],
    "cat": [_kind("cat", "face", "cat", "fur"), _kind("cat", "beast", "cat", "fur", "striped")],
    "chair": [_kind("chair", "furniture", "chair", "any")],
    "cow": [_kind("cow", "beast", "cow", "fur", "patched")],
    "diningtable": [_kind("diningtable", "furniture", "table", "any")],
    "dog": [_kind("dog", "face", "dog", "fur"), _kind("dog", "beast", "dog", "fur")],
    "horse": [_kind("horse", "beast", "horse", "fur")],
    "motorbike": [_kind("motorbike", "cycle", "motorbike", "paint")],
    "person": [_kind("person", "person", "person", "any")],
    "pottedplant": [_kind("pottedplant", "tree", "pot", "any")],
    "sheep": [_kind("sheep", "beast", "sheep", "white")],
    "sofa": [_kind("sofa", "furniture", "sofa", "any")],
    "train": [_kind("train", "train", "railcar", "paint")],
    "tvmonitor": [_kind("tvmonitor", "screen", "monitor", "black")],
}
CIFAR10 = {
    "airplane": [_kind("airplane", "plane", "airliner", "any")],
    "automobile": [_kind("automobile", "car", "sedan", "paint")],
    "bird": [_kind("bird", "bird", "songbird", "any")],
    "cat": [_kind("cat", "face", "cat", "fur"), _kind("cat", "face", "cat", "fur", "striped")],
    "deer": [_kind("deer", "beast", "deer", "tawny")],
    "dog": [_kind("dog", "face", "dog", "fur"), _kind("dog", "beast", "dog", "fur")],
    "frog": [_kind("frog", "frog", "frog", "green"), _kind("frog", "frog", "frog", "chocolate", "spotted")],
    "horse": [_kind("horse", "beast", "horse", "fur")],
    "ship": [_kind("ship", "boat", "freighter", "any")],
    "truck": [_kind("truck", "car", "lorry", "paint")],
}
