"""Plain OAuth requests, with httpx and no code of ours."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.interop.npm import NpmProvider
from tests.interop.person import Person

__all__ = ["REDIRECT_URI", "Wire"]

REDIRECT_URI = "http://127.0.0.1:9/callback"  # the discard port: nobody answers, the address itself is what we want


@dataclass(frozen=True)
class Wire:
    """Plain requests to one provider."""

    http: httpx.Client
    provider: NpmProvider
    metadata: dict[str, Any]

    def post(self, endpoint: str, form: dict[str, str], **how: Any) -> httpx.Response:
        """Post a form to an endpoint by its metadata name; `how` are httpx's own arguments."""
        return self.http.post(self.metadata[endpoint], data=form, **how)

    def authorize(
        self, person: Person, client_id: str, *, push: bool = False, **more: str
    ) -> tuple[dict[str, str], str]:
        """Have a person authorize the client; return the answer's parameters and the PKCE verifier."""
        verifier = secrets.token_urlsafe(32)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        request = {
            "client_id": client_id,
            "redirect_uri": REDIRECT_URI,
            "response_type": "code",
            "scope": "openid profile email offline_access",
            "prompt": "consent",
            "state": "xyz",
            "nonce": "n-0S6",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **more,
        }
        if push:
            pushed = self.post("pushed_authorization_request_endpoint", request)
            assert pushed.status_code == 201, pushed.text
            request = {"client_id": client_id, "request_uri": pushed.json()["request_uri"]}
        visit = person(f"{self.metadata['authorization_endpoint']}?{urlencode(request)}")
        last = visit.wait()
        assert visit.unreached is not None, last and last.text
        assert visit.unreached.startswith(REDIRECT_URI)
        answer = parse_qs(urlsplit(visit.unreached).query, strict_parsing=True)
        return {name: value for name, (value,) in answer.items()}, verifier

    def sign_in(self, person: Person, client_id: str, *, push: bool = False, **more: str) -> dict[str, Any]:
        """Go all the way to the tokens."""
        answer, verifier = self.authorize(person, client_id, push=push, **more)
        form = {
            "grant_type": "authorization_code",
            "client_id": client_id,
            "code": answer["code"],
            "redirect_uri": REDIRECT_URI,
            "code_verifier": verifier,
            **{name: value for name, value in more.items() if name == "resource"},
        }
        response = self.post("token_endpoint", form)
        assert response.status_code == 200, response.text
        tokens: dict[str, Any] = response.json()
        return tokens

    def refresh(self, token: str, client_id: str = "native") -> httpx.Response:
        """Use a refresh token."""
        form = {"grant_type": "refresh_token", "client_id": client_id, "refresh_token": token}
        return self.post("token_endpoint", form)

    def claims(self, token: str) -> dict[str, Any]:
        """Verify a JWT of the provider's with its published keys."""
        keys = KeySet.import_key_set(self.http.get(self.metadata["jwks_uri"]).json())
        return jwt.decode(token, keys, algorithms=["RS256", "ES256", "EdDSA"]).claims
