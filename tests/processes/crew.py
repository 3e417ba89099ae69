"""Starting programs that share a folder of sessions, and talking to them; all of it bounded in time."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["ROOT", "Program"]

ROOT = Path(__file__).resolve().parents[2]
ANSWER_S = 60.0  # a loaded machine may need long to start eight Pythons
END_S = 20.0


class Program:
    """
    A program of this folder, started as a module; it reads commands and writes answers, one JSON value a line.

    Args:
        module: The name of the file.
        options: Its one argument.
    """

    def __init__(self, module: str, options: Mapping[str, Any]) -> None:
        self.module = module
        self._lines: queue.Queue[str] = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"tests.processes.{module}", json.dumps(dict(options))],
            cwd=ROOT,
            env={**os.environ, "OIDCCLIENT_NO_BROWSER": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._said: list[str] = []
        self._readers = [threading.Thread(target=read) for read in (self._read_answers, self._read_errors)]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def _read_answers(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self._said.extend(self.process.stderr)

    @property
    def said(self) -> str:
        """What it wrote on stderr."""
        return "".join(self._said)

    def tell(self, command: object) -> None:
        """Send one command."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def answer(self, seconds: float = ANSWER_S) -> Any:
        """Return its next answer."""
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError(f"{self.module} has not answered within {seconds:g} s: {self.said}") from None
        if not line:
            raise EOFError(f"{self.module} has ended: {self.said}")
        return json.loads(line)

    def wait(self, seconds: float = END_S) -> int:
        """Wait until it has ended by itself, and return its status."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self.module} has not ended within {seconds:g} s: {self.said}") from None

    def end(self) -> None:
        """Close its stdin, upon which it ends, and kill it if it does not."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for reader in self._readers:
            reader.join(END_S)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.process.stdout.close()
        self.process.stderr.close()
