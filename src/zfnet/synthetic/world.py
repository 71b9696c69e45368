"""All archives of the generated world, with the official names and formats.

Their images are drawn, not photographed, so numbers measured on them say nothing about the papers. The pre-training
classes share no category with the transfer sets. A few near-duplicates of Caltech images are planted in ImageNet's
training set, as in the real one (D29), and listed in planted_duplicates.csv.
"""

from pathlib import Path

from zfnet.core.files import sha256, write_json
from zfnet.core.tables import write_table
from zfnet.core.threads import cores
from zfnet.settings import World
from zfnet.synthetic import FILES, ilsvrc, transfer_sets
from zfnet.synthetic.render import worker_map


def generate(world: World, folder: Path, workers: int | None = None) -> dict[str, Path]:
    """Write the generated world into `folder`. world.json is written last, so its presence means completeness.

    Parameters
    ----------
    world : seed, counts and image size. The same settings give the same bytes with the same library versions.
    folder : where the archives are written; created if missing.
    workers : number of drawing processes; None uses one per core. The bytes do not depend on it.

    Returns
    -------
    dict
        Path of each archive, by its field of `zfnet.settings.Archives`.

    Raises
    ------
    ZfnetError
        More classes are requested than can be drawn.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "world.json").unlink(missing_ok=True)
    paths = {field: folder / name for field, name in FILES.items()}
    with worker_map(workers or cores()) as draw:
        planted = ilsvrc.training(world, paths["imagenet_train"], draw)
        ilsvrc.validation(world, paths["imagenet_val"], paths["imagenet_devkit"], draw)
        ilsvrc.testing(world, paths["imagenet_test"], draw)
        transfer_sets.caltech(paths["caltech101"], transfer_sets.caltech101(world), draw)
        transfer_sets.caltech(paths["caltech256"], transfer_sets.caltech256(world), draw)
        transfer_sets.voc2012(world, paths["voc2012"], draw)
        transfer_sets.voc2012_test(world, paths["voc2012_test"], draw)
        transfer_sets.cifar10(world, paths["cifar10"], draw)
        transfer_sets.parts(world, paths["parts_images"], paths["parts_keypoints"], draw)
    table = folder / "planted_duplicates.csv"
    write_table(table, ilsvrc.PLANTED_COLUMNS, planted)
    files = {path.name: sha256(path) for path in [*paths.values(), table]}
    write_json(folder / "world.json", {"settings": world.model_dump(), "sha256": files})
    return paths
