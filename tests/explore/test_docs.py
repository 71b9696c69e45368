"""The worked example of docs/visualize.md runs as it stands, its commands included."""

import re
import shlex
import sys

import pytest

from zfnet import cli


def blocks(text: str, language: str) -> list[str]:
    """The code of a Markdown page."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.slow
def test_the_worked_example_runs(root, tmp_path, monkeypatch, capsys):
    text = (root / "docs/visualize.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec("\n".join(blocks(text, "python")), {"__name__": "example"})
    printed = capsys.readouterr().out
    assert printed.startswith("['conv1', 'pool1', 'conv2', 'pool2', 'conv3', 'average3', 'fc4']\n1 is a GELU, which")
    assert (tmp_path / "projection.png").exists()
    commands = blocks(text, "sh")[0].splitlines()
    for line in commands:
        monkeypatch.setattr(sys, "argv", shlex.split(line))
        try:
            cli.main()
        except SystemExit as ended:
            assert not ended.code, capsys.readouterr().err
        name = line.split()[1]
        assert (tmp_path / "out" / name / f"{name}.csv").exists() and list((tmp_path / "out" / name).glob("*.png"))
    assert len(commands) == 5
