"""An httpx transport that keeps what goes over the wire, secrets left out, until somebody tells of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any

import httpx

from .redaction import hidden, shown_address, shown_body
from .routes import Routes

__all__ = ["Message", "Overhearing"]

WELL_KNOWN = "/.well-known/"
METADATA = "metadata"
TOLD = ("issuer", "jwks_uri", "_endpoint", "_parameter_supported", "_challenge_methods_supported")  # of metadata
SIGNED_WITH = ("authorization", "dpop")


class Message:
    """
    One request and its answer, fit to be shown.

    Args:
        endpoint: Whose it is, by its name in the metadata.
        request: The request's first line.
        sent: What it held, one member a line.
        status: The answer's status.
        received: What the answer held, one member a line.
    """

    def __init__(self, endpoint: str, request: str, sent: list[str], status: int, received: list[str]) -> None:
        self.endpoint = endpoint
        self.request = request
        self.sent = sent
        self.status = status
        self.received = received

    def shape(self) -> dict[str, Any]:
        """Return it for a script."""
        return {"request": self.request, "sent": self.sent, "status": self.status, "received": self.received}


class Overhearing(Routes):
    """
    Send as usual, and keep what was sent and what came.

    Args:
        ca_bundle: A PEM file with the certificate authorities to trust; None for the system's.
    """

    def __init__(self, ca_bundle: str | None) -> None:
        super().__init__(ca_bundle)
        self._lock = threading.Lock()
        self._kept: list[Message] = []
        self._endpoints: dict[str, str] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return the answer."""
        sent = shown_body(request.read(), request.headers.get("content-type", ""))
        sent += [f"{name}: {hidden(request.headers[name])}" for name in SIGNED_WITH if name in request.headers]
        response = super().handle_request(request)
        address, body = str(request.url), response.read()
        endpoint = METADATA if WELL_KNOWN in address else self._endpoints.get(address, "")
        if endpoint == METADATA:
            self._learn(body)
        received = _received(body, response.headers.get("content-type", ""), endpoint)
        first = f"{request.method} {shown_address(address)}"
        with self._lock:
            self._kept.append(Message(endpoint, first, sent, response.status_code, received))
        return response

    def learn(self, metadata: Any) -> None:
        """Learn the endpoints' addresses from metadata."""
        self._endpoints.update({value: name for name, value in metadata.items() if isinstance(value, str)})

    def _learn(self, body: bytes) -> None:
        try:
            found = json.loads(body)
        except ValueError:  # the library says what is wrong with it
            return
        if isinstance(found, dict):
            self.learn(found)

    def take(self, endpoints: Sequence[str] | None = None) -> list[Message]:
        """Hand over what is kept of some endpoints, or of all, and keep it no longer."""
        with self._lock:
            taken = [message for message in self._kept if endpoints is None or message.endpoint in endpoints]
            self._kept = [message for message in self._kept if message not in taken]
        return taken


def _received(body: bytes, content_type: str, endpoint: str) -> list[str]:
    if endpoint != METADATA:
        return shown_body(body, content_type)
    members = shown_body(body, content_type, metadata=True)
    told = [member for member in members if member.partition(" = ")[0].endswith(TOLD)]
    return [*told, f"and {len(members) - len(told)} more"] if len(told) < len(members) else told
