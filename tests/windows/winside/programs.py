"""Other processes, and what they do."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Generator
from contextlib import contextmanager

PATIENCE_S = 30.0  # a process takes a second to start under wine, and more on a busy machine


class Program:
    """Another Python process that runs `source`; it prints a line when it has come so far, and reads one to go on."""

    def __init__(self, source: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(source), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def line(self) -> str:
        """Wait for its next line."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def go_on(self) -> None:
        """Send it a line."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def wait(self) -> int:
        """Wait for its end and return its exit status."""
        return self._process.wait(PATIENCE_S)

    def terminate(self) -> None:
        """End it as Windows ends a process: at once, wherever it is (TerminateProcess)."""
        self._process.kill()
        self.wait()

    def close(self) -> None:
        """End it if it still runs."""
        self.terminate()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()


@contextmanager
def programs(count: int, source: str, *arguments: str) -> Generator[list[Program]]:
    """Start as many processes, each with its number as the last argument, and end them afterwards."""
    started = [Program(source, *arguments, str(number)) for number in range(count)]
    try:
        yield started
    finally:
        for program in started:
            program.close()
