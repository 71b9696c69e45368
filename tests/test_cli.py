"""The command line: mistakes are sentences, and every heavy command takes a GPU of its own."""

import errno
import sys

import pytest

from zfnet import cli
from zfnet.commands.common import on_gpu
from zfnet.training import lease


def run(monkeypatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["zfnet", *arguments])
    cli.main()


def test_a_wrong_number_of_archives_is_a_sentence(monkeypatch, capsys, tmp_path):
    (tmp_path / "settings.json").write_text("{}")
    given = ["--settings", str(tmp_path / "settings.json"), "--out", str(tmp_path / "manifest.json")]
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "shards", "imagenet-train", "a.tar", *given)
    assert ended.value.code == 1
    assert (
        "imagenet-train: 1 archives were given, expected 2 (the pictures, then the devkit)" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    "error, sentence",
    [
        (OSError(errno.ENOSPC, "No space left on device"), "zfnet: No space left on device; mend"),
        (PermissionError(errno.EACCES, "Permission denied", "a/b"), "zfnet: a/b: Permission denied; mend"),
    ],
)
def test_what_the_system_refuses_is_a_sentence(monkeypatch, capsys, error, sentence):
    def refuse():
        raise error

    monkeypatch.setattr(cli, "app", refuse)
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch)
    assert ended.value.code == 1
    assert sentence in capsys.readouterr().err


def test_an_unexpected_system_error_keeps_its_traceback(monkeypatch):
    def fail():
        raise OSError("something else")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(OSError, match="something else"):
        run(monkeypatch)


def test_a_heavy_command_holds_a_gpu(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(lease, "devices", lambda: ["GPU-a"])
    monkeypatch.setattr(lease.tempfile, "gettempdir", lambda: str(tmp_path))
    seen = []
    on_gpu(lambda value: seen.append((value, lease.os.environ["CUDA_VISIBLE_DEVICES"])))(3)
    assert seen == [(3, "GPU-a")]
    assert "CUDA_VISIBLE_DEVICES" not in lease.os.environ
