"""The report: one page without outside addresses that shows what the files say and says what is missing."""

import re
import shutil
from html.parser import HTMLParser

import pytest

from zfnet.paper import claims, figures, report, tables
from zfnet.paper.report_parts import table_view
from zfnet.paper.results import Results
from zfnet.settings import Paper, Settings


class Page(HTMLParser):
    """Tags, ids and links of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.append((tag, values))
        self.ids += [values["id"]] if "id" in values else []
        if tag not in ("meta", "img", "br", "line", "polyline"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.open:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def tree(results, tmp_path_factory):
    """The results with tables, two figures and claims made."""
    root = tmp_path_factory.mktemp("report") / "demo"
    shutil.copytree(results, root)
    for number in tables.NUMBERS:
        tables.table_stage(number, root, root / "tables" / f"table{number}.csv")
    for name in ("figure3", "figure9"):
        figures.figure_stage(name, root, root / "figures" / f"{name}.png")
    claims.claims_stage(root, Paper(resamples=200), root / "claims.csv")
    report.report_stage(root, Settings(), root / "report.html")
    return root


@pytest.fixture(scope="module")
def text(tree):
    return (tree / "report.html").read_text()


def test_nothing_is_fetched_from_outside(text):
    addresses = [values[key] for _, values in Page(text).tags for key in ("src", "href") if key in values]
    assert addresses
    assert not [address for address in addresses if re.match(r"(https?:)?//", address)]
    assert "@import" not in text
    assert not re.search(r"url\((?!data:)", text)


def test_tags_are_balanced_and_every_link_inside_has_its_place(text):
    page = Page(text)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    inner = {values["href"][1:] for tag, values in page.tags if tag == "a" and values["href"].startswith("#")}
    assert inner <= set(page.ids)


def test_pictures_are_embedded_with_alternative_text(text):
    pictures = [values for tag, values in Page(text).tags if tag == "img"]
    assert len(pictures) == 2
    assert all(values["src"].startswith("data:image/webp;base64,") and len(values["alt"]) > 20 for values in pictures)


def test_what_is_missing_is_said_with_the_command_that_makes_it(text):
    assert "Figure 4 is not there yet; make it with <code>snakemake --cores all figure4</code>" in text


def test_all_claims_tables_and_runs_are_on_the_page(tree, text):
    ids = set(Page(text).ids)
    assert {f"C{number}" for number in range(1, 56)} <= ids
    assert {f"table{number}" for number in tables.NUMBERS} <= ids
    assert all(run in text for run in Results(tree).runs)


def test_an_empty_folder_still_gives_a_page(empty):
    page = report.page(Results(empty), Settings())
    assert page.count("is not there yet") == len(tables.NUMBERS) + len(figures.NAMES)
    assert "The claims were not decided" in page


def test_text_from_files_is_escaped(tree, tmp_path):
    shutil.copytree(tree, tmp_path / "demo")
    written = (tmp_path / "demo/claims.csv").read_text()
    (tmp_path / "demo/claims.csv").write_text(written.replace("ZF net beats", "<script>alert(1)</script>"))
    page = report.page(Results(tmp_path / "demo"), Settings())
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_deviations_are_coloured_by_what_is_better(results):
    spec = tables.module(2)
    frame = spec.table(Results(results))
    frame.loc["zf", ["ours_val_top1", "ours_val_top5"]] = [30.0, 20.0]
    row = next(row for row in table_view(frame, spec)["rows"] if row["label"] == "1 convnet as per Fig. 3")
    assert [(pair.side, pair.difference) for pair in row["pairs"][:2]] == [("better", "-8.4"), ("worse", "+3.5")]


def test_every_cited_decision_is_explained_and_every_item_has_a_caption():
    captions = report.captions()
    items = [f"table{n}" for n in tables.NUMBERS] + [*figures.NAMES]
    cited = {d for name in items for d in captions[name]["decisions"]}
    assert cited <= set(captions["decisions"])
    assert all(captions[name]["alt"] for name in figures.NAMES)
