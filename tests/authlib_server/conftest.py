"""The server of these tests, and an app that makes its proofs by hand."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from oidcclient_dpop.server import MemoryReplayCache, NonceIssuer
from oidcclient_dpop.server.authlib import TokenBinding
from oidcclient_dpop.server.events import Event
from tests.authlib_server.own_grants import REDIRECT_URI
from tests.authlib_server.own_server import ISSUER, OwnServer, serve
from tests.dpop_server.proofs import ClientKey, new_key, prove

VERIFIER = "a-verifier-of-at-least-forty-three-characters"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
SERVICE = {"client_id": "service", "client_secret": "a-secret"}


@dataclass
class OwnApp:
    server: OwnServer
    http: httpx.Client
    events: list[Event]
    key: ClientKey = field(default_factory=new_key)

    def post(self, path: str, form: Any, key: ClientKey | None = None, **claims: Any) -> httpx.Response:
        """Send a form with a proof, for the address the world knows."""
        proof = prove(key or self.key, "POST", f"{ISSUER}{path}", **claims)
        return self.http.post(path, data=form, headers={"DPoP": proof})

    def plain(self, path: str, form: Any) -> httpx.Response:
        return self.http.post(path, data=form)

    def request(self, **changes: Any) -> dict[str, Any]:
        request = {
            "response_type": "code",
            "client_id": "app",
            "redirect_uri": REDIRECT_URI,
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in (request | changes).items() if value is not None}

    def authorize(self, **changes: Any) -> dict[str, str]:
        """Return what arrives at the redirect address."""
        location = self.http.get("/authorize", params=self.request(**changes)).headers["location"]
        assert location.startswith(REDIRECT_URI)
        return dict(parse_qsl(urlsplit(location).query or urlsplit(location).fragment))

    def form(self, code: str, **changes: Any) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": "app",
            "redirect_uri": REDIRECT_URI,
            "code_verifier": VERIFIER,
        }
        return form | changes

    def tokens(self, **changes: Any) -> dict[str, Any]:
        tokens: dict[str, Any] = self.post("/token", self.form(self.authorize()["code"]) | changes).json()
        return tokens

    def refresh_form(self, token: str, **changes: Any) -> dict[str, Any]:
        return {"grant_type": "refresh_token", "refresh_token": token, "client_id": "app"} | changes


@pytest.fixture
def build() -> Iterator[Any]:
    """Build servers, each with an app."""
    from contextlib import ExitStack  # noqa: PLC0415 - for this fixture only

    with ExitStack() as stack:

        def make(*, nonces: NonceIssuer | None = None, **options: Any) -> OwnApp:
            events: list[Event] = []
            endpoints = {"token": f"{ISSUER}/token", "par": f"{ISSUER}/par"}
            options.setdefault("replay", MemoryReplayCache(1_000))
            server = OwnServer(TokenBinding(endpoints, nonces=nonces, observer=events.append, **options))
            origin = stack.enter_context(serve(server))
            http = stack.enter_context(httpx.Client(base_url=origin, trust_env=False, headers={"Connection": "close"}))
            return OwnApp(server, http, events)

        yield make


@pytest.fixture
def app(build: Any) -> OwnApp:
    made: OwnApp = build()
    return made
