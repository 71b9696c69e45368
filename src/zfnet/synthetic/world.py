"""All archives of the generated world, under the official names and in the official formats.

What is in them is drawn, not photographed, so numbers measured on it say nothing about the papers. The pre-training
classes share no category with the transfer sets; a few near-duplicates of Caltech pictures are planted in ImageNet's
training set, as there are in the real one (D29), and listed in planted_duplicates.csv.
"""

from pathlib import Path

from zfnet.core.files import sha256, write_json, write_text
from zfnet.core.threads import cores
from zfnet.settings import World
from zfnet.synthetic import FILES, ilsvrc, transfer_sets
from zfnet.synthetic.render import crew


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
    with crew(workers or cores()) as draw:
        copies = ilsvrc.training(world, paths["imagenet_train"], draw)
        ilsvrc.validation(world, paths["imagenet_val"], paths["imagenet_devkit"], draw)
        ilsvrc.testing(world, paths["imagenet_test"], draw)
        transfer_sets.caltech(paths["caltech101"], transfer_sets.caltech101(world), draw)
        transfer_sets.caltech(paths["caltech256"], transfer_sets.caltech256(world), draw)
        transfer_sets.voc2012(world, paths["voc2012"], draw)
        transfer_sets.voc2012_test(world, paths["voc2012_test"], draw)
        transfer_sets.cifar10(world, paths["cifar10"], draw)
        transfer_sets.parts(world, paths["parts_images"], paths["parts_keypoints"], draw)
    write_text(folder / "planted_duplicates.csv", "".join(f"{line}\n" for line in copies))
    files = {path.name: sha256(path) for path in [*paths.values(), folder / "planted_duplicates.csv"]}
    write_json(folder / "world.json", {"settings": world.model_dump(), "sha256": files})
    return paths
