"""Which categories there are: families of drawings, and the kinds (shape, colour, marking) that make up each data set.

A family keeps some of its shapes for pre-training and others for transfer, so that no transfer category is ever seen
in pre-training.
"""

from collections.abc import Callable, Iterator
from itertools import count, zip_longest
from random import Random
from typing import NamedTuple

from zfnet.data.world import animals, buildings, plants, things, vehicles, wildlife
from zfnet.data.world.canvas import Pen
from zfnet.data.world.coats import FURS, MARKINGS, PAINTS, Coat
from zfnet.data.world.scenes import INSIDE, OUTSIDE
from zfnet.errors import ZfnetError


class Family(NamedTuple):
    """Everything drawn by one function."""

    draw: Callable[[Pen, str, Coat, str], object]
    group: str  # in the tree of synsets
    shapes: tuple[str, ...]  # for pre-training
    others: tuple[str, ...]  # for transfer
    colours: tuple[str, ...]
    markings: tuple[str, ...]
    scenes: tuple[str, ...]
    material: str
    half: tuple[float, float] = (1.0, 1.0)  # half width and height of a drawing
    foot: float | None = 1.0  # height at which it stands; None: it flies, swims or is held
    turn: float = 0.08  # standard deviation of its tilt, radians


class Kind(NamedTuple):
    """One category: what its members have in common."""

    name: str
    family: str
    shape: str
    colour: str  # or "fur", "paint", "any": differs from member to member
    marking: str


FUR, PAINT = tuple(FURS), tuple(PAINTS)
_PLAIN, _TWO = ("plain",), ("plain", "striped", "banded")
_WATER = ("lake",)
_AIR = ("sky", "sky", "meadow", "lake")
FAMILIES = {
    "face": Family(animals.face, "animal", ("hound", "fox", "bear", "hare", "lynx", "boar", "lemur"), ("cat", "dog", "cougar", "panda", "koala"),
                   FUR, MARKINGS[:4], (*OUTSIDE, "foliage", "foliage", "room", "studio"), "fur", (1.05, 1.15), None, 0.14),
    "beast": Family(animals.beast, "animal", ("antelope", "goat", "boar", "camel", "bear", "wolf", "donkey"), ("horse", "cow", "sheep", "dog", "cat", "deer", "zebra"),
                    FUR, MARKINGS[:4], ("meadow", "meadow", "steppe", "snow", "beach", "foliage"), "fur", (1.3, 1.1), 1.0, 0.04),
    "bird": Family(wildlife.bird, "animal", ("finch", "heron", "parrot", "duck", "hoopoe"), ("songbird", "flamingo", "rooster"),
                   FUR + PAINT, MARKINGS[:3], ("meadow", "beach", "foliage", "lake", "snow", "wall"), "feathers", (1.2, 1.1)),
    "fish": Family(wildlife.fish, "animal", ("bass", "angelfish", "pike", "wrasse"), ("goldfish",),
                   PAINT + FUR, MARKINGS, ("reef", "reef", "reef", "table", "studio"), "feathers", (1.0, 0.8), None, 0.25),
    "butterfly": Family(wildlife.butterfly, "animal", ("swallowtail", "moth", "admiral"), ("monarch",),
                        PAINT + FUR, MARKINGS, ("foliage", "foliage", "meadow", "wall", "studio"), "cloth", (1.0, 1.0), None, 0.5),
    "beetle": Family(wildlife.beetle, "animal", ("ladybird", "weevil", "stag"), ("scarab",),
                     PAINT + FUR, MARKINGS[:4], ("foliage", "beach", "wall", "studio"), "metal", (1.0, 1.15), None, 1.2),
    "turtle": Family(wildlife.turtle, "animal", ("tortoise", "terrapin"), (), FUR + PAINT, MARKINGS[:4],
                     ("beach", "meadow", "steppe", "lake"), "plain", (1.1, 0.8), 1.0),
    "frog": Family(wildlife.frog, "animal", (), ("frog",), ("green", "teal", "chocolate"), MARKINGS[:2],
                   ("foliage", "lake", "meadow"), "plain"),
    "person": Family(animals.person, "animal", (), ("person",), PAINT, _TWO, (*OUTSIDE, "room"), "cloth", (0.6, 1.05)),
    "car": Family(vehicles.car, "vehicle", ("pickup", "camper", "roadster", "jeep"), ("sedan", "estate", "bus", "lorry"),
                  PAINT, _TWO, ("street", "street", "beach", "meadow", "steppe"), "metal", (1.05, 0.65), 0.6, 0.03),
    "cycle": Family(vehicles.cycle, "vehicle", ("scooter", "tricycle", "highwheeler"), ("bicycle", "motorbike"),
                    PAINT, _PLAIN, ("street", "street", "wall", "meadow", "beach"), "metal", (1.0, 0.7), 0.6, 0.04),
    "boat": Family(vehicles.boat, "vehicle", ("sloop", "gondola", "dhow"), ("launch", "freighter", "schooner"),
                   PAINT, _TWO, _WATER, "metal", (1.0, 0.9), 0.6, 0.05),
    "plane": Family(vehicles.plane, "vehicle", ("biplane", "glider", "fighter"), ("airliner",),
                    PAINT, _TWO, _AIR, "metal", (1.1, 0.6), None, 0.2),
    "train": Family(vehicles.train, "vehicle", ("steamer", "tram"), ("railcar",), PAINT, _TWO,
                    ("street", "meadow", "steppe"), "metal", (1.2, 0.8), 0.6, 0.02),
    "balloon": Family(vehicles.balloon, "vehicle", ("balloon", "airship"), (), PAINT, MARKINGS, _AIR, "cloth", (1.0, 1.0), None),
    "vessel": Family(things.vessel, "artefact", ("vase", "jug", "goblet", "teapot", "lantern"), ("bottle", "mug", "ewer"),
                     PAINT + FUR, MARKINGS, INSIDE, "plain", (0.75, 1.05)),
    "furniture": Family(things.furniture, "artefact", ("stool", "bench", "cupboard"), ("chair", "sofa", "table"),
                        PAINT + FUR, _TWO, ("room", "room", "street", "studio"), "wood", (1.0, 1.0), 1.0, 0.03),
    "screen": Family(things.screen, "artefact", ("radio",), ("monitor", "laptop"), PAINT + FUR, _PLAIN, INSIDE, "plain", (1.0, 0.95)),
    "mesh": Family(things.mesh, "artefact", ("abacus", "crossword", "grille"), ("keyboard", "calculator", "chessboard"),
                   PAINT + FUR, _PLAIN, ("table", "wall", "studio"), "plain", (1.0, 1.0), None, 0.3),
    "sign": Family(things.sign, "artefact", ("signpost", "billboard", "nameplate"), ("stop",), PAINT, _PLAIN,
                   (*OUTSIDE, "sky", "wall"), "plain", (1.0, 0.9), None),
    "dial": Family(things.dial, "artefact", ("clock", "compass", "gauge"), ("watch",), PAINT + FUR, _PLAIN, INSIDE, "metal",
                   (1.0, 1.1), None, 0.2),
    "tool": Family(things.tool, "artefact", ("hammer", "spade", "wrench", "brush"), ("scissors", "umbrella"), PAINT, _TWO,
                   ("table", "wall", "studio", "beach", "meadow"), "plain", (0.7, 1.1), None, 0.7),
    "ball": Family(things.ball, "artefact", ("beachball", "handball"), ("football",), PAINT, _PLAIN,
                   ("meadow", "beach", "room", "street"), "plain"),
    "building": Family(buildings.building, "structure", ("cottage", "barn", "castle", "tower", "church"),
                       ("pagoda", "lighthouse", "windmill"), PAINT + FUR, _TWO, OUTSIDE, "stone", (0.95, 1.1), 1.0, 0.02),
    "fruit": Family(plants.fruit, "plant", ("apple", "pear", "lemon", "gourd", "pumpkin"), ("strawberry",), PAINT, MARKINGS[:3],
                    ("table", "table", "foliage", "studio"), "plain", (0.95, 1.05), 0.85, 0.25),
    "flower": Family(plants.flower, "plant", ("daisy", "cosmos", "anemone", "aster", "tulip"), ("sunflower", "iris"), PAINT,
                     MARKINGS[:2], ("foliage", "foliage", "meadow", "sky"), "plain", (1.0, 1.2), None, 0.15),
    "mushroom": Family(plants.mushroom, "plant", ("toadstool", "bolete", "morel", "parasol"), (), PAINT + FUR, MARKINGS[:3],
                       ("foliage", "meadow", "steppe"), "plain", (1.0, 1.0)),
    "tree": Family(plants.tree, "plant", ("palm", "fir", "oak"), ("cactus", "pot"), ("green", "yellow", "rust"), _PLAIN,
                   ("meadow", "beach", "steppe", "snow"), "leaves", (1.0, 1.1)),
}  # fmt: skip

# Families in the order in which ImageNet's classes are taken from them: many animals, as in the real one.
_ORDER = ("face", "car", "bird", "vessel", "beast", "flower", "face", "dial", "fish", "building", "fruit", "boat", "butterfly",
          "tool", "face", "plane", "mushroom", "mesh", "beast", "sign", "bird", "cycle", "beetle", "balloon", "furniture", "train",
          "turtle", "ball", "tree", "screen")  # fmt: skip


def _kinds(family: str, shapes: tuple[str, ...], rng: Random) -> Iterator[Kind]:
    """All kinds of a family with these shapes, in random order, every shape in turn."""
    form = FAMILIES[family]
    looks = [(colour, marking) for colour in form.colours for marking in form.markings]
    rows = []
    for shape in rng.sample(shapes, len(shapes)):
        words = (f"{colour} {marking} {shape}".replace(" plain ", " ") for colour, marking in looks)
        row = [Kind(name, family, shape, *look) for name, look in zip(words, looks, strict=True)]
        rows.append(rng.sample(row, len(row)))
    for turn in zip_longest(*rows):
        yield from filter(None, turn)


def _draw(wanted: int, pre_training: bool, rng: Random, data_set: str) -> list[Kind]:
    """The first `wanted` kinds, from one family after the other."""
    queues = {
        name: _kinds(name, family.shapes if pre_training else family.others, rng) for name, family in FAMILIES.items()
    }
    found: list[Kind] = []
    while len(found) < wanted:
        turn = list(filter(None, (next(queues[name], None) for name in _ORDER)))
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
