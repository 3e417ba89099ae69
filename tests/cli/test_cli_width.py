"""Narrow terminals: lines break between words, and addresses and tokens stay whole."""

from __future__ import annotations

import fcntl
import struct
import termios

import pytest

from tests.cli.calling import Desk
from tests.cli.terminal import Terminal


def narrow(terminal: Terminal, columns: int) -> None:
    fcntl.ioctl(terminal.master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


@pytest.mark.parametrize("columns", [40, 60])
def test_an_error_breaks_between_words(desk: Desk, columns: int) -> None:
    desk.profile(store="keyring")
    with Terminal("login", "work", env={"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere"}) as terminal:
        narrow(terminal, columns)
        assert terminal.end() == 8
    lines = terminal.shown.replace("\x1b[31m", "").replace("\x1b[0m", "").split("\r\n")
    assert max(map(len, lines)) <= columns
    assert "Error: No keyring of this system can be used" in " ".join(line.strip() for line in lines)
    assert lines[0].startswith("Error: No")
    assert lines[-2].startswith("  ")


def test_what_the_library_says_breaks_between_words_and_addresses_stay_whole(desk: Desk) -> None:
    desk.profile()
    with Terminal("login", "work", "--browser", env={"BROWSER": "true"}) as terminal:
        narrow(terminal, 40)
        shown = terminal.read_until("It is")
        terminal.type("\x03")
        terminal.end()
    lines = shown.split("\r\n")
    address = next(line for line in lines if line.startswith("http://"))
    assert "/start/" in address
    assert len(address) > 40
    assert "If the browser ends on a page that does" in lines


def test_a_token_stays_in_one_piece(work: Desk) -> None:
    with Terminal("token", "work") as terminal:
        narrow(terminal, 40)
        assert terminal.end() == 0
    assert len(terminal.shown.strip().split("\r\n")) == 1


def test_status_breaks_between_words(work: Desk) -> None:
    with Terminal("status") as terminal:
        narrow(terminal, 40)
        assert terminal.end() == 0
    lines = [line for line in terminal.shown.split("\r\n") if "127.0.0.1" not in line and "sessions" not in line]
    assert max(len(line.replace("\x1b[1m", "").replace("\x1b[0m", "")) for line in lines) <= 40
