"""Files of settings: a mistake names its line, and a small file cannot cost much."""

import pytest

from zfnet.core.errors import ZfnetError
from zfnet.core.yaml_file import read_yaml

LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("preset: demo\nnets: {width: 1\ntraining: 2\n", "line 3, column 9: not valid YAML"),
        ("preset: demo\nnets:\n\twidth: 1\n", "line 3, column 1: not valid YAML: .*not with tabs"),
        ("preset: demo\nresults: a\npreset: mini\n", "line 3, column 1: .* the key 'preset' a second time"),
        ("nets: {width: 1, width: 2}\n", "the key 'width' a second time"),
        ("nets: {crop: !!bool x}\n", "line 1, column 14: .*'x', which is no bool"),
        ("nets: {width: 2001-99-99}\n", "'2001-99-99', which is no timestamp"),
        ('nets: {crop: !!int ""}\n', "which is no int"),
        ("nets: {crop: 0x_}\n", "'0x_', which is no int"),
        ("nets: {width: !!int abc}\n", "'abc', which is no int"),
        ("a: " + "[" * 3000 + "\n", "more than 30 levels of nesting"),
        (LAUGHS, "aliases that stand for more than 100,000 values"),
        ("a: &a [*a]\n", "aliases that stand for more than"),
        ("a: !!python/object/apply:os.system [ls]\n", "line 1, column 4: not valid YAML: could not determine"),
        ("a: *b\n", "undefined alias"),
        ("a: \x01\n", "not valid YAML: special characters are not allowed"),
        ("- a\n", "expected `key: value` lines, found list"),
        ("? {a: 1}\n: 2\n", "not valid YAML"),
    ],
)
def test_a_mistake_is_one_sentence_with_its_place(tmp_path, text, sentence):
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ZfnetError, match=rf"config\.yaml.*{sentence}"):
        read_yaml(path)


def test_a_file_that_is_no_settings_file_is_not_read_whole(tmp_path):
    path = tmp_path / "config.yaml"
    with path.open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(ZfnetError, match="larger than 1000 kB"):
        read_yaml(path)
    with pytest.raises(ZfnetError, match="cannot be read"):
        read_yaml(tmp_path)


def test_aliases_and_merge_keys_are_read(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\nc: *a\nd: {<<: *a}\n")
    assert read_yaml(path) == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 3, "y": 2},
        "c": {"x": 1, "y": 2},
        "d": {"x": 1, "y": 2},
    }
    path.write_text("")
    assert read_yaml(path) == {}
