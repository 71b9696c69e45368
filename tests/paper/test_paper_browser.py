"""The report in a real browser: no console message, no request, text for every image, narrow screens, print.

The page itself runs no script. A copy of it carries probe.js, which measures in frames of a phone's width and tells
what it found. Where Chromium is not installed, these tests are skipped.
"""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PROBE = Path(__file__).with_name("probe.js")
ROOT = Path(__file__).parents[2]
PAGES = {"demo": ROOT / "results/demo/report.html", "mini run": ROOT / "docs/mini-run/report.html"}
LISTEN = "<script>onmessage = (e) => { document.querySelector('pre').textContent = e.data; }</script><pre></pre>"

pytestmark = pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed: the report was not looked at")


def browse(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Chromium once, with a profile of its own."""
    quiet = (
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--enable-logging=stderr",
    )
    command = [BROWSER, "--headless", *quiet, f"--user-data-dir={folder / 'profile'}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done


def look(page: str, folder: Path, width: int, dark: bool = False) -> dict:
    """What probe.js finds on a page in a frame of this width."""
    script = f"<script>{PROBE.read_text()}</script></body>"
    probed = page.replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'")
    (folder / "page.html").write_text(probed.replace("</body>", script))
    frame = folder / "frame.html"
    frame.write_text(f"{LISTEN}<iframe src='page.html' style='width: {width}px; height: 800px; border: 0'></iframe>")
    scheme = ("--blink-settings=preferredColorScheme=0",) if dark else ()
    done = browse(folder, *scheme, "--virtual-time-budget=5000", "--dump-dom", frame.as_uri())
    return json.loads(html.unescape(re.search(r"<pre>(.*?)</pre>", done.stdout, re.DOTALL)[1]))


@pytest.fixture(scope="module", params=["synthetic", *PAGES])
def page(request, reported):
    """The report of the synthetic results, of the demo where it was run, and of the published run on photographs."""
    found = PAGES.get(request.param, reported / "report.html")
    if not found.exists():
        pytest.skip(f"{found} is not there: run make demo")
    return found


@pytest.fixture(scope="module")
def phone(page, tmp_path_factory):
    return look(page.read_text(), tmp_path_factory.mktemp("phone"), 380)


def test_the_page_says_nothing_on_the_console(page, tmp_path):
    done = browse(tmp_path, "--dump-dom", page.as_uri())
    assert "What reproduced" in done.stdout
    assert "CONSOLE" not in done.stderr


def test_nothing_is_wider_than_a_phone(phone):
    assert phone["content"] <= phone["width"] <= 380  # a scroll bar may take some of it


def test_no_request_leaves_the_file(phone):
    assert phone["requests"] == []


def test_every_image_is_shown_and_has_a_text_alternative(phone):
    assert phone["broken"] == []
    assert phone["silent"] == 0


def test_text_is_large_and_dark_enough(phone):
    assert phone["small"] == []
    assert phone["pale"] == []


def test_text_is_light_enough_on_dark_screens(page, tmp_path):
    assert look(page.read_text(), tmp_path, 1200, dark=True)["pale"] == []


def test_it_prints_on_a4(page, tmp_path):
    out = tmp_path / "report.pdf"
    browse(tmp_path, "--no-pdf-header-footer", f"--print-to-pdf={out}", page.as_uri())
    content = out.read_bytes()
    assert content.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) > 3
    sheets = re.findall(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", content)
    assert {(round(float(width)), round(float(height))) for width, height in sheets} == {(595, 842)}


def test_a_bad_page_is_found_out(tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<!doctype html><body><img src='http://127.0.0.1:9/outside.png'>"
        "<p style='width: 900px; font-size: 8px; color: #bbb'>small</p>"
        "<script>console.error('bad')</script></body>"
    )
    found = look(bad.read_text(), tmp_path, 380)
    assert found["content"] > 380
    assert found["requests"] == ["http://127.0.0.1:9/outside.png"]
    assert (len(found["broken"]), found["silent"]) == (1, 1)
    assert found["small"] == ["p: small"]
    assert found["pale"][0].startswith("p: small 1.")
    assert "CONSOLE" in browse(tmp_path, "--dump-dom", bad.as_uri()).stderr
