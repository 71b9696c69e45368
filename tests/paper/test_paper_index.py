"""The list of a results folder: one line a file, and every file that the workflow writes is described."""

import re
from pathlib import Path

import pytest

from zfnet.paper.report.folder_index import entries, index, kind

ROOT = Path(__file__).parents[2]


def declared() -> set[str]:
    """Paths below the results folder that the rules name, wildcards filled in."""
    rules = "".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    names = set(re.findall(r'"<results>/([^"]+)"', rules))
    values = {"run": "zf-s1", "set": "caltech101", "row": "zf", "table": "table2", "figure": "figure2"}
    return {re.sub(r"\{(\w+)\}", lambda found: values[found[1]], name) for name in names if "{file}" not in name}


def test_every_file_that_a_rule_writes_is_described():
    paths = declared()
    assert "tables/table2.csv" in paths
    for path in paths:
        assert kind(path if "." in path else f"{path}/x")[1], path


def test_a_file_is_named_by_its_title_and_a_folder_stands_for_its_files():
    assert kind("tables/table2.tex")[1].startswith("Table 2. ImageNet 2012 classification error (%): for LaTeX")
    assert kind("figures/methods.png")[1].startswith("The same units by every method")
    assert kind("data/voc2012/shard-000001.tar") == kind("data/voc2012/manifest.json")
    assert kind("data/voc2012/manifest.json")[0] == "data/voc2012/"
    assert kind("notes.txt") == ("notes.txt", "")


def test_every_file_has_one_line_with_its_size(tmp_path):
    for name, size in {"claims.csv": 1234, "data/voc2012/a.tar": 3_000_000, "data/voc2012/b.tar": 500_000}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * size)
    (tmp_path / ".claims.1.csv").write_text("half")
    (tmp_path / "README.md").write_text("an earlier list")
    lines = [line for line in index(tmp_path).splitlines() if line.startswith("| [")]
    assert [line.split(" | ")[:2] for line in lines] == [
        ["| [claims.csv](claims.csv)", "1.2 KB"],
        ["| [data/voc2012/](data/voc2012/)", "3.5 MB"],
    ]


def test_the_report_writes_the_list_of_its_folder(reported):
    text = (reported / "README.md").read_text()
    shown = re.findall(r"\]\((.+?)\)", text)
    assert {"report.html", "claims.csv", "tables/table1.csv", "figures/figure9.pdf", "figures/curves.svg"} <= set(shown)
    assert all((reported / path).exists() for path in shown)


@pytest.mark.parametrize("folder", ["runs", "visualize", "transfer", "tables", "figures"])
def test_no_file_of_a_finished_run_is_without_a_description(reported, folder):
    assert [entry.path for entry in entries(reported) if entry.path.startswith(folder) and not entry.text] == []
