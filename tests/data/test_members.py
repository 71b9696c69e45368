"""Iteration over archives: all formats give the same members; damage and malice are reported."""

import gzip
import io
import tarfile
import tracemalloc

import builders
import pytest

from zfnet.core.errors import ZfnetError
from zfnet.data.readers.members import archive_format, check_end, members, tar_members

FILES = {"top/a.txt": b"first", "top/sub/b.txt": b"x" * 1500, "top/c.txt": b""}


def contents(path, **options) -> dict[str, bytes]:
    return {member.name: member.read() for member in members(path, **options)}


@pytest.fixture(params=["tar", "gzip", "zip", "folder"])
def form(request):
    return request.param


def make(form, folder, files=FILES):
    if form == "folder":
        return builders.extract(files, folder) / "top"
    pack = {"tar": builders.tar, "gzip": builders.packed, "zip": builders.zipped}[form]
    return builders.put(folder / "archive", pack(files))


def test_all_forms_have_the_same_members(form, tmp_path):
    path = make(form, tmp_path)
    assert archive_format(path) == form
    assert contents(path) == FILES


def test_archives_keep_their_own_order(tmp_path):
    assert list(contents(make("tar", tmp_path))) == list(FILES)


def test_memory_grows_by_little_more_than_a_hash_for_each_name(tmp_path):
    def peak(count: int) -> int:
        path = builders.put(tmp_path / str(count), builders.tar({f"{number:06}.JPEG": b"" for number in range(count)}))
        tracemalloc.start()
        assert sum(1 for _ in members(path)) == count
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(10)  # warm up imports and caches
    assert peak(2000) - peak(20) < 64 * 2000  # tarfile's own list of headers takes ten times as much


def test_members_say_where_they_are(tmp_path):
    (member, *_) = list(members(make("tar", tmp_path)))
    assert (member.where, member.size, member.stem, member.parts) == ("archive: top/a.txt", 5, "a", ("top", "a.txt"))


def test_only_regular_files_are_returned(tmp_path):
    files = {
        "folder": builders.special(tarfile.DIRTYPE),
        "link": builders.special(tarfile.SYMTYPE, "/etc/passwd"),
        "hard": builders.special(tarfile.LNKTYPE, "/etc/passwd"),
        "device": builders.special(tarfile.CHRTYPE),
        "pipe": builders.special(tarfile.FIFOTYPE),
        "file": b"content",
    }
    assert contents(builders.put(tmp_path / "a.tar", builders.tar(files))) == {"file": b"content"}


def test_folders_are_not_followed_in_circles(tmp_path):
    folder = make("folder", tmp_path)
    (folder / "sub" / "again").symlink_to(folder, target_is_directory=True)
    assert contents(folder) == FILES


def test_long_names_survive(tmp_path):
    name = "n" * 150 + "/" + "m" * 150 + ".jpg"
    assert contents(builders.put(tmp_path / "a.tar", builders.tar({name: b"1"}))) == {name: b"1"}


def test_a_tar_within_a_tar_is_read_in_place():
    inner = builders.tar(FILES)
    file = io.BytesIO(builders.tar({"a.tar": inner, "b.tar": inner}))
    for member in tar_members(file, "outer.tar"):
        found = {inside.name: inside.read() for inside in tar_members(member.open(), member.where)}
        assert found == FILES


def test_a_tar_gz_within_a_zip_is_read_in_place(tmp_path):
    files = {"__MACOSX/._x.tar.gz": b"fork", "c/x.tar.gz": builders.packed(FILES), "c/other.tar": b"no"}
    path = builders.put(tmp_path / "a.zip", builders.zipped(files))
    assert contents(path, inner="x.tar.gz") == FILES


# Damage ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data, found",
    [
        (b"", "the file is empty"),
        (b"\n<!DOCTYPE html><html>Sign in", "it is a web page"),
        (bytes(2048), "it begins with zeros"),
        (b"version https://git-lfs", "it begins with b'version http'"),
    ],
)
def test_a_file_that_is_not_an_archive_is_reported(data, found, tmp_path):
    path = builders.put(tmp_path / "a.tar", data)
    with pytest.raises(ZfnetError, match=found) as caught:
        archive_format(path)
    assert str(path) in str(caught.value)


def test_a_missing_archive_is_reported(tmp_path):
    with pytest.raises(ZfnetError, match=r"nowhere\.tar: No such file"):
        list(members(tmp_path / "nowhere.tar"))


CUTS = {
    "in a member": 512 + 3,
    "in a header": 1024 + 100,
    "between members": 1024,
    "in the last member": 1024 + 512 + 700,
    "before the end": 1024 + 512 + 1536 + 512,
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_a_truncated_tar_is_detected_wherever_it_ends(cut, tmp_path):
    path = builders.put(tmp_path / "a.tar", builders.tar(FILES)[:cut])
    with pytest.raises(ZfnetError, match=r"truncated or damaged .* copy it again"):
        contents(path)


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_a_truncated_tar_within_a_tar_is_detected(cut):
    file = io.BytesIO(builders.tar({"n1.tar": builders.tar(FILES)[:cut]}))
    with pytest.raises(ZfnetError, match=r"outer\.tar: n1\.tar.*truncated"):
        for member in tar_members(file, "outer.tar"):
            for inside in tar_members(member.open(), member.where):
                inside.read()


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_a_truncated_tar_is_detected_by_its_end(cut, tmp_path):
    with pytest.raises(ZfnetError, match=f"truncated after {cut} bytes"):
        check_end(builders.put(tmp_path / "a.tar", builders.tar(FILES)[:cut]))


def test_a_whole_tar_passes(tmp_path):
    check_end(builders.put(tmp_path / "a.tar", builders.tar(FILES)))


def test_garbage_inside_a_tar_is_not_mistaken_for_its_end(tmp_path):
    data = bytearray(builders.tar(FILES))
    data[1024 : 1024 + 512] = b"\xaa" * 512
    with pytest.raises(ZfnetError, match="damaged"):
        contents(builders.put(tmp_path / "a.tar", bytes(data)))


@pytest.mark.parametrize("form", ["gzip", "zip"])
def test_a_truncated_or_altered_compressed_archive_is_detected(form, tmp_path):
    data = make(form, tmp_path, {"a": builders.noise(), "b": builders.noise(1)}).read_bytes()
    altered = bytearray(data)
    altered[len(data) // 2] ^= 0xFF
    for number, broken in enumerate((data[: len(data) // 2], bytes(altered))):
        with pytest.raises(ZfnetError, match="truncated or damaged"):
            contents(builders.put(tmp_path / f"{number}", broken))


# Malice ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../evil.jpg", "/etc/evil.jpg", "a/../../evil.jpg", "a\\..\\evil.jpg"])
@pytest.mark.parametrize("form", ["tar", "gzip", "zip"])
def test_names_that_lead_outside_are_refused(form, name, tmp_path):
    with pytest.raises(ZfnetError, match="points outside"):
        contents(make(form, tmp_path, {name: b"evil"}))


def test_control_characters_do_not_reach_the_terminal(tmp_path):
    path = builders.put(tmp_path / "a.tar", builders.tar({"a\x1b[2J.jpg": b"1"}))
    assert [member.where.isprintable() for member in members(path)] == [True]


@pytest.mark.parametrize("form", ["tar", "gzip", "zip"])
def test_oversized_members_are_refused_unread(form, tmp_path):
    with pytest.raises(ZfnetError, match="1500 bytes, where at most 1000"):
        [member.read(1000) for member in members(make(form, tmp_path))]


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
@pytest.mark.parametrize("size", [-512, 1 << 40])
def test_false_sizes_neither_loop_nor_fill_the_memory(kind, size, tmp_path):
    """The size in a header is whatever the archive says, for a member or for the long name before it."""
    info = tarfile.TarInfo("a")
    info.type, info.size = kind, size
    path = builders.put(tmp_path / "a.tar", info.tobuf(tarfile.GNU_FORMAT) + builders.tar(FILES))
    with pytest.raises(ZfnetError, match=r"truncated or damaged|where at most"):
        contents(path)


def test_a_bomb_behind_a_false_size_is_not_unfolded(tmp_path):
    """A tar header may announce more than any disk holds; nothing is allocated for it."""
    info = tarfile.TarInfo("bomb")
    info.size = 1 << 40
    path = builders.put(tmp_path / "a.tar.gz", gzip.compress(info.tobuf() + bytes(4096)))
    with pytest.raises(ZfnetError, match="where at most"):
        contents(path)
