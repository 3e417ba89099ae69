"""Access tokens and proofs made by hand, and one API to try them at."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from oidcclient_dpop.server import AccessRefused, ApiRequest, JWTAccessTokens, Needs, ProtectedResource, VerifiedRequest
from oidcclient_dpop.server.events import Event
from tests.dpop_server.proofs import ClientKey, prove, seal

ISSUER = "https://login.example.com"
API = "https://api.example.com"
KID = "signer-1"


def jwks(*keys: ClientKey, kid: str = KID) -> dict[str, Any]:
    return {"keys": [{**key.jwk, "kid": kid if not at else f"{kid}-{at}", "use": "sig"} for at, key in enumerate(keys)]}


def access_token(signer: ClientKey, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
    """Make a good token; None takes a claim or a header member out."""
    now = int(time.time())
    every = {"iss": ISSUER, "aud": API, "sub": "ann", "exp": now + 300, "iat": now, "scope": "profile", **claims}
    head = {"typ": "at+jwt", "alg": signer.alg, "kid": KID, **(header or {})}
    return seal(
        signer,
        {name: value for name, value in head.items() if value is not None},
        {name: value for name, value in every.items() if value is not None},
    )


@dataclass
class Lab:
    """A client with a key, and an API."""

    signer: ClientKey
    key: ClientKey
    events: list[Event] = field(default_factory=list)

    def resource(self, **settings: Any) -> ProtectedResource:
        tokens = settings.pop("access_tokens", None) or JWTAccessTokens(ISSUER, API, jwks=jwks(self.signer))
        return ProtectedResource(API, tokens, **{"observer": self.events.append, **settings})

    def token(self, **claims: Any) -> str:
        """Return a token bound to the client's key."""
        return access_token(self.signer, **{"cnf": {"jkt": self.key.jkt}, **claims})

    def request(
        self, token: str, method: str = "GET", path: str = "/me", *, scheme: str = "DPoP", **changes: Any
    ) -> ApiRequest:
        """Return a good request; changes are claims of its proof."""
        proof = prove(self.key, method, API + path, token, **changes)
        return ApiRequest(method, path, (f"{scheme} {token}",), (proof,))

    def good(self, **claims: Any) -> ApiRequest:
        return self.request(self.token(**claims))


def refused(resource: ProtectedResource, request: ApiRequest, needs: Needs | None = None) -> AccessRefused:
    with pytest.raises(AccessRefused) as caught:
        resource.check(request, *([] if needs is None else [needs]))
    return caught.value


def challenges(refusal: AccessRefused) -> list[str]:
    return [value for name, value in refusal.answer.headers if name == "WWW-Authenticate"]


def header(refusal: AccessRefused, name: str) -> str | None:
    return next((value for key, value in refusal.answer.headers if key == name), None)


def accepted(resource: ProtectedResource, request: ApiRequest, needs: Needs | None = None) -> VerifiedRequest:
    return resource.check(request, *([] if needs is None else [needs]))
