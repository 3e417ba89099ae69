"""Authlib's authorization server, with proofs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationServer

from oidcclient_dpop.server.jose import decode
from oidcclient_dpop.server.verifier import VerifiedProof

from .binding import TokenBinding
from .errors import InvalidProofError

__all__ = ["DPoPServer", "confirmation"]

JWT_PARTS = 3
NONCE_HEADER = "dpop-nonce"


@dataclass(slots=True)
class _TokenRequest:
    """The request to the token endpoint that is being answered: Authlib tells its token generators nothing of it."""

    proof: VerifiedProof | None = None


_UNDER_WAY: ContextVar[_TokenRequest | None] = ContextVar("oidcclient_dpop_token_request", default=None)


def confirmation() -> dict[str, Any]:
    """
    Return the claims that bind the access token that is being made: its `cnf`, or nothing (RFC 9449 section 6.1).

    For `get_extra_claims` of Authlib's `JWTBearerTokenGenerator`.
    """
    proof = _proof()
    return {} if proof is None else {"cnf": {"jkt": proof.jkt}}


def _proof() -> VerifiedProof | None:
    under_way = _UNDER_WAY.get()
    return None if under_way is None else under_way.proof


class DPoPServer(AuthorizationServer):  # type: ignore[misc]  # Authlib has no types
    """
    Goes before the server's own class: `class Server(DPoPServer, AuthorizationServer)`.

    A request is refused before any grant looks at it if its proof is bad; a proof that does not fit the code or the
    refresh token is refused before either is used up. `request.dpop_proof` is the proof.

    Attributes:
        dpop: The rules.
    """

    dpop: TokenBinding

    def authenticate_client(self, request: Any, methods: Any, endpoint: str = "token") -> Any:
        """Authenticate the client, then check the proof."""
        request.dpop_proof = None
        client = super().authenticate_client(request, methods, endpoint)
        request.dpop_proof = self.dpop.check_proof(request, client, endpoint)
        under_way = _UNDER_WAY.get()
        if under_way is not None:
            under_way.proof = request.dpop_proof
        return client

    def register_grant(self, grant_cls: Any, extensions: Sequence[Any] | None = None) -> None:
        """Register a grant, with the rules that bind what it issues."""
        super().register_grant(grant_cls, [*(extensions or ()), self._bind])

    def create_token_response(self, request: Any = None) -> Any:
        """Answer a token request, with a nonce if there are nonces."""
        token = _UNDER_WAY.set(_TokenRequest())
        try:
            return super().create_token_response(request)
        finally:
            _UNDER_WAY.reset(token)

    def generate_token(self, grant_type: str, client: Any, **options: Any) -> Any:
        """Make a token of the type `DPoP` if there is a proof (RFC 9449 section 5)."""
        proof = _proof()
        if proof is None and self.dpop.must_prove(client):  # a grant that no client authenticates for
            raise InvalidProofError("This client is registered with dpop_bound_access_tokens: it sends a proof.")
        token = super().generate_token(grant_type=grant_type, client=client, **options)
        if proof is not None:
            _check_confirmation(token["access_token"], proof)
            token["token_type"] = "DPoP"  # noqa: S105 - RFC 9449 section 5
        return token

    def handle_response(self, status: int, body: Any, headers: Any) -> Any:
        """Add the nonce to the answers of the token endpoint (RFC 9449 section 8.2), exactly one (section 8)."""
        if _UNDER_WAY.get() is not None and all(name.lower() != NONCE_HEADER for name, _ in headers):
            headers = [*headers, *self.dpop.nonce_headers()]
        return super().handle_response(status, body, headers)

    def _bind(self, grant: Any) -> None:
        """Add the rules to a grant, as Authlib adds its own extensions."""
        grant.register_hook("after_validate_authorization_request_payload", self._check_request)
        grant.register_hook("before_create_token_response", self._check_grant)

    def _check_request(self, grant: Any, *_: Any) -> None:
        self.dpop.check_authorization_request(grant.request)

    def _check_grant(self, grant: Any, *_: Any) -> None:
        request = grant.request
        if request.authorization_code is not None:
            self.dpop.check_code(request, request.authorization_code)
        if request.refresh_token is not None:
            self.dpop.check_refresh(request, request.refresh_token)


def _check_confirmation(access_token: str, proof: VerifiedProof) -> None:
    """Find the mistake that nobody sees: a JWT that is called DPoP and is bound to nothing."""
    claims = _jwt_claims(access_token)
    if claims is None:
        return  # the server keeps the key beside it
    cnf = claims.get("cnf")
    if not isinstance(cnf, dict) or cnf.get("jkt") != proof.jkt:
        raise RuntimeError("the access token is a JWT without its cnf: add confirmation() to get_extra_claims")


def _jwt_claims(access_token: str) -> dict[str, Any] | None:
    parts = access_token.split(".")
    try:
        claims = json.loads(decode(parts[1])) if len(parts) == JWT_PARTS else None
    except ValueError:
        return None
    return claims if isinstance(claims, dict) else None
