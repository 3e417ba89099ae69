"""A real Chromium as the system browser: how it is started, driven and ended."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
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
START_S = 60.0  # a first start writes a whole profile, on a busy machine


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


class RealBrowser:
    """
    Chromium, as the BROWSER variable starts it; a driver attaches to what was started.

    Args:
        profile: An empty folder for the browser's profile; it names its processes too.
        flags: More flags, for example a window size.
    """

    def __init__(self, profile: Path, *flags: str) -> None:
        self.profile = profile
        self.command = shlex.join([CHROMIUM or "", *FLAGS, *flags, f"--user-data-dir={profile}"]) + " %s"
        self._driver: Chrome | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._driver is not None:
            self._driver.service.stop()
        end_processes_using(self.profile)

    def driver(self) -> Chrome:
        """Attach to the browser that was started; it writes its debugging port into its profile."""
        if self._driver is None:
            written = self.profile / "DevToolsActivePort"
            deadline = time.monotonic() + START_S
            while not (written.exists() and written.read_text().strip()):
                if time.monotonic() > deadline:
                    raise TimeoutError("Chromium did not start")
                time.sleep(0.05)
            options = Options()
            options.debugger_address = f"127.0.0.1:{written.read_text().splitlines()[0]}"
            self._driver = Chrome(options, Service(shutil.which("chromedriver")))
        return self._driver
