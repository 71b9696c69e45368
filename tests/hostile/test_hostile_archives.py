"""Archives as disks, networks and people leave them are read in full, or refused by a sentence: nothing is lost."""

import gzip
import io
import struct
import tarfile
import zipfile

import builders
import pytest

from zfnet.core.errors import ZfnetError
from zfnet.data.readers import caltech, imagenet, voc
from zfnet.data.readers.folder_members import listing
from zfnet.data.readers.images import MAX_PIXELS, DamagedImage, decode
from zfnet.data.readers.limits import END_OF_TAR
from zfnet.data.readers.members import members
from zfnet.data.readers.names import PART_LIMIT, key_part, readable
from zfnet.data.readers.skipped import ALIAS, DANGLING, HARD_LINK, HIDDEN, NO_IMAGE, Skipped
from zfnet.data.shards.writer import write_shards
from zfnet.settings import Data

FILES = builders.caltech256_files()
ROOT = "256_ObjectCategories"
SETTINGS = Data(image_size=16, images_per_shard=3)


def put(tmp_path, content):
    return builders.put(tmp_path / f"{ROOT}.tar", content)


def prepare(tmp_path, source, **changes):
    return write_shards(source, SETTINGS.model_copy(update=changes), tmp_path / "out/manifest.json", False, 1)


# Ends of tars


def zeroed(content, start, count):
    return content[:start] + bytes(count) + content[start + count :]


TAR = builders.tar(FILES)
SECOND_HEADER = TAR.index(b"ustar", 512) - 257


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("content", "found"),
    [
        (zeroed(TAR, SECOND_HEADER, 512), "more data follows"),
        (TAR + builders.tar({"x/b.jpg": b"2"}), "more data follows"),
        (TAR + b"text", "more data follows"),
        (TAR + bytes(2 * END_OF_TAR), "was never written"),
    ],
    ids=["a block of zeros", "two tars", "text behind", "a hole to the end"],
)
def test_a_tar_that_goes_on_behind_its_end_is_refused(content, found, pack, tmp_path):
    path = put(tmp_path, pack(content))
    with pytest.raises(ZfnetError, match=rf"256_ObjectCategories\.tar: the tar ends at byte \d+, .*{found}"):
        caltech.caltech256(path)


def test_an_ordinary_end_of_any_program_is_read(tmp_path):
    content = TAR.rstrip(b"\0")
    content += bytes(-len(content) % 512)
    for blocks in (1, 2, 20):
        assert len(list(members(put(tmp_path, content + bytes(512 * blocks))))) == len(FILES)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_half_copied_tar_gz_is_refused(share, tmp_path):
    content = builders.packed({f"{name}": builders.noise(n) for n, name in enumerate(builders.caltech101_files())})
    path = builders.put(tmp_path / "101_ObjectCategories.tar.gz", content[: int(share * len(content))])
    with pytest.raises(ZfnetError, match="truncated or damaged"):
        list(members(path))


# What is passed over is named


def test_strays_links_and_hidden_files_are_counted_and_named_in_the_manifest(tmp_path):
    link = builders.special(tarfile.LNKTYPE, f"{ROOT}/056.dog/056_0001.jpg")
    files = FILES | {f"{ROOT}/056.dog/056_0009.jpg": link, f"{ROOT}/056.dog/._056_0001.jpg": b"\0\5\x16\7"}
    manifest = prepare(tmp_path, caltech.caltech256(put(tmp_path, builders.tar(files))))
    found = {entry.reason: (entry.files, entry.first) for entry in manifest.skipped}
    assert found[HARD_LINK] == (1, [f"{ROOT}.tar: {ROOT}/056.dog/056_0009.jpg"])
    assert found[HIDDEN] == (1, [f"{ROOT}.tar: {ROOT}/056.dog/._056_0001.jpg"])
    assert found[NO_IMAGE][0] == 2  # RENAME2, and an image in a folder of a class folder
    assert manifest.images == 3


def test_a_second_file_of_one_name_is_refused(tmp_path):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo(f"{ROOT}/056.dog/1.jpg"))
    with pytest.raises(ZfnetError, match=r"056\.dog/1\.jpg: the archive holds two files of this name"):
        caltech.caltech256(put(tmp_path, file.getvalue()))


def test_double_slashes_and_dots_in_names_mean_nothing(tmp_path):
    files = {"./" + name.replace("/", "//"): content for name, content in FILES.items()}
    assert [member.name for member in members(put(tmp_path, builders.tar(files)))] == list(FILES)


def test_an_image_outside_class_folders_is_no_class_without_a_name(tmp_path):
    files = FILES | {f"{ROOT}//9.jpg": builders.image()}
    assert "" not in caltech.caltech256(put(tmp_path, builders.tar(files))).classes


# Zips


def patched(content: bytes, method: int) -> bytes:
    """Change the compression method of all files, in both of its places."""
    data = bytearray(content)
    for mark, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        place = data.find(mark)
        while place >= 0:
            data[place + offset : place + offset + 2] = struct.pack("<H", method)
            place = data.find(mark, place + 4)
    return bytes(data)


@pytest.mark.parametrize(("method", "name"), [(9, "Deflate64"), (14, "LZMA"), (12, "bzip2"), (77, "method 77")])
def test_a_zip_of_another_compression_is_refused_by_its_name(method, name, tmp_path):
    path = builders.put(tmp_path / "a.zip", patched(builders.zipped(FILES), method))
    with pytest.raises(ZfnetError, match=f"is compressed with {name}.* pack it again"):
        list(members(path))


def test_a_zip_of_the_tree_is_read(tmp_path):
    path = builders.put(tmp_path / "c101.zip", builders.zipped(builders.caltech101_files()))
    assert len(list(caltech.caltech101(path).images())) == 3


def test_links_in_a_zip_are_passed_over(tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        info = zipfile.ZipInfo("a/1.jpg")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    skipped = Skipped()
    assert list(members(builders.put(tmp_path / "a.zip", file.getvalue()), skipped=skipped)) == []
    assert [entry.files for entry in skipped.entries()] == [1]


# Trees


def test_linked_class_folders_are_read_and_circles_and_aliases_are_not(tmp_path):
    tree = builders.extract(FILES, tmp_path / "here") / ROOT
    elsewhere = tmp_path / "disk2" / "056.dog"
    elsewhere.parent.mkdir()
    (tree / "056.dog").rename(elsewhere)
    (tree / "056.dog").symlink_to(elsewhere, target_is_directory=True)
    (tree / "999.circle").symlink_to(tree, target_is_directory=True)
    (tree / "998.alias").symlink_to(tree / "198.spider", target_is_directory=True)
    source = caltech.caltech256(tree)
    assert source.classes == ["056.dog", "198.spider", "257.clutter"]
    assert len(list(source.images())) == 3
    assert {entry.reason: entry.files for entry in source.skipped.entries()}[ALIAS] == 2


def test_a_linked_folder_of_voc_images_is_read(tmp_path):
    tree = builders.extract(builders.voc_files(), tmp_path) / "VOCdevkit"
    (tree / "VOC2012/JPEGImages").rename(tmp_path / "big")
    (tree / "VOC2012/JPEGImages").symlink_to(tmp_path / "big", target_is_directory=True)
    assert len(list(voc.voc2012(tree).images())) == 2


def test_dangling_links_and_files_of_the_system_change_nothing(tmp_path):
    tree = builders.extract(FILES, tmp_path) / ROOT
    before = listing(tree)
    (tree / "056.dog/#lock").symlink_to("nowhere")
    for name in (".DS_Store", ".nfs000001", "Thumbs.db", "056.dog/._056_0001.jpg"):
        builders.put(tree / name, b"x")
    assert listing(tree) == before
    source = caltech.caltech256(tree)
    assert len(list(source.images())) == 3
    assert {entry.reason for entry in source.skipped.entries()} >= {DANGLING, HIDDEN}


def test_macs_twins_are_passed_over_in_voc(tmp_path):
    root = "VOCdevkit/VOC2012"
    twins = {
        f"{root}/{place}": b"\0\5\x16\7" for place in ("Annotations/._2007_000001.xml", "JPEGImages/._2007_000001.jpg")
    }
    path = builders.put(tmp_path / "voc.tar", builders.tar(builders.voc_files() | twins))
    assert len(list(voc.voc2012(path).images())) == 2


@pytest.mark.parametrize("table", ["LOC_train_solution.csv", "ILSVRC/ImageSets/CLS-LOC/train_cls.txt"])
def test_kaggles_tree_in_part_is_refused(table, tmp_path):
    stems = [name.removesuffix(".JPEG") for files in builders.train_files().values() for name in files]
    rows = ["ImageId,PredictionString", *(f"{stem},{stem[:9]} 1 2 3 4" for stem in stems)]
    lines = rows if table.endswith(".csv") else [f"{stem[:9]}/{stem} {n}" for n, stem in enumerate(stems)]
    tree = builders.extract(builders.kaggle_files() | {table: "\n".join(lines).encode()}, tmp_path / "kaggle")
    assert prepare(tmp_path, imagenet.train(tree, tree)).images == len(stems)
    (tree / f"ILSVRC/Data/CLS-LOC/train/{stems[0][:9]}/{stems[0]}.JPEG").unlink()
    with pytest.raises(ZfnetError, match=f"{len(stems) - 1} images|3 images, the devkit says at least 4"):
        prepare(tmp_path, imagenet.train(tree, tree))


# Names


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("003.backpack", "003_backpack"),
        ("caf\u00e9", "caf_e9_"),
        ("cafe\u0301", "cafe_301_"),
        ("caf\udce9", "caf_dce9_"),
        ("a\nb", "a_a_b"),
        ("__meta__", "_5f__meta__"),
        ("", "_5f"),
    ],
)
def test_a_key_is_ascii_and_differs_where_names_differ(name, key):
    assert key_part(name) == key


def test_long_names_are_shortened_differently(tmp_path):
    first, second = (key_part("n" * 200 + end) for end in "ab")
    assert first != second and len(first) == len(second) == PART_LIMIT
    assert first == key_part("n" * 200 + "a")


@pytest.mark.parametrize("name", ["caf\udce9", "a\nb", "a\u2028b", "a\x1b[31m", "\u202eabc"])
def test_readable_names_are_printable_and_reversible(name):
    shown = readable(name)
    assert shown.isprintable()
    assert shown.encode("latin-1", "backslashreplace").decode("unicode_escape") == name


def test_strange_names_are_prepared_and_read_again(tmp_path):
    from zfnet.data.loader import Shards

    names = ["caf\udce9/1.jpg", "cafe\u0301/1.jpg", "a\nb/1.jpg", f"056.dog/{'n' * 180}.jpg", "__x__/1.jpg"]
    path = put(tmp_path, builders.tar({f"{ROOT}/{name}": builders.noise(n) for n, name in enumerate(names)}))
    manifest = prepare(tmp_path, caltech.caltech256(path))
    shards = Shards(tmp_path / "out/manifest.json")
    assert len(shards) == manifest.images == len(names) == len(set(shards.keys))
    assert set(manifest.classes) == {"caf\\udce9", "cafe\u0301", "a\\nb", "056.dog", "__x__"}
    assert list(manifest.renamed.values()) == [f"{ROOT}.tar: {ROOT}/056.dog/{'n' * 180}.jpg"]


def test_one_name_in_two_unicode_forms_is_refused(tmp_path):
    files = {f"{ROOT}/caf\u00e9/1.jpg": builders.image(), f"{ROOT}/cafe\u0301/2.jpg": builders.image()}
    with pytest.raises(ZfnetError, match=r"two class folders look alike, .*caf\\xe9"):
        caltech.caltech256(put(tmp_path, builders.tar(files)))


# Images


def png_header(width: int, height: int) -> bytes:
    """A PNG that announces a size."""
    content = bytearray(builders.image(form="PNG", size=(8, 8)))
    content[16:24] = struct.pack(">II", width, height)
    import zlib

    content[29:33] = struct.pack(">I", zlib.crc32(bytes(content[12:29])))
    return bytes(content)


@pytest.mark.parametrize(
    ("size", "found"),
    [((120_000_000, 1), "on a side"), ((1, 89_478_479), "on a side"), ((65_500, 65_500), "more than the limit")],
)
def test_a_side_or_area_beyond_the_limit_is_refused_by_the_header(size, found):
    with pytest.raises(DamagedImage, match=found):
        decode(png_header(*size))


def subsampled_1x4() -> bytes:
    """A JPEG whose luma sampling is 1 x 4, which simplejpeg does not know."""
    content = bytearray(builders.noise(size=(32, 32), subsampling=2))
    frame = content.index(b"\xff\xc0")
    content[frame + 11] = 0x14
    return bytes(content)


def many_scans(count: int) -> bytes:
    content = builders.image(size=(64, 64), progressive=True)
    start = content.index(b"\xff\xda")
    return content[:start] + content[start:-2] * count + content[-2:]


BAD = {
    "1x4": subsampled_1x4(),
    "scans": many_scans(200),
    "wide": png_header(120_000_000, 1),
    "narrow": builders.image(form="PNG", size=(60_000, 1)),
    "empty": b"",
    "cut": builders.noise()[:-60],
}


def test_no_image_ends_a_preparation_and_each_is_named(tmp_path):
    bad = {f"{ROOT}/056.dog/{name}.jpg": content for name, content in BAD.items()}
    path = put(tmp_path, builders.tar(FILES | bad))
    manifest = prepare(tmp_path, caltech.caltech256(path), max_bad_fraction=1.0)
    damaged = {entry.key for entry in manifest.damaged}
    assert {f"056_dog/{name}" for name in BAD} - damaged <= {"056_dog/1x4"}  # which Pillow may be able to read
    assert manifest.images + len(damaged) == 3 + len(BAD)


def test_the_setting_wins_over_pillows_own_limit():
    from PIL import Image

    assert Image.MAX_IMAGE_PIXELS is None
    with pytest.raises(DamagedImage, match="cannot be decoded"):  # its pixels are missing, its size is accepted
        decode(png_header(13_400, 13_400), max_pixels=400_000_000)
    with pytest.raises(DamagedImage, match=f"more than the limit of {MAX_PIXELS}"):
        decode(png_header(13_400, 13_400))


# Annotations


@pytest.mark.parametrize(
    ("mark", "difficult"),
    [("", 0), ("<difficult/>", 0), ("<difficult>Unspecified</difficult>", 0), ("<difficult>1.0</difficult>", 1),
     ("<difficult>0</difficult>", 0), ("<difficult> 1 </difficult>", 1)],
)  # fmt: skip
def test_every_way_to_write_difficult(mark, difficult):
    box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox>"
    xml = f"<annotation><object><name>cat</name>{mark}{box}</object></annotation>"
    assert voc.read_objects(xml.encode(), "a.xml")[0]["difficult"] == difficult


@pytest.mark.parametrize(
    ("xml", "found"),
    [
        (b'<?xml version="1.0" encoding="foo"?><annotation/>', "unknown encoding"),
        (b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "document type"),
        (b"<a>" * 5000 + b"</a>" * 5000, "nested more than"),
        (b"", "no element found"),
    ],
)
def test_hostile_xml_is_refused(xml, found):
    with pytest.raises(ZfnetError, match=rf"a\.xml: not an annotation of PASCAL VOC \(.*{found}"):
        voc.read_objects(xml, "a.xml")


def test_a_list_that_unfolds_to_megabytes_is_refused(tmp_path):
    files = builders.voc_files() | {"VOCdevkit/VOC2012/ImageSets/Main/train.txt": b"2007_000002\n" * 200_000}
    with pytest.raises(ZfnetError, match=r"train\.txt: 2400000 bytes, where at most"):
        voc.voc2012(builders.put(tmp_path / "voc.tar.gz", builders.packed(files)))
