"""Which way Windows is asked to open a page."""

from __future__ import annotations

import os

import pytest

from oidcclient._shell.browser.environment import Surroundings, Verdict, detect, read_surroundings
from oidcclient._shell.browser.launch import Outcome, open_in_browser
from oidcclient._shell.browser.launchers import SHELL_EXECUTE

ADDRESS = "https://login.example.com/authorize?client_id=a&state=%41&x='(calc)'$~"


def surroundings() -> Surroundings:
    return Surroundings(platform=read_surroundings().platform, environ={}, stderr_is_tty=False)


def test_windows_is_known_to_show_windows() -> None:
    assert read_surroundings().platform == "win32"
    assert not read_surroundings().is_wsl
    assert detect(surroundings()).kind is Verdict.BROWSER


def test_startfile_gets_the_address_as_it_is_and_nothing_else_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(os, "startfile", asked.append)
    monkeypatch.delattr("subprocess.Popen.__init__")
    report = open_in_browser(ADDRESS, surroundings=surroundings())
    assert report.started
    assert [attempt.program for attempt in report.attempts] == [SHELL_EXECUTE]
    assert asked == [ADDRESS]


def test_a_windows_without_a_browser_is_reported() -> None:
    # The real ShellExecute: the Windows of these tests has its browser taken away.
    report = open_in_browser(ADDRESS, surroundings=surroundings())
    assert not report.started
    assert [attempt.outcome for attempt in report.attempts] == [Outcome.FAILED]
