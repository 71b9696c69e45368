"""The documentation is right: its commands, options, settings and links exist, and its Python runs as it stands.

A block below `<!-- needs archives -->` uses files that a reader has and a test does not: its commands are checked
all the same, but its Python is not run.
"""

import argparse
import functools
import pkgutil
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
import yaml

from benchmarks.harness import select_groups
from zfnet import cli, config
from zfnet.paper.claims.decide import statements
from zfnet.paper.items import items
from zfnet.paper.report.documents import decisions
from zfnet.settings import Settings

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if "mini-run" not in page.parts]
README_LINES = 120
EXAMPLE = "docs/tutorials/own-net.md"  # its commands run on what its Python made
SETUP = ("docker ", "apptainer ", "git ", "pre-commit ", "pip ", ". .venv/bin/activate", ".venv/bin/")
FILE = re.compile(r"\.(csv|json|jsonl|md|npz|pdf|png|pth|py|safetensors|smk|svg|tex|toml|txt|yaml)$")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    language: str
    text: str
    needs_archives: bool


def blocks(*languages: str) -> list[Block]:
    """Return the blocks in these languages on all pages."""
    fence = re.compile(r"^(<!-- needs archives -->\n)?^ *```(\w+)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
    return [
        Block(str(page.relative_to(ROOT)), language, text, bool(mark))
        for page in PAGES
        for mark, language, text in fence.findall(page.read_text(encoding="utf-8"))
        if language in languages
    ]


def commands(*programs: str) -> list[tuple[str, str]]:
    """Return (page, command) for all lines of shell that start with one of these programs; none: all lines."""
    return [
        (block.page, line.strip())
        for block in blocks("sh", "bash")
        for line in block.text.replace("\\\n", " ").splitlines()
        if line.strip() and not line.lstrip().startswith("#") and (not programs or line.split()[0] in programs)
    ]


def inline(page: Path) -> list[str]:
    """Return the code spans of a page."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL))


# ---- commands --------------------------------------------------------------------------------------------------------
@functools.cache
def sub_commands() -> dict[str, typer.core.TyperCommand]:
    """Return the sub-commands of zfnet by name."""
    return typer.main.get_command(cli.app).commands


def check_zfnet(arguments: list[str]) -> None:
    """Check that the sub-command has these options, and that no required one is missing."""
    if arguments == ["--help"]:
        return
    name, *rest = arguments
    command = sub_commands()[name]
    context = command.make_context(name, [], resilient_parsing=True)
    values, extra, _ = command.make_parser(context).parse_args(rest)
    assert not extra, f"unexpected {extra}"
    missing = [p.name for p in command.get_params(context) if p.required and values.get(p.name) in (None, ())]
    assert not missing, f"missing {missing}"


def check_make(arguments: list[str]) -> None:
    """Check that the Makefile has these targets."""
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(arguments) <= set(targets)


def parse_snakemake(arguments: list[str]) -> argparse.Namespace:
    """Return snakemake's arguments; an unknown option ends the program."""
    from snakemake.cli import get_argument_parser

    return get_argument_parser().parse_args(arguments)


def check_snakemake(arguments: list[str]) -> None:
    """Check options, configuration files and profiles."""
    parsed = parse_snakemake(arguments)
    for path in parsed.configfile or []:
        assert (ROOT / path).exists()
    assert not parsed.workflow_profile or (ROOT / parsed.workflow_profile).is_dir()


def check_python(arguments: list[str]) -> None:
    """Check the groups of the benchmarks, the one module that is run."""
    assert arguments[:2] == ["-m", "benchmarks"]
    assert select_groups(arguments[2:])


CHECKS = {"zfnet": check_zfnet, "make": check_make, "snakemake": check_snakemake, "python": check_python}


@pytest.mark.parametrize("page, command", commands(*CHECKS))
def test_a_command_and_its_options_exist(page, command):
    program, *arguments = shlex.split(command, comments=True)
    try:
        CHECKS[program](arguments)
    except SystemExit:
        pytest.fail(f"{page}: {command}")


def test_every_other_command_sets_up_something():
    others = [command for _, command in commands() if command.split()[0] not in CHECKS]
    assert [command for command in others if not command.startswith(SETUP)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_the_text_exist(page):
    named = {match[1] for span in inline(page) if (match := re.match(r"zfnet ([a-z][a-z-]*)", span))}
    assert named <= sub_commands().keys()
    for span in inline(page):
        if match := re.fullmatch(r"make ([a-z-]+)", span):
            check_make([match[1]])


@pytest.mark.slow
def test_targets_of_snakemake_exist():
    listed = subprocess.run(
        [sys.executable, "-m", "snakemake", "--list-rules"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    known = set(re.findall(r"^\s*(\w+)$", listed.stdout, re.MULTILINE))
    for page, command in commands("snakemake"):
        targets = set(parse_snakemake(shlex.split(command, comments=True)[1:]).targets)
        assert targets <= known, f"{page}: {command}"


# ---- settings --------------------------------------------------------------------------------------------------------
def settings_in(page: Path) -> list[str]:
    """Return the dotted settings that a page names; `a.b`, `.c` are a.b and a.c."""
    found, parent = [], ""
    for span in inline(page):
        name = f"{parent}{span}" if parent and re.fullmatch(r"\.\w+", span) and not FILE.search(span) else span
        dotted = re.fullmatch(r"[a-z]\w*(\.[\w*]+)+", name) and not FILE.search(name)
        if dotted and name.split(".")[0] in Settings.model_fields:
            found.append(name)
            parent = name.rpartition(".")[0]
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_settings_in_the_text_exist(page):
    known = re.findall(r"^\| `([\w.]+)`", config.explain(), re.MULTILINE)
    for name in settings_in(page):
        pattern = re.compile(re.escape(name).replace(r"\*", r"\w*"))
        assert any(pattern.fullmatch(path) for path in known), name


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: block.page)
def test_examples_of_a_configuration_are_valid(block):
    config.load(yaml.safe_load(block.text))


# ---- what is registered ----------------------------------------------------------------------------------------------
def cells(page: str) -> list[list[str]]:
    """Return the rows of all tables of a page, cell by cell."""
    rows = re.findall(r"^\| (.*) \|$", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.MULTILINE)
    return [[cell.strip() for cell in row.split(" | ")] for row in rows]


def decisions_in(text: str) -> set[str]:
    """Return the decisions that a cell names: D4 and D14, D15, D16 of 'D4, D14–D16'."""
    spans = re.findall(r"D(\d+)(?:–D(\d+))?", text)
    return {f"D{number}" for first, last in spans for number in range(int(first), int(last or first) + 1)}


def test_every_item_is_documented_with_its_decisions():
    rows = [row for row in cells("items.md") if re.match(r"Table \d|Figure \d|`", row[0])]
    registered = {item.number or f"`{item.name}`": set(item.decisions) for item in items().values()}
    assert len(rows) == len(registered)
    assert {row[0]: decisions_in(row[3]) for row in rows} == registered


def test_every_claim_and_decision_is_documented_and_no_other():
    assert [row[0] for row in cells("claims.md") if re.match(r"C\d", row[0])] == list(statements())
    assert [row[0] for row in cells("decisions.md") if re.match(r"D\d", row[0])] == [d.name for d in decisions()]


def test_the_files_to_change_exist():
    """docs/adding.md: what is written in capitals (NAME, tableN) stands for a new file."""
    page = ROOT / "docs/adding.md"
    named = [span for span in inline(page) if re.match(r"(src|tests|docs|workflow)/", span)]
    assert len(named) > 20
    for path in named:
        if not re.search(r"NAME|tableN", path):
            assert list(ROOT.glob(path)), path


# ---- Python ----------------------------------------------------------------------------------------------------------
def python_of(page: str) -> str:
    return "\n".join(block.text for block in blocks("python") if block.page == page and not block.needs_archives)


def test_python_is_run_or_needs_archives():
    assert {block.page for block in blocks("python") if not block.needs_archives} == {"README.md", EXAMPLE}


def test_the_readme_projects_a_unit():
    names: dict[str, object] = {"__name__": "example"}
    exec(python_of("README.md"), names)
    assert tuple(names["activation"].shape) == (2,)
    assert tuple(names["pixels"].shape) == (2, 3, 224, 224)
    assert names["pixels"].abs().sum() > 0


def test_the_reference_names_what_can_be_imported():
    listed = re.findall(
        r"^::: (\S+)(?:\n +options:\n +heading: (\S+))?", (ROOT / "docs/api.md").read_text(), re.MULTILINE
    )
    for home, public in listed:
        assert pkgutil.resolve_name(public or home) is pkgutil.resolve_name(home)


@pytest.mark.slow
def test_the_tutorial_on_your_own_network_runs(tmp_path, monkeypatch, capsys):
    """Its Python, then its commands on what the Python made."""
    monkeypatch.chdir(tmp_path)
    exec(python_of(EXAMPLE), {"__name__": "example"})
    printed = capsys.readouterr().out
    assert printed.startswith("['conv1', 'pool1', 'conv2', 'pool2', 'conv3', 'average3', 'fc4']\n['conv1', 'bn1'")
    assert "relu1 is no rectifier (GELU)" in printed
    assert (tmp_path / "projection.png").exists()
    shell = [block for block in blocks("sh") if block.page == EXAMPLE and not block.needs_archives]
    lines = [line for block in shell for line in block.text.splitlines()]
    assert len(lines) == 5
    for line in lines:
        monkeypatch.setattr(sys, "argv", shlex.split(line))
        try:
            cli.main()
        except SystemExit as ended:
            assert not ended.code, capsys.readouterr().err
        name = line.split()[1]
        assert (tmp_path / "out" / name / f"{name}.csv").exists() and list((tmp_path / "out" / name).glob("*.png"))


# ---- pages -----------------------------------------------------------------------------------------------------------
def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES


@pytest.mark.parametrize("page", PAGES[:2], ids=lambda page: page.name)
def test_links_lead_to_files(page):
    """mkdocs checks those of docs/."""
    for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        assert link.startswith("https://") or (ROOT / link).exists(), link


@pytest.mark.slow
def test_the_site_is_built_strictly_and_asks_no_other_host(tmp_path):
    site = tmp_path / "site"
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)], cwd=ROOT, check=True
    )
    fetched = re.compile(
        r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"?(?:https?:)?//[^>]*>|<link\b[^>]*\bhref=\"?(?:https?:)?//[^>]*>"
    )
    pages = [page for page in site.rglob("*.html") if page.name != "report.html"]
    assert len(pages) > 15
    assert {str(page.relative_to(site)): fetched.findall(page.read_text(encoding="utf-8")) for page in pages} == {
        str(page.relative_to(site)): [] for page in pages
    }
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert not re.search(r"url\(\s*[\"']?(?:https?:)?//|@import", styles)
