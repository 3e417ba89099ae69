"""What is started on macOS, Windows and WSL: the commands, and on WSL with stand-ins for Windows' programs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import oidcclient
from oidcclient._shell.browser import _process, environment
from oidcclient._shell.browser.environment import Surroundings, Verdict, detect, read_surroundings
from oidcclient._shell.browser.launch import Outcome, open_in_browser
from oidcclient._shell.browser.launchers import SHELL_EXECUTE, Launcher, launchers
from tests.browser.desk import Desk

ADDRESS = "https://login.example.com/authorize?a=1&b=$(calc)"
SOURCE = str(Path(oidcclient.__file__).parents[1])
WSL = "5.15.167.4-microsoft-standard-WSL2"


def plan(platform: str, **environ: str) -> list[Launcher]:
    surroundings = Surroundings(platform=platform, environ=environ, stderr_is_tty=True)
    return list(launchers(ADDRESS, surroundings))


def test_macos_uses_open() -> None:
    assert plan("darwin") == [Launcher("/usr/bin/open", (ADDRESS,))]
    assert plan("darwin", BROWSER="open -a Safari")[0] == Launcher("open", ("-a", "Safari", ADDRESS))


def test_windows_uses_shellexecute() -> None:
    assert plan("win32") == [Launcher(SHELL_EXECUTE, (ADDRESS,))]


def test_browser_on_windows_is_a_path_with_backslashes() -> None:
    found = plan("win32", BROWSER=r'"C:\Program Files\Mozilla Firefox\firefox.exe" -url %s;C:\x\y.CMD')
    assert found[0] == Launcher(r"C:\Program Files\Mozilla Firefox\firefox.exe", ("-url", ADDRESS))
    assert found[1].refusal


def test_shellexecute_is_given_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(os, "startfile", opened.append, raising=False)
    surroundings = Surroundings(platform="win32", environ={}, stderr_is_tty=True)
    report = open_in_browser(ADDRESS, surroundings=surroundings)
    assert (opened, report.started) == ([ADDRESS], True)


def test_shellexecute_may_fail_hang_or_be_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> None:
        raise OSError(1155, "no application is associated")

    assert _process.shell_execute(fail, ADDRESS) == 1155
    monkeypatch.setattr(_process, "PATIENCE_S", 0.05)
    assert _process.shell_execute(lambda _: time.sleep(0.5), ADDRESS) is None
    surroundings = Surroundings(platform="win32", environ={}, stderr_is_tty=True)
    assert not open_in_browser(ADDRESS, surroundings=surroundings).started


def test_wsl_asks_rundll32_first(desk: Desk) -> None:
    desk.install("rundll32.exe")
    desk.install("wslview")
    assert open_in_browser(ADDRESS, surroundings=desk.surroundings(kernel=WSL)).started
    note = desk.note("rundll32.exe")
    assert note is not None
    assert note.argv[1:] == ["url.dll,FileProtocolHandler", "https://login.example.com/authorize?a=1&b=%24(calc)"]
    assert not desk.was_called("wslview")


@pytest.mark.parametrize("browser", ["", "wslview"])
def test_nothing_for_powershell_to_expand_reaches_wslview(desk: Desk, browser: str) -> None:
    desk.install("wslview")
    assert open_in_browser(ADDRESS, surroundings=desk.surroundings(kernel=WSL, BROWSER=browser)).started
    note = desk.note("wslview")
    assert note is not None
    assert note.argv[1:] == ["https://login.example.com/authorize?a=1&b=%24(calc)"]


def test_the_exit_status_of_explorer_says_nothing(desk: Desk) -> None:
    desk.install("explorer.exe", status=1)
    report = open_in_browser(ADDRESS, surroundings=desk.surroundings(kernel=WSL, BROWSER="explorer.exe"))
    assert [attempt.outcome for attempt in report.attempts] == [Outcome.ENDED]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("printf '0\\r\\n'", True),
        ("printf '2\\r\\n'", False),
        ("echo no", None),
        ("exit 1", None),
    ],
)
def test_windows_is_asked_for_its_session(desk: Desk, script: str, expected: bool | None) -> None:
    powershell = desk.bin / "powershell.exe"
    powershell.write_text(f"#!/bin/sh\n{script}\n")
    powershell.chmod(0o755)
    assert _process.in_windows_session_0({"PATH": str(desk.bin)}) is expected


def test_without_powershell_the_session_is_unknown(desk: Desk) -> None:
    assert _process.in_windows_session_0({"PATH": str(desk.bin)}) is None


@pytest.mark.parametrize(("session", "kind"), [("0", Verdict.NO_BROWSER), ("1", Verdict.BROWSER)])
def test_on_wsl_reading_the_surroundings_asks_windows(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, session: str, kind: Verdict
) -> None:
    powershell = desk.bin / "powershell.exe"
    powershell.write_text(f"#!/bin/sh\necho {session}\n")
    powershell.chmod(0o755)
    system = os.uname()
    for name in ("SSH_CONNECTION", "SSH_TTY", "OIDCCLIENT_FLOW", "OIDCCLIENT_NO_BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(desk.bin))
    monkeypatch.setattr(os, "uname", lambda: os.uname_result((system[0], system[1], WSL, system[3], system[4])))
    monkeypatch.setattr(environment, "CONTAINER_MARKERS", ())  # these tests may run in a container
    assert detect(read_surroundings()).kind is kind


def test_importing_and_detecting_starts_nothing_heavy() -> None:
    code = (
        "import sys; from oidcclient._shell.browser.environment import detect, read_surroundings;"
        "from oidcclient._shell.browser import launch; detect(read_surroundings());"
        "print(sorted({'subprocess', 'shutil', 'webbrowser', 'asyncio', 'urllib.request'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", f"import sys; sys.path.insert(0, {SOURCE!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
