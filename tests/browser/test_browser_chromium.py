"""A real browser, started as the system browser, really fetches the page."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from oidcclient._shell.browser.environment import read_surroundings
from oidcclient._shell.browser.launch import Outcome, open_in_browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FETCH_S = 60.0  # a first start writes a whole profile, on a busy machine

FLAGS = (
    "--headless",
    "--no-sandbox",  # root in a container has no other way
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",  # without it the new headless mode ends as soon as the page is there
)


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


def end_processes_using(folder: Path) -> None:
    """End the process groups of exactly those programs whose command line names this folder of one test."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        groups = set()
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, ProcessLookupError):
                if os.fsencode(folder) in (process / "cmdline").read_bytes():
                    groups.add(os.getpgid(int(process.name)))
        if not groups - {os.getpgrp()}:
            return
        for group in groups - {os.getpgrp()}:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        time.sleep(0.05)


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
        assert site.visited.wait(FETCH_S)
        assert site.visits[0][0] == "/start/k3Jt?a=1&b=$(id)"
        assert site.visits[0][1]["Sec-Fetch-Mode"] == "navigate"
    finally:
        end_processes_using(profile)
        for thread in threading.enumerate():
            if thread.name == "oidcclient-browser":
                thread.join(10)
    assert capfd.readouterr().out == ""
