"""
A terminal of Linux, macOS and their like.

Its own line editing is off while we read. It cuts a line at 1,024 characters on macOS and at 4,095 on Linux, and it
echoes, which would leave an authorization code on the screen. Signals stay on, so Ctrl-C works.
"""

from __future__ import annotations

import codecs
import os
import select
import termios
import threading
from contextlib import suppress
from typing import Any

from .keyboard import Typed

__all__ = ["PosixKeyboard"]

_LOCAL_FLAGS, _CONTROL = 3, 6  # places in what tcgetattr(3) gives
_SETTINGS = termios.ICANON | termios.ECHO
_READ = 4096  # bytes

_taken = threading.Lock()  # two sign-ins at once: one of them reads


class PosixKeyboard:
    """
    Read lines; implements `Keyboard`.

    Nothing is read, and no setting changed, while another program or another part of this one has the terminal: a job
    in the background would be stopped, and a full-screen program would lose its keys.

    Args:
        number: The file descriptor of the terminal.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._typed = Typed()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._lock = threading.Lock()  # `close` may come from another thread
        self._before: list[Any] | None = None
        self._closed = False
        self._ended = False

    def poll(self) -> str | None:
        """
        Return the next whole line if there is one.

        Raises:
            EOFError: The terminal is gone, or Ctrl-D was pressed.
        """
        with self._lock:
            try:
                if not self._closed and self._in_foreground() and self._take_over():
                    self._read()
            except OSError:  # termios.error is none, and comes when the terminal goes as well
                self._ended = True
            line = self._typed.line()
            if line is None and self._ended:
                raise EOFError
            return line

    def pressed(self) -> str:
        """Return what was typed of a line that is not finished."""
        return self._typed.pressed

    def _read(self) -> None:
        while not self._ended and select.select([self._number], [], [], 0)[0]:
            came = os.read(self._number, _READ)
            self._ended = not came
            self._typed.add(self._decoder.decode(came))

    def _in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self._number) == os.getpgrp()
        except OSError:
            return True  # not the terminal that controls us: no job control reaches us through it

    def _take_over(self) -> bool:
        """Switch line editing off; a shell may have switched it on again after Ctrl-Z."""
        try:
            now = termios.tcgetattr(self._number)
            editing = bool(now[_LOCAL_FLAGS] & termios.ICANON)
            if self._before is None:
                if not editing or not _taken.acquire(blocking=False):
                    return False  # a full-screen program has it, or another sign-in
                self._before = termios.tcgetattr(self._number)
            if editing:
                now[_LOCAL_FLAGS] &= ~_SETTINGS
                now[_CONTROL][termios.VMIN], now[_CONTROL][termios.VTIME] = 1, 0
                termios.tcsetattr(self._number, termios.TCSANOW, now)
        except termios.error as error:
            raise OSError(*error.args) from None
        return True

    def close(self) -> None:
        """Give the terminal back; what is left of a paste is thrown away, so that no shell runs it."""
        with self._lock:
            before, self._before, self._closed = self._before, None, True
            if before is None:
                return
            when = termios.TCSAFLUSH if self._typed.unfinished else termios.TCSANOW
            if self._in_foreground():
                with suppress(termios.error):
                    termios.tcsetattr(self._number, when, before)
            _taken.release()
