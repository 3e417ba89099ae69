"""Start `oidc-provider` from npm, a provider that shares no code with us."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from joserfc.jwk import ECKey

from tests.interop.node import NodeProgram

__all__ = ["NpmClient", "NpmProvider"]


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


class NpmProvider:
    """
    A running provider, with the accounts ann and bob, and three APIs that take its DPoP tokens.

    Args:
        log: Where its stderr goes.
        options: As `provider.mjs` describes them.
    """

    issuer: str
    apis: dict[str, str]
    """The address of each API by what it does with nonces: off, optional, required."""

    def __init__(self, log: Path, options: Mapping[str, Any] | None = None) -> None:
        self.clients: dict[str, NpmClient] = {}
        self._key = ECKey.generate_key("P-256", {"use": "sig", "kid": "key-jwt", "alg": "ES256"})
        public = {"keyJwtJwks": {"keys": [self._key.as_dict(private=False)]}}
        self._program = NodeProgram("provider.mjs", log, {**public, **(options or {})})

    def __enter__(self) -> Self:
        """Start it and read where it listens."""
        told = self._program.__enter__().told
        self.issuer, self.apis = told["issuer"], told["apis"]
        for client in told["clients"]:
            key = self._key if client["client_id"] == "key-jwt" else None
            self.clients[client["client_id"]] = NpmClient(**client, key=key)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it."""
        self._program.__exit__(kind, error, traceback)

    def arrived(self) -> list[dict[str, Any]]:
        """Return what came with a proof since the last call, in order, as `arrivals.mjs` keeps it."""
        arrived: list[dict[str, Any]] = self._program.ask({})["arrived"]
        return arrived
