"""The command line: mistakes are sentences, and every heavy command takes a GPU of its own."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from zfnet import cli
from zfnet.commands.common import budget_minutes, by_folder, on_gpu
from zfnet.core import gpu_lock
from zfnet.core.errors import GraphFailed
from zfnet.synthetic import world


def run(monkeypatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["zfnet", *arguments])
    cli.main()


def test_a_wrong_number_of_archives_is_a_sentence(monkeypatch, capsys, tmp_path):
    (tmp_path / "settings.json").write_text("{}")
    given = ["--settings", str(tmp_path / "settings.json"), "--out", str(tmp_path / "manifest.json")]
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "shards", "imagenet-train", "a.tar", *given)
    assert ended.value.code == 1
    assert "imagenet-train: 1 archives were given, expected 2 (the images, then the devkit)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error, sentence",
    [
        (OSError(errno.ENOSPC, "No space left on device"), "zfnet: No space left on device; fix"),
        (PermissionError(errno.EACCES, "Permission denied", "a/b"), "zfnet: a/b: Permission denied; fix"),
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


def refused(monkeypatch, capsys, *arguments: str) -> str:
    """What the command line says before it exits with 1."""
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, *arguments)
    assert ended.value.code == 1
    return capsys.readouterr().err


def test_archives_are_checked_from_any_folder(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("preset: mini\n")
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "verify")
    assert ended.value.code == 0
    (tmp_path / "config.yaml").write_text("preset: mini\narchives: {caltech256: none.tar}\n")
    assert "none.tar: No such file" in refused(monkeypatch, capsys, "verify")


def test_a_world_without_settings_is_a_sentence(monkeypatch, capsys, tmp_path):
    (tmp_path / "settings.json").write_text("{}")
    said = refused(monkeypatch, capsys, "world", "--settings", str(tmp_path / "settings.json"), "--out", str(tmp_path))
    assert "settings.json: no settings of a generated world" in said


def test_as_many_processes_draw_the_world_as_told(monkeypatch, tmp_path):
    (tmp_path / "settings.json").write_text('{"synthetic": {}}')
    asked = []
    monkeypatch.setattr(world, "generate", lambda world, folder, workers: asked.append(workers))
    with pytest.raises(SystemExit):
        run(monkeypatch, "world", "--settings", str(tmp_path / "settings.json"), "--out", "world", "--threads", "3")
    assert asked == [3]


@pytest.mark.parametrize(
    "arguments",
    [
        ("top-patches", "--weights", "a", "--data", "b", "--settings", "c", "--out", "d", "--threads", "0"),
        ("project", "alexnet", "pictures", "--out", "d", "--threads", "0"),
        ("maximize", "alexnet", "--out", "d", "--seed", "-1"),
    ],
    ids=["stage", "own", "seed"],
)
def test_numbers_out_of_range_are_refused(monkeypatch, capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, *arguments)
    assert ended.value.code == 2
    assert f"Invalid value for '{arguments[-2]}'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("filters", "a/zf-s1/net", "b/zf-s1/net", "--data", "m", "--settings"),
        ("duplicates", "a/zf-s1/net", "b/zf-s1/net", "--train", "m", "--settings"),
    ],
    ids=["filters", "duplicates"],
)
def test_two_inputs_of_one_name_are_refused(monkeypatch, capsys, tmp_path, arguments):
    (tmp_path / "settings.json").write_text("{}")
    said = refused(monkeypatch, capsys, *arguments, str(tmp_path / "settings.json"), "--out", str(tmp_path / "out"))
    assert "a/zf-s1/net and b/zf-s1/net: both would be named zf-s1" in said


def test_inputs_are_named_by_their_folders():
    paths = [Path("a/zf-s1/net"), Path("a/zf-s2/net")]
    assert by_folder(paths) == {"zf-s1": paths[0], "zf-s2": paths[1]}


def test_a_heavy_command_holds_a_gpu(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpu_lock, "devices", lambda: ["GPU-a"])
    monkeypatch.setattr(gpu_lock.tempfile, "gettempdir", lambda: str(tmp_path))
    seen = []
    on_gpu(lambda value: seen.append((value, gpu_lock.os.environ["CUDA_VISIBLE_DEVICES"])))(3)
    assert seen == [(3, "GPU-a")]
    assert "CUDA_VISIBLE_DEVICES" not in gpu_lock.os.environ


def test_the_version_is_printed(monkeypatch, capsys):
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "--version")
    assert not ended.value.code
    assert capsys.readouterr().out.startswith("zfnet 0.")


@pytest.mark.parametrize("arguments", [["--version"], ["train", "--nonsense"], ["nonsense"], ["occlude"]])
def test_a_usage_error_loads_no_heavy_library(arguments):
    code = (
        "import sys; from zfnet import cli\nsys.argv = ['zfnet', *sys.argv[1:]]\ntry: cli.main()\n"
        "except SystemExit: pass\nprint({'torch', 'numpy', 'pandas', 'matplotlib'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("set()\n")


def test_a_command_ends_with_what_it_wrote(monkeypatch, capsys, tmp_path):
    (tmp_path / "world.json").write_text('{"synthetic": {}}')
    monkeypatch.setattr(world, "generate", lambda *_, **__: None)
    with pytest.raises(SystemExit):
        run(monkeypatch, "world", "--settings", str(tmp_path / "world.json"), "--out", str(tmp_path / "w"))
    assert capsys.readouterr().out == f"zfnet: wrote {tmp_path / 'w'}.\n"


def test_a_time_limit_counts_only_in_a_job_of_a_scheduler(monkeypatch):
    assert budget_minutes(None, 600) is None
    assert budget_minutes(5, 600) == 5
    monkeypatch.setenv("ZFNET_CLUSTER_JOB", "1")
    assert budget_minutes(None, 600) == 597
    assert budget_minutes(5, 600) == 5
    assert budget_minutes(None, 2) == 0


def test_after_a_failed_graph_the_same_command_starts_again_with_plain_steps(monkeypatch, capsys):
    started = []

    def fail():
        raise GraphFailed("The training step cannot be recorded (out of memory)")

    monkeypatch.setattr(cli, "app", fail)
    monkeypatch.setattr(cli.os, "execve", lambda *call: started.append(call))
    run(monkeypatch, "train", "--spec", "a")
    ((program, arguments, environment),) = started
    assert (program, arguments[1:]) == (sys.executable, ["-m", "zfnet", "train", "--spec", "a"])
    assert environment["ZFNET_PLAIN_STEP"] == "1"
    assert "cannot be recorded (out of memory); starting the command again with plain steps" in capsys.readouterr().err


@pytest.mark.parametrize("out, said", [("result.json", "zfnet: wrote result.json.\n"), (None, "")])
def test_a_command_says_what_it_wrote_and_nothing_if_it_wrote_nothing(capsys, out, said):
    cli.announced(lambda out: None)(out=out)
    assert capsys.readouterr().out == said
