"""A QR code on a terminal: the right modules, in black on white, or a line that says why there is none."""

import fcntl
import io
import struct
import sys
import termios
from collections.abc import Iterator

import pytest
import segno

from oidcclient._shell.qr import draw
from tests.client.screen import Screen

ADDRESS = "https://login.example.com/device?user_code=WDJB-MJHT"
MODULES = {" ": (0, 0), "▀": (1, 0), "▄": (0, 1), "█": (1, 1)}


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    with Screen(monkeypatch) as screen:
        resize(screen, 80)
        yield screen


def resize(screen: Screen, columns: int) -> None:
    fcntl.ioctl(screen.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))


def expected() -> list[list[int]]:
    return [list(row) for row in segno.make_qr(ADDRESS, error="l").matrix_iter(border=2)]


def modules(lines: list[str]) -> list[list[int]]:
    """Read the half blocks back: two rows from each line."""
    rows = []
    for line in lines:
        rows.append([MODULES[char][0] for char in line])
        rows.append([MODULES[char][1] for char in line])
    return rows


def test_on_a_terminal_it_is_black_on_white_whatever_the_theme(screen: Screen) -> None:
    """Colours 16 and 231 of the 256 are those; every line puts them back."""
    screen.sit_down()
    draw(ADDRESS)
    lines = screen.read().splitlines()
    assert all(line.startswith("\x1b[38;5;16;48;5;231m") and line.endswith("\x1b[0m") for line in lines)
    drawn = modules([line[len("\x1b[38;5;16;48;5;231m") : -len("\x1b[0m")] for line in lines])
    wanted = expected()
    assert drawn[: len(wanted)] == wanted
    assert not any(map(any, drawn[len(wanted) :]))
    assert len(drawn[0]) < 40


@pytest.mark.parametrize("variable", ["NO_COLOR", "TERM"])
def test_without_colours_what_is_light_is_drawn(screen: Screen, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, {"NO_COLOR": "1", "TERM": "dumb"}[variable])
    screen.sit_down()
    draw(ADDRESS)
    drawn = modules(screen.read().splitlines())
    wanted = [[1 - module for module in row] for row in expected()]
    assert drawn[: len(wanted)] == wanted


def test_a_window_that_is_too_narrow_is_said(screen: Screen) -> None:
    screen.sit_down()
    resize(screen, 30)
    draw(ADDRESS)
    assert screen.read().strip() == "The window is too narrow for the QR code, which needs 33 columns."


def test_a_terminal_without_the_characters_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stderr", stream)
    draw(ADDRESS)
    stream.seek(0)
    assert stream.read() == "This terminal cannot show a QR code: its characters are missing.\n"


def test_a_program_without_stderr_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    draw(ADDRESS)
