"""Reading what a person types: real pseudo-terminals, given back as they were."""

import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidcclient._shell import pause
from oidcclient._shell.terminal import open_keyboard
from oidcclient._shell.terminal.keyboard import LONGEST_LINE, Keyboard, Typed
from oidcclient._shell.terminal.windows import WindowsKeyboard
from oidcclient_devkit import Provider
from tests.client.screen import Screen

LINE = "http://127.0.0.1:1/callback?code=s3cr3t&state=s"


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    with Screen(monkeypatch) as screen:
        yield screen


@pytest.fixture
def keyboard(screen: Screen) -> Iterator[Keyboard]:
    screen.sit_down()
    keyboard = open_keyboard()
    assert keyboard is not None
    yield keyboard
    keyboard.close()


def wait_for_line(keyboard: Keyboard) -> str:
    deadline = time.monotonic() + 10
    while (line := keyboard.poll()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return line


def test_a_pasted_line_is_read_and_never_echoed(screen: Screen, keyboard: Keyboard) -> None:
    assert keyboard.poll() is None
    screen.type(f"{LINE}\r")
    assert wait_for_line(keyboard) == LINE
    assert screen.read() == ""


@pytest.mark.parametrize("length", [1023, 4095, 20_000])
def test_a_long_address_is_read_whole(screen: Screen, keyboard: Keyboard, length: int) -> None:
    """Terminals cut lines at 1,024 or 4,095 characters; codes of some providers are longer."""
    keyboard.poll()
    line = LINE + "a" * length
    for start in range(0, len(line), 1000):
        screen.type(line[start : start + 1000])
        assert keyboard.poll() is None
    screen.type("\n")
    assert wait_for_line(keyboard) == line


def test_nothing_is_changed_before_somebody_reads_and_all_is_given_back(screen: Screen, keyboard: Keyboard) -> None:
    before = termios.tcgetattr(screen.slave)
    assert before[3] & termios.ICANON
    keyboard.poll()
    assert not screen.edits_lines
    assert termios.tcgetattr(screen.slave)[3] & termios.ISIG  # Ctrl-C still works
    keyboard.close()
    assert termios.tcgetattr(screen.slave) == before
    keyboard.close()
    assert keyboard.poll() is None
    assert screen.edits_lines


def test_what_is_left_of_a_paste_reaches_no_shell(screen: Screen, keyboard: Keyboard) -> None:
    keyboard.poll()
    screen.type("half an addr")
    while not keyboard._typed.unfinished:  # type: ignore[attr-defined] # what has arrived cannot be seen otherwise
        keyboard.poll()
    screen.type("ess\n")
    time.sleep(0.05)
    keyboard.close()
    os.set_blocking(screen.slave, False)
    with pytest.raises(BlockingIOError):
        os.read(screen.slave, 100)


def test_a_full_screen_program_keeps_its_keys(screen: Screen, keyboard: Keyboard) -> None:
    """Its terminal edits no lines when we come; then it is not ours to read."""
    settings = termios.tcgetattr(screen.slave)
    settings[3] &= ~(termios.ICANON | termios.ECHO)
    termios.tcsetattr(screen.slave, termios.TCSANOW, settings)
    screen.type("j\n")
    time.sleep(0.05)
    assert keyboard.poll() is None
    assert os.read(screen.slave, 100) == b"j\n"


def test_after_a_pause_of_the_job_the_terminal_is_taken_over_again(screen: Screen, keyboard: Keyboard) -> None:
    """A shell switches line editing on at Ctrl-Z, and does not always switch it off again."""
    before = termios.tcgetattr(screen.slave)
    keyboard.poll()
    termios.tcsetattr(screen.slave, termios.TCSANOW, before)
    keyboard.poll()
    assert not screen.edits_lines


def test_of_two_sign_ins_one_reads(screen: Screen, keyboard: Keyboard) -> None:
    keyboard.poll()
    second = open_keyboard()
    assert second is not None
    assert second.poll() is None
    screen.type("line\n")
    assert wait_for_line(keyboard) == "line"
    assert second.poll() is None
    second.close()
    assert not screen.edits_lines
    keyboard.close()


def test_a_terminal_that_goes_is_the_end_of_the_input(screen: Screen, keyboard: Keyboard) -> None:
    keyboard.poll()
    os.close(screen.master)
    with pytest.raises(EOFError):
        keyboard.poll()


def test_ctrl_d_is_the_end_of_the_input(screen: Screen, keyboard: Keyboard) -> None:
    keyboard.poll()
    screen.type("\x04")
    with pytest.raises(EOFError):
        wait_for_line(keyboard)


def test_a_terminal_that_another_job_has_by_now_is_left_to_it(
    screen: Screen, keyboard: Keyboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its shell has put it in order; whoever changes it from the background is stopped (SIGTTOU)."""
    keyboard.poll()
    with monkeypatch.context() as patch:
        patch.setattr(os, "tcgetpgrp", lambda _number: -1)
        keyboard.close()
    assert not screen.edits_lines
    other = open_keyboard()
    assert other is not None
    settings = termios.tcgetattr(screen.slave)
    settings[3] |= termios.ICANON | termios.ECHO
    termios.tcsetattr(screen.slave, termios.TCSANOW, settings)
    other.poll()
    assert not screen.edits_lines  # the next sign-in may read
    other.close()


def test_on_windows_the_console_is_read(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    screen.sit_down()
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "msvcrt", StandInConsole("ab\r"))
    keyboard = open_keyboard()
    assert isinstance(keyboard, WindowsKeyboard)
    assert keyboard.poll() == "ab"


@pytest.mark.parametrize("what", ["file", "none", "closed"])
def test_what_is_no_terminal_is_not_read(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open() as file:
        stdin = None if what == "none" else file
        if what == "closed":
            file.close()
        monkeypatch.setattr(sys, "stdin", stdin)
        assert open_keyboard() is None


# -- what a line means


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("abc\n", "abc"),
        ("abc\r", "abc"),
        ("abx\x7fc\n", "abc"),
        ("abxy\x7f\x7fc\n", "abc"),
        ("ab\x08\x08\x08abc\n", "abc"),
        ("wrong\x15abc\n", "abc"),
        ("\x1b[200~abc\x1b[201~\n", "abc"),  # a terminal that marks what is pasted
        ("a\x1b[D\x1b[Cbc\n", "abc"),
        ("\x1bOAabc\n", "Aabc"),
        ("a\x00b\x07c\n", "abc"),
        ("\n", ""),
    ],
)
def test_a_line_is_what_the_person_meant(typed: str, line: str) -> None:
    keys = Typed()
    for key in typed:
        assert keys.line() is None
        keys.add(key)
    assert keys.unfinished
    assert keys.line() == line
    assert not keys.unfinished


def test_several_lines_come_one_after_the_other() -> None:
    keys = Typed()
    keys.add("one\ntwo\nthr")
    assert [keys.line(), keys.line(), keys.line()] == ["one", "two", None]


def test_a_line_without_end_takes_no_room_and_ends_all_the_same() -> None:
    keys = Typed()
    for _ in range(100):
        keys.add("a" * 1000)
    keys.add("\nb\n")
    assert len(keys.line() or "") == LONGEST_LINE + 1
    assert keys.line() == "b"


@given(st.lists(st.text(max_size=20), max_size=10))
def test_whatever_is_typed_no_control_character_comes_out(parts: list[str]) -> None:
    keys = Typed()
    for part in parts:
        keys.add(part)
    try:
        while (line := keys.line()) is not None:
            assert line.isprintable() or line == ""
    except EOFError:
        assert "\x04" in "".join(parts)


class StandInConsole:
    """The two functions of msvcrt, with keys that were pressed."""

    def __init__(self, keys: str) -> None:
        self.keys = list(keys)

    def kbhit(self) -> bool:
        return bool(self.keys)

    def getwch(self) -> str:
        return self.keys.pop(0)


def test_a_console_of_windows_is_read_key_by_key() -> None:
    keyboard = WindowsKeyboard(StandInConsole("ab\xe0Hc\r\x00;d"))
    assert [keyboard.poll(), keyboard.poll()] == ["abc", None]
    keyboard.close()


def test_ctrl_c_in_a_console_of_windows_interrupts() -> None:
    with pytest.raises(KeyboardInterrupt):
        WindowsKeyboard(StandInConsole("a\x03")).poll()


# -- a whole program at its terminal

PROGRAM = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
import oidcclient
client = oidcclient.Client(sys.argv[1], sys.argv[2], policy=oidcclient.Policy(allow_http_loopback=True),
                           store=oidcclient.MemoryStore())
os.environ["OIDCCLIENT_FLOW"] = sys.argv[3]
client.login(via=oidcclient.Auto(), timeout=60)
"""


def at_terminal(screen: Screen, provider: Provider, flow: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", PROGRAM, provider.issuer, provider.client_id, flow]
    environ = {**os.environ, "BROWSER": "true"}
    return subprocess.Popen(command, stdin=screen.slave, stdout=screen.slave, stderr=screen.slave, env=environ)


@pytest.mark.parametrize("flow", ["paste", "browser", "device"])
def test_ctrl_c_ends_the_sign_in_and_gives_the_terminal_back(
    screen: Screen, oidc_provider: Provider, flow: str
) -> None:
    process = at_terminal(screen, oidc_provider, flow)
    try:
        screen.read_until({"paste": "Then paste", "browser": "paste its address", "device": "There is time"}[flow])
        if flow != "device":
            screen.wait_until_read()
            screen.type("some")
        began = time.monotonic()
        screen.type("\x03")
        process.wait(10)
    finally:
        process.kill()
        process.wait()
    assert time.monotonic() - began < 5
    assert process.returncode in {-signal.SIGINT, 1, 130}
    assert "KeyboardInterrupt" in screen.read()
    assert screen.edits_lines


BACKGROUND = """
import fcntl, os, subprocess, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
job = "from oidcclient._shell.terminal import open_keyboard; k = open_keyboard(); print('looked', k.poll()); k.close()"
print("ended", subprocess.run([sys.executable, "-c", job], process_group=0, timeout=20).returncode)
"""


def test_a_job_in_the_background_neither_reads_nor_stops(screen: Screen) -> None:
    """Whoever reads from there is stopped by SIGTTIN, and whoever changes settings by SIGTTOU."""
    command = [sys.executable, "-c", BACKGROUND]
    process = subprocess.Popen(command, stdin=screen.slave, stdout=screen.slave, stderr=screen.slave)
    try:
        process.wait(30)
    finally:
        process.kill()
        process.wait()
    assert "looked None" in screen.read()
    assert "ended 0" in screen.read()
    assert screen.edits_lines


def test_a_pause_that_is_over_is_no_error() -> None:
    pause.CancellablePause().wait(0)
