"""The report: one page without outside addresses that shows what the files say and says what is missing."""

import re
import shutil
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from zfnet.paper.claims.decide import statements
from zfnet.paper.items import items
from zfnet.paper.report import page
from zfnet.paper.results import Results
from zfnet.settings import Settings

VOID = {"meta", "img", "br", "wbr", "line", "polyline", "rect", "path"}


class Page(HTMLParser):
    """Tags, ids, links and headings of a page; every tag must be closed in its turn."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.open = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.append((tag, values))
        self.ids += [values["id"]] if "id" in values else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def all(self, tag):
        return [values for name, values in self.tags if name == tag]


@pytest.fixture(scope="module")
def text(reported):
    return (reported / "report.html").read_text()


@pytest.fixture(scope="module")
def parsed(text):
    return Page(text)


def test_nothing_is_fetched_from_outside(text, parsed):
    addresses = [values[key] for _, values in parsed.tags for key in ("src", "href") if key in values]
    assert addresses
    assert all(address.startswith(("#", "data:")) for address in addresses)
    assert "@import" not in text
    assert not re.search(r"url\((?!data:|#)", text)
    assert "default-src 'none'" in next(
        values["content"] for values in parsed.all("meta") if values.get("http-equiv") == "Content-Security-Policy"
    )
    assert not parsed.all("script")


def test_tags_are_balanced_ids_unique_and_links_lead_somewhere(parsed):
    assert parsed.open == []
    assert len(parsed.ids) == len(set(parsed.ids))
    links = {values["href"].removeprefix("#") for values in parsed.all("a") if values["href"].startswith("#")}
    assert links <= set(parsed.ids)
    named = {values["aria-labelledby"] for _, values in parsed.tags if "aria-labelledby" in values}
    assert named <= set(parsed.ids)


def test_headings_go_down_one_level_at_a_time(parsed):
    levels = [int(tag[1]) for tag, _ in parsed.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_images_are_embedded_and_have_a_text_alternative(parsed):
    images = parsed.all("img")
    assert len(images) == 2
    assert all(values["src"].startswith("data:image/webp;base64,") and len(values["alt"]) > 20 for values in images)
    drawings = [values for values in parsed.all("svg") if values.get("aria-hidden") != "true"]
    assert drawings
    assert all(values["role"] == "img" and len(values["aria-label"]) > 40 for values in drawings)


def test_every_heading_of_a_table_says_what_it_heads(parsed):
    assert parsed.all("th")
    assert all(values.get("scope") in ("col", "colgroup", "row") for values in parsed.all("th"))


def test_what_is_missing_is_said_with_the_command_that_makes_it(text):
    assert "Figure 4 does not exist yet; make it with <code>snakemake --cores all figure4</code>" in text


def test_all_claims_items_and_runs_are_on_the_page(reported, text, parsed):
    ids = set(parsed.ids)
    assert statements().keys() <= ids
    assert items().keys() <= ids
    assert {f"run-{run}" for run in Results(reported).runs} <= ids


def test_every_number_of_ours_leads_to_where_it_comes_from(parsed, text):
    cells = re.findall(r'<td class="ours [^>]*>(.*?)</td>', text)  # of tables; differences have no second class
    assert all(cell == "" or cell.startswith('<a href="#table') for cell in cells)
    assert {"table2-zf5", "table3-krizhevsky-no7", "table4-from", "figure3-from"} <= set(parsed.ids)
    row = text[text.index('id="table2-zf5"') :].split("</li>")[0]
    assert re.findall(r'href="#run-([\w-]+)"', row) == ["zf-s1", "zf-s2", "zf-s3"]


def test_a_training_shows_commit_hashes_and_command(text):
    made = text[text.index('id="run-zf-s1"') :].split("</details>")[0]
    assert all(part in made for part in ("commit <code>0123456789</code>", "1" * 64, "zfnet test", "metrics.json"))


def test_what_was_not_measured_is_not_made_up(text):
    row = text[text.index("<h3>Cost</h3>") :].split('href="#run-zf-s1"')[1].split("</tr>")[0]
    assert row.count("not measured") == 1  # CPU hours; no training ran on a GPU


def test_an_empty_folder_still_gives_a_page(empty):
    text = page.page(Results(empty), Settings())
    assert text.count("does not exist yet") == len(items())
    assert "The claims were not decided yet" in text
    assert Page(text).open == []


def test_text_from_files_is_escaped(reported, tmp_path):
    shutil.copytree(reported, tmp_path / "demo")
    written = (tmp_path / "demo/claims.csv").read_text()
    (tmp_path / "demo/claims.csv").write_text(written.replace("ZF net beats", "<script>alert(1)</script>"))
    text = page.page(Results(tmp_path / "demo"), Settings())
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_every_cited_decision_is_explained_and_every_figure_has_a_text_alternative(parsed):
    assert {decision for item in items().values() for decision in item.decisions} <= set(parsed.ids)
    assert all(item.alt for item in items("figures").values())


def test_every_item_and_every_claim_has_a_chapter():
    assert {item.chapter for item in items().values()} <= page.chapters().keys()
    assert page.chapter_of("ZF-T2, K-T2") == "imagenet"
    assert page.chapter_of("TK-5, ZF-F6") == "architecture"
    assert page.chapter_of("K 3.3") == "beyond"
