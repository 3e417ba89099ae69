"""A real browser, started as the system browser, really fetches the page."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from oidcclient._shell.browser.environment import read_surroundings
from oidcclient._shell.browser.launch import Outcome, open_in_browser
from tests.browser.chromium import CHROMIUM, FLAGS, START_S, end_processes_using


class Page(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        pass

    def do_GET(self) -> None:
        body = b"<!doctype html><title>here</title>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if isinstance(self.server, Site) and not self.path.startswith("/favicon"):
            self.server.visits.append((self.path, dict(self.headers.items())))
            self.server.visited.set()


class Site(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.visits: list[tuple[str, dict[str, str]]] = []
        self.visited = threading.Event()


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium")
def test_chromium_as_the_system_browser_fetches_the_page(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    profile = tmp_path / "profile"
    command = shlex.join([CHROMIUM or "", *FLAGS, f"--user-data-dir={profile}"]) + " %s"
    monkeypatch.setenv("BROWSER", command)
    address = f"http://127.0.0.1:{site.server_port}/start/k3Jt?a=1&b=$(id)"
    try:
        report = open_in_browser(address, surroundings=read_surroundings())
        assert [attempt.outcome for attempt in report.attempts] == [Outcome.RUNNING]
        assert site.visited.wait(START_S)
        assert site.visits[0][0] == "/start/k3Jt?a=1&b=$(id)"
        assert site.visits[0][1]["Sec-Fetch-Mode"] == "navigate"
    finally:
        end_processes_using(profile)
        for thread in threading.enumerate():
            if thread.name == "oidcclient-browser":
                thread.join(10)
    assert capfd.readouterr().out == ""
