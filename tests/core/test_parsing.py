"""Whatever a parser raises becomes a sentence; JSON is bounded before it is parsed."""

import os
import struct

import pytest

from zfnet.core.errors import ZfnetError
from zfnet.core.files import read_json
from zfnet.core.parsing import JSON_DEPTH, parse_json, reading

ERRORS = [LookupError("unknown encoding: foo"), OverflowError("big"), RecursionError(), KeyError(6), MemoryError()]
ERRORS += [struct.error("4 bytes"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), AttributeError("no x")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_any_error_of_a_parser_names_file_reason_and_next_step(error):
    with (
        pytest.raises(ZfnetError, match=r"^a\.tar: x\.xml: not an annotation \(.+\); copy it again\.$"),
        reading("a.tar: x.xml", "an annotation", "copy it again"),
    ):
        raise error


def test_a_reason_is_one_printable_line():
    with pytest.raises(ZfnetError) as caught, reading("a", "b", "c"):
        raise ValueError("\x1b[31mred\nsecond line")
    assert str(caught.value).isprintable()
    assert "second" not in str(caught.value)


@pytest.mark.parametrize("text", ["[" * 100, "[" * 100 + "]" * 100, '{"a":' * 100 + "1" + "}" * 100])
def test_deep_json_is_refused(text):
    with pytest.raises(ValueError, match=f"more than {JSON_DEPTH} deep"):
        parse_json(text)


@pytest.mark.parametrize(
    "value", ["[" * JSON_DEPTH + "]" * JSON_DEPTH, '["' + "[" * 1000 + '\\"{"]', "[" + ",".join(["{}"] * 1000) + "]"]
)
def test_flat_json_is_read_however_many_brackets_it_has(value):
    parse_json(value)


@pytest.mark.parametrize("content", [b"[" * 10**6, b"\xff", b"", b"1" * 10_000, b'{"a": 1'])
def test_a_bad_json_file_is_a_sentence(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ZfnetError, match=r"a\.json: not valid JSON \(.+\); delete it and run the workflow again\."):
        read_json(tmp_path / "a.json")


def test_a_pipe_in_place_of_a_json_file_is_a_sentence(tmp_path):
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(ZfnetError, match="pipe or device"):
        read_json(tmp_path / "a.json")
