"""The command at a terminal of its own: what a person sees there, and types."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

__all__ = ["Terminal"]

PATIENCE_S = 60.0  # a loaded machine may need long to start Python


class Terminal:
    """
    A program with a terminal for its input, its output and its errors.

    Args:
        words: The command's arguments.
        env: Variables of the environment on top of ours.
        stdout: Whether its output goes to the terminal too, and not to a pipe.
    """

    def __init__(self, *words: str, env: Mapping[str, str] | None = None, stdout: bool = True) -> None:
        self.master, slave = pty.openpty()
        self.shown = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "oidcclient", *words],
            stdin=slave,
            stdout=slave if stdout else subprocess.PIPE,
            stderr=slave,
            env={**os.environ, "TERM": "xterm", **(env or {})},
            start_new_session=True,
            preexec_fn=lambda: _control(slave),  # noqa: PLW1509 - there are no other threads that could hold a lock
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE_S)
        if self.process.stdout is not None:
            self.process.stdout.close()
        os.close(self.master)

    def type(self, text: str) -> None:
        """Press keys, or paste."""
        os.write(self.master, text.encode())

    def _read(self, seconds: float) -> bool:
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            self.shown += os.read(self.master, 65_536).decode("utf-8", "replace")
        except OSError:  # EIO: nobody holds the other end any more
            return False
        return True

    def read_until(self, words: str) -> str:
        """Wait until something is shown, and return all that was."""
        deadline = time.monotonic() + PATIENCE_S
        while words not in self.shown:
            if not self._read(0.1) or time.monotonic() > deadline:
                raise AssertionError(f"never shown: {words!r}; but: {self.shown!r}")
        return self.shown

    def wait(self, seconds: float) -> None:
        """Let the program go on for a while."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._read(0.1)

    def wait_until_read(self) -> None:
        """Wait until the program reads keys itself, and nothing is echoed."""
        deadline = time.monotonic() + PATIENCE_S
        while termios.tcgetattr(self.master)[3] & termios.ECHO:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"nobody reads; shown: {self.shown!r}")
            time.sleep(0.01)

    def end(self) -> int:
        """Wait until the program has ended, and return its exit code."""
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < deadline:
            self._read(0.1)
        while select.select([self.master], [], [], 0)[0] and self._read(0):
            pass
        return self.process.wait(1)


def _control(slave: int) -> None:
    with contextlib.suppress(OSError):  # it has one already
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
