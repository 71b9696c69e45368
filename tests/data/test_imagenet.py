"""ImageNet in all layouts: the same labels everywhere, consistent subsets, and helpful errors for missing parts."""

import io

import builders
import pytest
from builders import TRUTH, WNIDS
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.recfunctions import repack_fields
from scipy.io import loadmat, savemat

from zfnet.core.errors import ZfnetError
from zfnet.data.readers import imagenet
from zfnet.data.readers.devkit import check_devkit, read_devkit
from zfnet.data.shards.writer import write_shards
from zfnet.settings import Data, Subset

CLASSES = ["n00000001", "n00000002", "n00000003"]
TRAIN = {
    f"{wnid}/{name.removesuffix('.JPEG')}": (CLASSES.index(wnid), data)
    for wnid, files in builders.train_files().items()
    for name, data in files.items()
}
VAL = {
    f"{WNIDS[number]}/{name.removesuffix('.JPEG')}": (CLASSES.index(WNIDS[number]), data)
    for number, (name, data) in zip(TRUTH, builders.val_files().items(), strict=True)
}


def found(source):
    return {image.key: (image.label, image.data) for image in source.images()}


@pytest.fixture
def devkit(tmp_path):
    return builders.put(tmp_path / "ILSVRC2012_devkit_t12.tar.gz", builders.packed(builders.devkit_files()))


@pytest.fixture
def train(tmp_path):
    return builders.put(tmp_path / "ILSVRC2012_img_train.tar", builders.train_tar())


@pytest.fixture
def val(tmp_path):
    return builders.put(tmp_path / "ILSVRC2012_img_val.tar", builders.tar(builders.val_files()))


@pytest.fixture(scope="module")
def kaggle(tmp_path_factory):
    return builders.extract(builders.kaggle_files(), tmp_path_factory.mktemp("kaggle"))


def test_the_training_archive(train, devkit):
    source = imagenet.train(train, devkit)
    assert found(source) == TRAIN and source.expected == len(TRAIN)
    assert source.classes == CLASSES and source.words["n00000002"] == "thing 1, other name"
    assert source.archives == [train, devkit]


def test_images_keep_the_archives_order_and_can_be_read_again(train, devkit):
    source = imagenet.train(train, devkit)
    assert [p.key for p in source.images()] == list(TRAIN) == [p.key for p in source.images()]
    assert next(source.images()).source == "ILSVRC2012_img_train.tar: n00000001.tar: n00000001_0.JPEG"


def test_the_validation_archive(val, devkit):
    source = imagenet.val(val, devkit)
    assert found(source) == VAL and source.expected == len(VAL) and source.classes == CLASSES


def test_an_extracted_tree_of_class_folders(tmp_path, devkit):
    tree = tmp_path / "tree"
    for wnid, files in builders.train_files().items():
        builders.extract(files, tree / wnid)
    builders.put(tree / "readme.txt", b"stray")
    assert found(imagenet.train(tree, devkit)) == TRAIN
    bare = imagenet.train(tree, None)
    assert found(bare) == TRAIN and bare.words == {} and bare.expected is None


def test_a_folder_of_class_tars_and_linked_class_folders(tmp_path, devkit):
    files = builders.train_files()
    tree = tmp_path / "tree"
    for wnid in CLASSES[:2]:
        builders.put(tree / f"{wnid}.tar", builders.tar(files[wnid]))
    builders.extract(files[CLASSES[2]], tmp_path / "elsewhere")
    (tree / CLASSES[2]).symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert found(imagenet.train(tree, devkit)) == TRAIN


def test_validation_images_in_class_folders_or_in_one_folder(tmp_path, devkit):
    files = builders.val_files()
    for key in VAL:
        wnid, stem = key.split("/")
        builders.put(tmp_path / "sorted" / wnid / f"{stem}.JPEG", files[f"{stem}.JPEG"])
    builders.extract(files, tmp_path / "heap")
    assert found(imagenet.val(tmp_path / "sorted", devkit)) == found(imagenet.val(tmp_path / "heap", devkit)) == VAL
    assert imagenet.val(tmp_path / "sorted", devkit, Subset(classes=2, images_per_class=1)).expected == 2
    assert imagenet.val(tmp_path / "sorted", devkit).expected == len(VAL)


def test_kaggles_copy(kaggle):
    assert found(imagenet.train(kaggle, kaggle)) == TRAIN
    source = imagenet.val(kaggle, kaggle)
    assert found(source) == VAL and source.words["n00000001"] == "thing 3, other name"


def test_test_images_have_no_label(tmp_path, devkit):
    files = {f"test/ILSVRC2012_test_{i:08d}.JPEG": builders.image() for i in (1, 2)}
    source = imagenet.test(builders.put(tmp_path / "test.tar", builders.tar(files)), devkit)
    assert [(p.key, p.label) for p in source.images()] == [(f"ILSVRC2012_test_{i:08d}", -1) for i in (1, 2)]
    assert source.classes == CLASSES


# Choices --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_a_subset_has_the_same_classes_in_train_and_val(seed, train, val, devkit):
    subset = Subset(classes=2, images_per_class=1, seed=seed)
    mine, theirs = imagenet.train(train, devkit, subset), imagenet.val(val, devkit, subset)
    assert mine.classes == theirs.classes == sorted(mine.classes) and len(mine.classes) == 2
    for source, every in ((mine, TRAIN), (theirs, VAL)):
        images = list(source.images())
        assert sorted(p.label for p in images) == [0, 1] and source.expected == 2
        assert all(p.key.startswith(source.classes[p.label]) and every[p.key][1] == p.data for p in images)


def test_subsets_do_not_depend_on_the_form(train, kaggle, devkit):
    subset = Subset(classes=2, images_per_class=2, seed=5)
    assert found(imagenet.train(train, devkit, subset)) == found(imagenet.train(kaggle, kaggle, subset))


def test_other_seeds_choose_otherwise(train, devkit):
    chosen = {
        tuple(found(imagenet.train(train, devkit, Subset(classes=1, images_per_class=2, seed=s)))) for s in range(12)
    }
    assert len(chosen) > 4


@given(st.sets(st.text(), min_size=3, max_size=20), st.integers(0, 5), st.data())
def test_larger_choices_contain_smaller_ones(names, seed, data):
    count = data.draw(st.integers(1, len(names)))
    chosen = imagenet.choose(names, count, seed)
    assert len(chosen) == count and chosen == sorted(chosen) and set(chosen) <= names
    assert set(imagenet.choose(names, count - 1, seed)) <= set(chosen)
    assert imagenet.choose(sorted(names, reverse=True), count, seed) == chosen
    assert imagenet.choose(names, None, seed) == sorted(names)


# What is missing ------------------------------------------------------------------------------------------------------


def test_a_missing_class_is_reported(tmp_path, devkit):
    files = {f"{wnid}.tar": builders.tar(files) for wnid, files in builders.train_files().items() if wnid != CLASSES[1]}
    path = builders.put(tmp_path / "train.tar", builders.tar(files))
    with pytest.raises(ZfnetError, match="1 of the 3 classes of the devkit are missing, such as n00000002"):
        imagenet.train(path, devkit)


@pytest.mark.parametrize("subset", [Subset(), Subset(images_per_class=4), Subset(images_per_class=2)])
def test_a_partly_copied_tree_is_never_a_smaller_set(tmp_path, devkit, subset):
    for wnid, files in builders.train_files().items():
        builders.extract(files, tmp_path / "tree" / wnid)
    (tmp_path / "tree" / CLASSES[1] / f"{CLASSES[1]}_3.JPEG").unlink()
    source = imagenet.train(tmp_path / "tree", devkit, subset)
    settings = Data(image_size=16, imagenet=subset)
    message = (
        "n00000002: 3 images, the devkit says 4; copy"
        if subset.images_per_class
        else "11 images in .* 12 were expected"
    )
    with pytest.raises(ZfnetError, match=message):
        write_shards(source, settings, tmp_path / "out" / "manifest.json", True, 1)
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_the_validation_archive_in_place_of_the_training_one(val, devkit):
    with pytest.raises(ZfnetError, match="holds no tar or folder of a class"):
        imagenet.train(val, devkit)


def test_a_compressed_training_archive_is_refused(tmp_path, devkit, train):
    path = builders.put(tmp_path / "train.tar.gz", builders.packed({"n00000001.tar": b""}))
    with pytest.raises(ZfnetError, match="this is a gzip file; expected ILSVRC2012_img_train"):
        imagenet.train(path, devkit)


def test_one_folder_without_devkit_has_no_labels(val):
    with pytest.raises(ZfnetError, match=r"labels of these images are in ILSVRC2012_devkit_t12\.tar\.gz; set archives"):
        imagenet.val(val, None)


def test_an_image_without_label_is_reported(val, tmp_path):
    devkit = builders.put(tmp_path / "short.tar.gz", builders.packed(builders.devkit_files(truth=TRUTH[:-1])))
    with pytest.raises(ZfnetError, match=r"ILSVRC2012_val_00000006\.JPEG: the devkit has no label"):
        found(imagenet.val(val, devkit))


# Devkit ---------------------------------------------------------------------------------------------------------------


def test_the_devkit_has_leaves_only(devkit):
    kit = read_devkit(devkit)
    assert set(kit.words) == set(CLASSES) and set(kit.counts.values()) == {4}
    assert list(kit.truth.values()) == [WNIDS[number] for number in TRUTH]
    check_devkit(devkit)


@pytest.mark.parametrize("place", [".", "ILSVRC2012_devkit_t12", "ILSVRC2012_devkit_t12/data"])
def test_the_devkit_may_be_extracted(place, devkit, tmp_path):
    builders.extract(builders.devkit_files(), tmp_path / "kit")
    assert read_devkit(tmp_path / "kit" / place) == read_devkit(devkit)


@pytest.mark.parametrize("name", ["meta.mat", "ILSVRC2012_validation_ground_truth.txt"])
def test_a_missing_file_of_the_devkit_is_reported(name, tmp_path):
    files = {path: data for path, data in builders.devkit_files().items() if not path.endswith(name)}
    path = builders.put(tmp_path / "kit.tar.gz", builders.packed(files))
    for read in (read_devkit, check_devkit):
        with pytest.raises(ZfnetError, match=f"{name} is missing; the official kit is ILSVRC2012_devkit_t12.tar.gz"):
            read(path)


@pytest.mark.parametrize(
    "name, data, message",
    [
        ("meta.mat", b"<html>", "meta.mat: not a class table"),
        (
            "meta.mat",
            builders.devkit_files()["ILSVRC2012_devkit_t12/data/meta.mat"][:500],
            "meta.mat: not a class table",
        ),
        ("ILSVRC2012_validation_ground_truth.txt", b"1\n77\n", "a line that is not a class"),
        ("ILSVRC2012_validation_ground_truth.txt", b"one\n", "a line that is not a class"),
    ],
)
def test_a_damaged_file_of_the_devkit_is_reported(name, data, message, tmp_path):
    files = builders.devkit_files() | {f"ILSVRC2012_devkit_t12/data/{name}": data}
    with pytest.raises(ZfnetError, match=message):
        read_devkit(builders.put(tmp_path / "kit.tar.gz", builders.packed(files)))


@pytest.mark.parametrize("field", ["ILSVRC2012_ID", "WNID", "words", "num_children", "num_train_images"])
def test_a_class_table_without_a_column_is_reported(field, tmp_path):
    files = builders.devkit_files()
    (name,) = (name for name in files if name.endswith("meta.mat"))
    table = loadmat(io.BytesIO(files[name]))["synsets"]
    lacking = io.BytesIO()
    savemat(lacking, {"synsets": repack_fields(table[[other for other in table.dtype.names if other != field]])})
    path = builders.put(tmp_path / "kit.tar.gz", builders.packed(files | {name: lacking.getvalue()}))
    with pytest.raises(ZfnetError, match=f"meta.mat: not a class table .*{field}"):
        read_devkit(path)


@pytest.mark.parametrize("table", [b"a,b\n1,2\n", b"ImageId,PredictionString\n" + b"x" * 200_000])
def test_kaggles_table_without_its_columns_is_reported(table, tmp_path):
    builders.extract(builders.kaggle_files() | {"LOC_val_solution.csv": table}, tmp_path / "kaggle")
    with pytest.raises(ZfnetError, match="lacks ImageId or PredictionString"):
        read_devkit(tmp_path / "kaggle")


@pytest.mark.real
def test_the_real_archives(real_data):
    folder = real_data / "imagenet"
    devkit = folder / "ILSVRC2012_devkit_t12.tar.gz"
    train = imagenet.train(folder / "ILSVRC2012_img_train.tar", devkit)
    val = imagenet.val(folder / "ILSVRC2012_img_val.tar", devkit)
    assert train.classes == val.classes and len(train.classes) == 50
    assert len({p.key for p in train.images()}) == train.expected == 16_030
    labels = [p.label for p in val.images()]
    assert len(labels) == val.expected == 2_000 and {labels.count(label) for label in range(50)} == {40}
