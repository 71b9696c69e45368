"""Downloads from a local web server: checksums, what is refused, and going on after a kill or a broken connection."""

import hashlib
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from zfnet.core.errors import ZfnetError
from zfnet.data.readers import download
from zfnet.data.readers.download import fetch

NAME = "cifar-10-python.tar.gz"
CONTENT = bytes(range(256)) * 4096  # 1 MB


class Server(ThreadingHTTPServer):
    """Sends CONTENT, as much of it as `sends` says before the connection breaks; remembers where each answer began."""

    def __init__(self, ranges: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.content, self.ranges, self.sends, self.pause, self.began = CONTENT, ranges, len(CONTENT), 0.0, []


class Answer(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        if self.path != f"/{NAME}":
            return self.send_error(404)
        first = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-")) if self.server.ranges else 0
        self.server.began.append(first)
        content = self.server.content
        if first and first >= len(content):
            return self.send_error(416)
        self.send_response(206 if self.server.ranges else 200)
        self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        for start in range(first, min(len(content), self.server.sends), 1 << 16):
            self.wfile.write(content[start : min(start + (1 << 16), self.server.sends)])
            time.sleep(self.server.pause)

    def log_message(self, *_):
        """Requests are no news."""


@pytest.fixture(params=[True, False], ids=["ranges", "no-ranges"])
def server(request, monkeypatch):
    with Server(request.param) as started:
        Thread(target=started.serve_forever, args=(0.02,), daemon=True).start()
        place = download.Remote(f"http://127.0.0.1:{started.server_port}/{NAME}", hashlib.md5(CONTENT).hexdigest())
        monkeypatch.setitem(download.REMOTE, "cifar10", place)
        yield started
        started.shutdown()


def test_a_download_is_the_archive(server, tmp_path):
    assert fetch(NAME, tmp_path / "here").read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "here").iterdir()] == [NAME]


def test_an_archive_that_cannot_be_downloaded_lists_those_that_can(tmp_path):
    with pytest.raises(
        ZfnetError, match=r"ILSVRC2012_img_train\.tar: cannot be downloaded; choose one of caltech-101\.zip"
    ):
        fetch("ILSVRC2012_img_train.tar", tmp_path)


def test_a_file_with_another_checksum_is_removed_and_reported(server, tmp_path):
    server.content = b"<html>" + CONTENT[6:]
    with pytest.raises(ZfnetError, match=r"the download failed \(its MD5 is not .* point archives: cifar10 in config"):
        fetch(NAME, tmp_path)
    assert list(tmp_path.iterdir()) == []  # nothing that looks finished, nothing to go on from
    server.content = CONTENT
    assert fetch(NAME, tmp_path).read_bytes() == CONTENT


def test_a_missing_file_is_reported(server, tmp_path, monkeypatch):
    place = download.REMOTE["cifar10"]
    monkeypatch.setitem(download.REMOTE, "cifar10", place._replace(url=place.url + "x"))
    with pytest.raises(ZfnetError, match=r"gzx: the download failed \(HTTP Error 404"):
        fetch(NAME, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_kept_if_valid_and_replaced_if_not(server, tmp_path):
    (tmp_path / NAME).write_bytes(b"half a download")
    assert fetch(NAME, tmp_path).read_bytes() == CONTENT
    assert fetch(NAME, tmp_path).read_bytes() == CONTENT
    assert len(server.began) == 1


def test_a_broken_connection_is_reported_and_the_next_download_goes_on(server, tmp_path):
    server.sends = 700_000
    with pytest.raises(ZfnetError, match=r"failed \(the connection broke after 700000 of 1048576 bytes\)\. Run"):
        fetch(NAME, tmp_path)
    assert not (tmp_path / NAME).exists()
    server.sends = len(CONTENT)
    assert fetch(NAME, tmp_path).read_bytes() == CONTENT
    assert server.began == [0, 700_000 if server.ranges else 0]


def test_what_was_complete_but_for_its_name_is_not_downloaded_again(server, tmp_path):
    (tmp_path / f".{NAME}.part").write_bytes(CONTENT)
    assert fetch(NAME, tmp_path).read_bytes() == CONTENT


def test_a_killed_download_goes_on(server, tmp_path, monkeypatch):
    """kill -9 after some of the bytes have come."""
    server.pause = 0.05
    fetching = (
        "import sys; from pathlib import Path; from zfnet.data.readers import download; download.CHUNK = 1 << 16;"
        "download.REMOTE['cifar10'] = download.Remote(*sys.argv[1:3]); download.fetch(sys.argv[3], Path(sys.argv[4]))"
    )
    command = [sys.executable, "-c", fetching, *download.REMOTE["cifar10"], NAME, str(tmp_path)]
    part = tmp_path / f".{NAME}.part"
    with subprocess.Popen(command) as process:
        while not part.exists() or part.stat().st_size < 1 << 17:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    done, server.pause = part.stat().st_size, 0
    assert 0 < done < len(CONTENT)
    assert fetch(NAME, tmp_path).read_bytes() == CONTENT
    assert server.began == [0, done if server.ranges else 0]
