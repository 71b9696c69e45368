"""Families of drawings: their shapes, colours, markings, scenes and poses.

A family reserves some of its shapes for pre-training and the others for transfer, so that no transfer category is
seen in pre-training.
"""

from collections.abc import Callable
from typing import NamedTuple

from zfnet.synthetic.canvas import Pen
from zfnet.synthetic.objects import animals, buildings, furniture, plants, things, vehicles, wildlife
from zfnet.synthetic.objects.coats import FURS, MARKINGS, PAINTS, Coat


class Family(NamedTuple):
    """Everything drawn by one function. Lists are words in one string; a scene listed twice is drawn twice as often."""

    draw: Callable[[Pen, str, Coat, str], object]
    group: str  # its parent in the tree of synsets
    shapes: str  # for pre-training
    others: str  # for transfer
    colours: str
    markings: str
    scenes: str
    material: str  # its surface, one of textures.NAMES
    half: tuple[float, float] = (1.0, 1.0)  # half width and half height of a drawing
    foot: float | None = 1.0  # y of its feet; None: it flies, swims or is held
    turn: float = 0.08  # standard deviation of its tilt, radians


FUR, PAINT = " ".join(FURS), " ".join(PAINTS)
ANY = f"{FUR} {PAINT}"
ALL, COATS, TWO, ONE = " ".join(MARKINGS), "plain spotted striped patched", "plain striped banded", "plain"
OUTSIDE, INSIDE = "meadow steppe snow beach street", "room table wall studio"

FAMILIES = {
    "face": Family(animals.face, "animal", "hound fox bear hare lynx boar lemur", "cat dog cougar panda koala", FUR,
                   COATS, f"{OUTSIDE} foliage foliage room studio", "fur", (1.05, 1.15), None, 0.14),
    "beast": Family(animals.beast, "animal", "antelope goat boar camel bear wolf donkey",
                    "horse cow sheep dog cat deer zebra", FUR, COATS, "meadow meadow steppe snow beach foliage", "fur",
                    (1.3, 1.1), 1.0, 0.04),
    "person": Family(animals.person, "animal", "", "person", PAINT, TWO, f"{OUTSIDE} room", "cloth", (0.6, 1.05)),
    "bird": Family(wildlife.bird, "animal", "finch heron parrot duck hoopoe", "songbird flamingo rooster", ANY,
                   "plain spotted striped", "meadow beach foliage lake snow wall", "feathers", (1.2, 1.1)),
    "fish": Family(wildlife.fish, "animal", "bass angelfish pike wrasse", "goldfish", ANY, ALL,
                   "reef reef reef table studio", "feathers", (1.0, 0.8), None, 0.25),
    "butterfly": Family(wildlife.butterfly, "animal", "swallowtail moth admiral", "monarch", ANY, ALL,
                        "foliage foliage meadow wall studio", "cloth", (1.0, 1.0), None, 0.5),
    "beetle": Family(wildlife.beetle, "animal", "ladybird weevil stag", "scarab", ANY, COATS,
                     "foliage beach wall studio", "metal", (1.0, 1.15), None, 1.2),
    "turtle": Family(wildlife.turtle, "animal", "tortoise terrapin", "", ANY, COATS, "beach meadow steppe lake",
                     "plain", (1.1, 0.8)),
    "frog": Family(wildlife.frog, "animal", "", "frog", "green teal chocolate", COATS, "foliage lake meadow", "plain"),
    "car": Family(vehicles.car, "vehicle", "pickup camper roadster jeep", "sedan estate bus lorry", PAINT, TWO,
                  "street street beach meadow steppe", "metal", (1.05, 0.65), 0.6, 0.03),
    "cycle": Family(vehicles.cycle, "vehicle", "scooter tricycle highwheeler", "bicycle motorbike", PAINT, ONE,
                    "street street wall meadow beach", "metal", (1.0, 0.7), 0.6, 0.04),
    "boat": Family(vehicles.boat, "vehicle", "sloop gondola dhow", "launch freighter schooner", PAINT, TWO, "lake",
                   "metal", (1.0, 0.9), 0.6, 0.05),
    "plane": Family(vehicles.plane, "vehicle", "biplane glider fighter", "airliner", PAINT, TWO, "sky sky meadow lake",
                    "metal", (1.1, 0.6), None, 0.2),
    "train": Family(vehicles.train, "vehicle", "steamer tram", "railcar", PAINT, TWO, "street meadow steppe", "metal",
                    (1.2, 0.8), 0.6, 0.02),
    "balloon": Family(vehicles.balloon, "vehicle", "balloon airship", "", PAINT, ALL, "sky sky meadow lake", "cloth",
                      (1.0, 1.0), None),
    "vessel": Family(things.vessel, "artefact", "vase jug goblet teapot lantern", "bottle mug ewer", ANY, ALL, INSIDE,
                     "plain", (0.75, 1.05)),
    "furniture": Family(furniture.furniture, "artefact", "stool bench cupboard", "chair sofa table", ANY, TWO,
                        "room room street studio", "wood", (1.0, 1.0), 1.0, 0.03),
    "screen": Family(things.screen, "artefact", "radio", "monitor laptop", ANY, ONE, INSIDE, "plain", (1.0, 0.95)),
    "mesh": Family(things.mesh, "artefact", "abacus crossword grille", "keyboard calculator chessboard", ANY, ONE,
                   "table wall studio", "plain", (1.0, 1.0), None, 0.3),
    "sign": Family(things.sign, "artefact", "signpost billboard nameplate", "stop", PAINT, ONE, f"{OUTSIDE} sky wall",
                   "plain", (1.0, 0.9), None),
    "dial": Family(things.dial, "artefact", "clock compass gauge", "watch", ANY, ONE, INSIDE, "metal", (1.0, 1.1),
                   None, 0.2),
    "tool": Family(things.tool, "artefact", "hammer spade wrench brush", "scissors umbrella", PAINT, TWO,
                   "table wall studio beach meadow", "plain", (0.7, 1.1), None, 0.7),
    "ball": Family(things.ball, "artefact", "beachball handball", "football", PAINT, ONE, "meadow beach room street",
                   "plain"),
    "building": Family(buildings.building, "structure", "cottage barn castle tower church",
                       "pagoda lighthouse windmill", ANY, TWO, OUTSIDE, "stone", (0.95, 1.1), 1.0, 0.02),
    "fruit": Family(plants.fruit, "plant", "apple pear lemon gourd pumpkin", "strawberry", PAINT,
                    "plain spotted striped", "table table foliage studio", "plain", (0.95, 1.05), 0.85, 0.25),
    "flower": Family(plants.flower, "plant", "daisy cosmos anemone aster tulip", "sunflower iris", PAINT,
                     "plain spotted", "foliage foliage meadow sky", "plain", (1.0, 1.2), None, 0.15),
    "mushroom": Family(plants.mushroom, "plant", "toadstool bolete morel parasol", "", ANY, "plain spotted striped",
                       "foliage meadow steppe", "plain"),
    "tree": Family(plants.tree, "plant", "palm fir oak", "cactus pot", "green yellow rust", ONE,
                   "meadow beach steppe snow", "leaves", (1.0, 1.1)),
}  # fmt: skip

# Order in which ImageNet's classes are drawn from the families: many animals, as in the real data set.
_ORDER = """
face car bird vessel beast flower face dial fish building fruit boat butterfly tool face plane mushroom mesh beast sign
bird cycle beetle balloon furniture train turtle ball tree screen person frog
"""
ORDER = tuple(_ORDER.split())
