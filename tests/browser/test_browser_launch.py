"""The address reaches a real program, as one argument, and nothing else happens."""

from __future__ import annotations

import gc
import logging
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from oidcclient._shell.browser.launch import Outcome, open_in_browser
from oidcclient._words.errors import RemoteError
from tests.browser.desk import Desk, Note

ADDRESS = "https://login.example.com/authorize?client_id=cli&state=xyz"
DIRECT = "http://127.0.0.1:51234/start/k3Jt"


def outcomes(desk: Desk, **environ: str) -> dict[str, Outcome]:
    report = open_in_browser(ADDRESS, surroundings=desk.surroundings(**environ))
    return {Path(attempt.program).name: attempt.outcome for attempt in report.attempts}


def called(desk: Desk, name: str) -> Note:
    note = desk.note(name)
    assert note is not None
    return note


@pytest.mark.parametrize(
    "address",
    [
        ADDRESS,
        DIRECT,
        "https://login.example.com/$(touch$IFS$9owned)",
        "https://login.example.com/'a'&touch+owned;id",
        "https://login.example.com/*?[a-z]=~!#frag",
        "https://login.example.com/%0A--flag",
    ],
)
@pytest.mark.parametrize("browser", ["", "opener", "opener --new-window %s", "opener '--app=%s'"])
def test_the_address_arrives_as_it_is(desk: Desk, address: str, browser: str) -> None:
    desk.install("xdg-open")
    desk.install("opener")
    assert open_in_browser(address, surroundings=desk.surroundings(BROWSER=browser)).started
    expected = {
        "": [address],
        "opener": [address],
        "opener --new-window %s": ["--new-window", address],
        "opener '--app=%s'": [f"--app={address}"],
    }
    assert called(desk, "opener" if browser else "xdg-open").argv[1:] == expected[browser]


@pytest.mark.parametrize(
    "address", ["--flag", "https://a.example/\n--flag", 'https://a.example/"', "file:///etc/passwd"]
)
def test_a_hostile_address_starts_nothing(desk: Desk, address: str) -> None:
    desk.install("xdg-open")
    with pytest.raises(RemoteError):
        open_in_browser(address, surroundings=desk.surroundings())
    assert not desk.was_called("xdg-open")


def test_the_program_is_cut_off_from_our_terminal(desk: Desk, capfd: pytest.CaptureFixture[str]) -> None:
    desk.install("xdg-open")
    assert outcomes(desk) == {"xdg-open": Outcome.ENDED}
    note = called(desk, "xdg-open")
    assert note.leader
    assert note.streams == ["/dev/null"] * 3
    assert capfd.readouterr() == ("", "")


def test_a_launcher_that_hangs_is_left_alone_and_leaves_no_zombie(desk: Desk) -> None:
    desk.install("xdg-open", sleep=4)
    before = time.monotonic()
    assert outcomes(desk) == {"xdg-open": Outcome.RUNNING}
    assert time.monotonic() - before < 3.5
    reapers = [thread for thread in threading.enumerate() if thread.name == "oidcclient-browser"]
    assert reapers
    assert all(thread.daemon for thread in reapers)
    for thread in reapers:
        thread.join(10)
    gc.collect()  # a forgotten Popen would warn, and a warning fails
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_launcher_that_fails_is_followed_by_the_next(desk: Desk) -> None:
    desk.install("xdg-open", status=3)
    desk.install("gio", status=1)
    desk.install("firefox")
    found = outcomes(desk)
    assert found["xdg-open"] is found["gio"] is Outcome.FAILED
    assert found["x-www-browser"] is Outcome.ABSENT
    assert found["firefox"] is Outcome.ENDED
    assert called(desk, "gio").argv[1:] == ["open", "--", ADDRESS]


def test_a_program_that_cannot_be_run_is_followed_by_the_next(desk: Desk) -> None:
    (desk.bin / "xdg-open").write_text("#!/nonexistent/interpreter\n")
    (desk.bin / "xdg-open").chmod(0o755)
    desk.install("gio")
    assert outcomes(desk) == {"xdg-open": Outcome.FAILED, "gio": Outcome.ENDED}


def test_no_program_at_all_is_said(desk: Desk) -> None:
    report = open_in_browser(ADDRESS, surroundings=desk.surroundings())
    assert not report.started
    assert {attempt.outcome for attempt in report.attempts} == {Outcome.ABSENT}


def test_browser_names_several_tried_in_order(desk: Desk) -> None:
    desk.install("second", status=1)
    desk.install("third")
    found = outcomes(desk, BROWSER=":first:second --x %s:third &:fourth")
    assert found == {"first": Outcome.ABSENT, "second": Outcome.FAILED, "third": Outcome.ENDED}
    assert called(desk, "third").argv[1:] == [ADDRESS]


def test_browser_may_be_a_path_with_a_space(desk: Desk, tmp_path: Path) -> None:
    program = desk.install("opener")
    moved = tmp_path / "my browser"
    program.rename(moved)
    assert outcomes(desk, BROWSER=f"'{moved}' %s") == {"my browser": Outcome.ENDED}


@pytest.mark.parametrize(
    "entry",
    [
        "cmd.exe /c start",
        "powershell.exe -Command Start-Process",
        "sh -c 'opener %s'",
        "bash -c %s",
        "opener.bat",
        "opener 'unclosed",
    ],
)
def test_browser_does_not_bring_a_shell_in(desk: Desk, entry: str) -> None:
    for name in ("cmd.exe", "powershell.exe", "sh", "bash", "opener", "opener.bat", "xdg-open"):
        desk.install(name)
    found = outcomes(desk, BROWSER=entry)
    assert list(found.values()) == [Outcome.REFUSED, Outcome.ENDED]
    assert list(found)[1] == "xdg-open"


def test_a_shell_that_gets_the_address_as_an_argument_is_the_persons_choice(desk: Desk) -> None:
    desk.install("sh")
    assert outcomes(desk, BROWSER="""sh -c 'opener "$1"' sh %s""") == {"sh": Outcome.ENDED}
    assert called(desk, "sh").argv[1:] == ["-c", 'opener "$1"', "sh", ADDRESS]


@pytest.mark.parametrize("name", ["lynx", "w3m", "links", "elinks", "browsh", "www-browser"])
def test_text_browsers_are_left_out(desk: Desk, name: str) -> None:
    desk.install(name)
    desk.install("gio")
    found = outcomes(desk, BROWSER=name)
    assert (found[name], found["gio"]) == (Outcome.TEXT_BROWSER, Outcome.ENDED)
    assert not desk.was_called(name)


def test_a_text_browser_behind_links_is_found(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "alternatives").mkdir()
    (tmp_path / "alternatives" / "x-www-browser").symlink_to(desk.install("lynx"))
    (desk.bin / "x-www-browser").symlink_to(tmp_path / "alternatives" / "x-www-browser")
    desk.install("chromium")
    found = outcomes(desk, BROWSER="x-www-browser")
    assert (found["x-www-browser"], found["chromium"]) == (Outcome.TEXT_BROWSER, Outcome.ENDED)
    assert not desk.was_called("lynx")


def test_www_browser_may_lead_to_a_graphical_one(desk: Desk) -> None:
    (desk.bin / "www-browser").symlink_to(desk.install("firefox"))
    assert outcomes(desk, BROWSER="www-browser") == {"www-browser": Outcome.ENDED}


def test_xdg_open_is_kept_from_text_browsers(desk: Desk) -> None:
    desk.install("xdg-open")
    outcomes(desk, BROWSER="lynx")
    names = called(desk, "xdg-open").environ["BROWSER"].split(":")
    assert "firefox" in names
    assert not {"lynx", "www-browser", "links2"} & set(names)


@pytest.mark.parametrize(
    ("frozen", "original", "expected"), [(True, "/mine", "/mine"), (True, None, None), (False, None, "/bundle")]
)
def test_the_library_path_of_a_frozen_program_is_put_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, frozen: bool, original: str | None, expected: str | None
) -> None:
    desk.install("xdg-open")
    environ = {"LD_LIBRARY_PATH": "/bundle"} | ({} if original is None else {"LD_LIBRARY_PATH_ORIG": original})
    open_in_browser(ADDRESS, surroundings=replace(desk.surroundings(**environ), frozen=frozen))
    assert called(desk, "xdg-open").environ.get("LD_LIBRARY_PATH") == expected


def test_our_own_settings_stay_with_us(desk: Desk) -> None:
    desk.install("xdg-open")
    outcomes(desk, OIDCCLIENT_CLIENT_SECRET="hunter2", LANG="C")
    environ = called(desk, "xdg-open").environ
    assert "hunter2" not in environ.values()
    assert environ["LANG"] == "C"


def test_the_address_is_not_logged(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    desk.install("xdg-open")
    report = open_in_browser(ADDRESS, surroundings=desk.surroundings(BROWSER="nothing"))
    assert "program=nothing outcome=ABSENT" in caplog.text
    assert "login.example.com" not in caplog.text + repr(report)
