"""Take the pictures of the command that the documentation shows: what a real terminal (tmux) shows of real sign-ins.

python tools/terminal_pictures.py [--columns 80] [FOLDER]

It needs tmux, Chromium with its driver, and the DejaVu fonts; on Debian: apt-get install tmux chromium chromium-driver
fonts-dejavu-core. Nothing in the pictures is drawn by hand: the cells are those that tmux holds.
"""

from __future__ import annotations

import argparse
import html
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urljoin

from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text
from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from oidcclient_devkit import BrowserStopped, Provider  # noqa: E402 - the tests are found through the line above
from tests.browser.chromium import FLAGS, RealBrowser  # noqa: E402 - the tests are found through the line above
from tests.e2e.test_e2e_chromium import decide, sign_in_as_ann, wait_for_title  # noqa: E402 - the tests are found through the line above

PATIENCE_S = 60.0
CELL_W, CELL_H, MARGIN = 9, 19, 14  # pixels
INK, PAPER = "#d8dee9", "#1b1f27"
COLOURS = {1: "#f07178", 2: "#a3d977", 3: "#ffcb6b"}  # by their numbers: red, green, yellow
PROMPT = "$ "
BLOCKS = {"█": (0.0, 1.0), "▀": (0.0, 0.5), "▄": (0.5, 1.0)}  # how much of a cell, from top to bottom


class Terminal:
    """
    A terminal of its own, in tmux.

    Args:
        columns: Its width.
        lines: Its height.
        folder: Where its socket lies, and the home of whoever sits there.
        env: Variables for the programs in it.
    """

    def __init__(self, columns: int, lines: int, folder: Path, env: dict[str, str]) -> None:
        self._tmux = ["tmux", "-S", str(folder / "tmux"), "-f", os.devnull]
        self._env = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color", **env}
        shell = f"env PS1={shlex.quote(PROMPT)} bash --norc --noprofile"
        self._run("new-session", "-d", "-x", str(columns), "-y", str(lines), shell)
        self._run("set-option", "-g", "status", "off")
        self.columns = columns
        self.wait_for(re.escape(PROMPT.strip()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run("kill-server")

    def _run(self, *words: str) -> str:
        done = subprocess.run([*self._tmux, *words], env=self._env, capture_output=True, text=True, check=True)
        return done.stdout

    def type(self, text: str) -> None:
        """Type a command, and press Enter."""
        self._run("send-keys", "-l", text)
        self._run("send-keys", "Enter")

    def paste(self, text: str) -> None:
        """Paste a text, and press Enter."""
        self._run("set-buffer", text)
        self._run("paste-buffer")
        self._run("send-keys", "Enter")

    def text(self) -> str:
        """Return what is shown, in one piece where lines were wrapped."""
        return self._run("capture-pane", "-p", "-J")

    def cells(self) -> list[Text]:
        """Return what is shown, with its colours, without the empty lines at the end."""
        shown = self._run("capture-pane", "-p", "-e", "-N").rstrip("\n")
        return list(Text.from_ansi(shown).split("\n"))  # a colour may go on in the next line

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until something is shown."""
        deadline = time.monotonic() + PATIENCE_S
        while (found := re.search(pattern, self.text(), re.MULTILINE)) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"never shown: {pattern}; but:\n{self.text()}")
            time.sleep(0.05)
        return found

    def wait_for_prompt(self) -> None:
        """Wait until the command has ended."""
        self.wait_for(rf"^{re.escape(PROMPT.strip())}\s*\Z")


class Camera:
    """Draw cells and take pictures of them, with the browser that also signs in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        options = Options()
        for flag in FLAGS:
            options.add_argument(flag)
        self._driver = Chrome(options, Service(shutil.which("chromedriver")))

    def close(self) -> None:
        """Put it away."""
        self._driver.quit()

    def take(self, name: str, terminal: Terminal) -> None:
        """Take a picture of what a terminal shows."""
        lines = terminal.cells()
        while lines and lines[-1].plain.strip() in {"", PROMPT.strip()}:
            lines.pop()
        width, height = terminal.columns * CELL_W + 2 * MARGIN, len(lines) * CELL_H + 2 * MARGIN
        page = self._folder / "page.html"
        page.write_text(_page(lines, width, height), "utf-8")
        self._driver.set_window_size(width + 50, height + 200)
        self._driver.get(page.as_uri())
        picture: bytes = self._driver.find_element("tag name", "svg").screenshot_as_png
        (self._folder / f"{name}.png").write_bytes(picture)
        page.unlink()


def _page(lines: list[Text], width: int, height: int) -> str:
    drawn = "".join(_line(line, MARGIN + row * CELL_H) for row, line in enumerate(lines))
    return (
        '<!doctype html><meta charset="utf-8"><body style="margin:0">'
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" shape-rendering="crispEdges">'
        f'<rect width="{width}" height="{height}" fill="{PAPER}"/>'
        f'<g font-family="DejaVu Sans Mono" font-size="15" xml:space="preserve">{drawn}</g></svg>'
    )


def _line(line: Text, top: int) -> str:
    drawn, column = [], 0
    for segment in line.render(Console(), end=""):
        style = segment.style or Style()
        ink, paper = _colours(style)
        for char in segment.text:
            left = MARGIN + column * CELL_W
            drawn.append("" if paper == PAPER else _box(left, top, 0, CELL_H, paper))
            drawn.append(_cell(char, left, top, ink, bold=bool(style.bold)))
            column += 1
    return "".join(drawn)


def _colours(style: Style) -> tuple[str, str]:
    ink, paper = _colour(style.color, INK), _colour(style.bgcolor, PAPER)
    return (paper, ink) if style.reverse else (ink, paper)


def _colour(colour: Color | None, usual: str) -> str:
    if colour is None or colour.number is None:
        return usual
    return COLOURS.get(colour.number) or colour.get_truecolor().hex


def _box(left: int, top: int, begin: int, end: int, colour: str) -> str:
    return f'<rect x="{left}" y="{top + begin}" width="{CELL_W}" height="{end - begin}" fill="{colour}"/>'


def _cell(char: str, left: int, top: int, ink: str, *, bold: bool) -> str:
    if char == " ":
        return ""
    if char in BLOCKS:  # drawn to the edge, so that a QR code has no gaps; terminals draw them so too
        begin, end = (round(part * CELL_H) for part in BLOCKS[char])
        return _box(left, top, begin, end, ink)
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{left}" y="{top + 14}" fill="{ink}"{weight}>{html.escape(char)}</text>'


class Studio:
    """A provider, a person's home with a profile for it, and a camera."""

    def __init__(self, folder: Path, columns: int, camera: Camera, suffix: str) -> None:
        self.folder = folder
        self.columns = columns
        self._camera = camera
        self._suffix = suffix
        self.provider = Provider()

    @contextmanager
    def terminal(self, lines: int = 24, **env: str) -> Iterator[Terminal]:
        """Sit down at a terminal."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        usual = {
            "PATH": path,
            "OIDCCLIENT_CONFIG": str(self.folder / "config.toml"),
            "OIDCCLIENT_HOME": str(self.folder / "home"),
        }
        with Terminal(self.columns, lines, self.folder, {**usual, **env}) as terminal:
            yield terminal

    def write_profile(self, **more: str) -> None:
        """Write the profile `work`."""
        values = {"issuer": self.provider.issuer, "client_id": self.provider.client_id, "store": "file", **more}
        lines = [
            "[profiles.work]",
            *(f'{key} = "{value}"' for key, value in values.items()),
            "allow_http_loopback = true",
        ]
        (self.folder / "config.toml").write_text("\n".join(lines) + "\n", "utf-8")

    def take(self, name: str, terminal: Terminal) -> None:
        """Take a picture."""
        self._camera.take(f"command-{name}{self._suffix}", terminal)


def by_browser(studio: Studio, name: str, *, allow: bool) -> None:
    """Sign in with a real browser, or refuse to."""
    with (
        tempfile.TemporaryDirectory() as profile,
        RealBrowser(Path(profile) / "profile") as browser,
        studio.terminal(BROWSER=browser.command, OIDCCLIENT_FLOW="browser") as terminal,
    ):
        terminal.type("oidcclient login work")
        terminal.wait_for("If nothing opens")
        driver = browser.driver()
        sign_in_as_ann(driver, studio.provider)
        decide(driver, "allow" if allow else "deny")
        wait_for_title(driver, "signed in" if allow else "not signed in")
        terminal.wait_for_prompt()
        if allow:
            terminal.type("oidcclient status")
            terminal.wait_for("Access token: .*\n(.*\n)*.*Access token: ")
            terminal.wait_for_prompt()
        studio.take(name, terminal)


def by_browser_allowed(studio: Studio) -> None:
    """Take the pictures of a sign-in."""
    by_browser(studio, "login", allow=True)


def by_browser_refused(studio: Studio) -> None:
    """Take the picture of a sign-in that the person refused."""
    by_browser(studio, "refused", allow=False)


def by_device(studio: Studio) -> None:
    """Sign in with a code, and a QR code."""
    with studio.terminal(lines=50) as terminal:
        terminal.type("oidcclient login work --device --qr")
        code = terminal.wait_for(r"\b([A-Z]{4}-[A-Z]{4})\b")[1]
        studio.provider.approve_device(code)
        terminal.wait_for("Signed in as")
        terminal.wait_for_prompt()
        studio.take("device", terminal)


def by_paste(studio: Studio) -> None:
    """Sign in by pasting the address that the browser ended at."""
    with studio.terminal() as terminal:
        terminal.type("oidcclient login work --paste")
        address = terminal.wait_for(rf"({re.escape(studio.provider.issuer)}/\S+)")[1]
        terminal.wait_for("press Enter")
        terminal.wait_for("Waiting: ")
        terminal.paste(_end_of(studio.provider, address))
        terminal.wait_for("Signed in as")
        terminal.wait_for_prompt()
        studio.take("paste", terminal)


def _end_of(provider: Provider, address: str) -> str:
    browser = provider.browser("ann")
    with suppress(BrowserStopped, OSError):  # it ends on a page that does not load
        browser.visit(address)
    last = browser.page
    return urljoin(last.url, last.header("location") or "")


def expired(studio: Studio) -> None:
    """Use a session that has ended at the provider."""
    studio.provider.set_token_lifetime(1)
    by_device_quietly(studio)
    studio.provider.revoke_grants()
    time.sleep(1.5)  # until the access token has ended too: it is used as long as it is good
    with studio.terminal() as terminal:
        terminal.type("oidcclient token work; echo exit code $?")
        terminal.wait_for(r"exit code \d")
        terminal.wait_for_prompt()
        studio.take("expired", terminal)


def by_device_quietly(studio: Studio) -> None:
    """Sign somebody in before the picture."""
    with studio.terminal() as terminal:
        terminal.type("oidcclient login work --device")
        studio.provider.approve_device(terminal.wait_for(r"\b([A-Z]{4}-[A-Z]{4})\b")[1])
        terminal.wait_for("Signed in as")
        terminal.wait_for_prompt()


def no_keyring(studio: Studio) -> None:
    """Sign in where no keyring is."""
    studio.write_profile(store="keyring")
    with studio.terminal(DBUS_SESSION_BUS_ADDRESS="unix:path=/nowhere") as terminal:
        terminal.type("oidcclient login work")
        terminal.wait_for("Error: ")
        terminal.wait_for_prompt()
        studio.take("no-keyring", terminal)


def doctor(studio: Studio) -> None:
    """Look for what could go wrong."""
    with studio.terminal(lines=50) as terminal:
        terminal.type(f"cd {shlex.quote(str(studio.folder))}; clear")
        terminal.type("oidcclient doctor work --key-store file:$PWD/keys")
        terminal.wait_for("Remove it")
        terminal.wait_for_prompt()
        studio.take("key-store", terminal)


def explain(studio: Studio) -> None:
    """Show some steps of a walk through a sign-in."""
    studio.provider.sign_in_as("ann")
    visit = shlex.join([sys.executable, "-c", "import sys, urllib.request as r; r.urlopen(sys.argv[1]).read()"])
    with studio.terminal(lines=60, BROWSER=f"{visit} %s", OIDCCLIENT_FLOW="browser") as terminal:
        terminal.type(
            f"clear; COLUMNS={studio.columns} oidcclient explain work 2>/dev/null | sed -n '/^5/,/^6/p' | sed '$d'"
        )
        terminal.wait_for("RFC 9126")
        terminal.wait_for_prompt()
        studio.take("explain", terminal)


SCENES: dict[str, Callable[[Studio], None]] = {
    "login": by_browser_allowed,
    "refused": by_browser_refused,
    "device": by_device,
    "paste": by_paste,
    "expired": expired,
    "no-keyring": no_keyring,
    "key-store": doctor,
    "explain": explain,
}


def main() -> None:
    """Take all pictures, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--columns", type=int, default=80)
    parser.add_argument("--only", action="append", choices=tuple(SCENES))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    camera = Camera(options.folder)
    suffix = "" if options.columns == 80 else f"-{options.columns}"  # noqa: PLR2004 - the usual width
    try:
        for name in options.only or SCENES:
            print(name, flush=True)
            with tempfile.TemporaryDirectory() as folder:
                studio = Studio(Path(folder), options.columns, camera, suffix)
                with studio.provider:
                    studio.write_profile()
                    SCENES[name](studio)
    finally:
        camera.close()


if __name__ == "__main__":
    main()
