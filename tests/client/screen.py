"""A terminal that a test sits at: types into it, and reads what it shows."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import time
from types import TracebackType
from typing import IO, Self

import pytest

PATIENCE_S = 20.0


class Screen:
    """
    A pseudo-terminal; `sit_down` makes it the terminal of this process.

    Call that in the test itself: pytest sets the standard streams anew between the set-up of fixtures and the test.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.master, self.slave = os.openpty()
        self.shown = ""
        self._files: list[IO[str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files:
            file.close()
        for number in (self.master, self.slave):
            with contextlib.suppress(OSError):
                os.close(number)

    def sit_down(self) -> None:
        """Let a person of this process type here, and read what is said."""
        for name, mode in (("stdin", "r"), ("stderr", "w")):
            self._files.append(open(self.slave, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - a number, closed on exit
            self._monkeypatch.setattr(sys, name, self._files[-1])

    def type(self, text: str) -> None:
        """Press keys, or paste."""
        os.write(self.master, text.encode())

    def read(self) -> str:
        """Return all that was shown so far."""
        while select.select([self.master], [], [], 0)[0]:
            try:
                self.shown += os.read(self.master, 65_536).decode("utf-8", "replace")
            except OSError:  # EIO: nobody holds the other end any more
                break
        return self.shown

    def read_until(self, words: str) -> str:
        """Wait until something is shown."""
        deadline = time.monotonic() + PATIENCE_S
        while words not in self.read():
            if time.monotonic() > deadline:
                raise TimeoutError(f"never shown: {words!r}; but: {self.shown!r}")
            time.sleep(0.01)
        return self.shown

    @property
    def edits_lines(self) -> bool:
        """Whether the terminal edits and echoes lines itself, as it does when nobody has changed it."""
        flags: int = termios.tcgetattr(self.slave)[3]
        assert bool(flags & termios.ICANON) == bool(flags & termios.ECHO)
        return bool(flags & termios.ICANON)

    def wait_until_read(self) -> None:
        """Wait until somebody reads keys."""
        deadline = time.monotonic() + PATIENCE_S
        while self.edits_lines:
            assert time.monotonic() < deadline
            time.sleep(0.01)
