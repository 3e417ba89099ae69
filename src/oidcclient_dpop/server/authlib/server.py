"""Authlib's authorization server, with proofs."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from authlib.consts import default_json_headers
from authlib.oauth2 import OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749 import AuthorizationServer

from oidcclient_dpop.server.jose import decode
from oidcclient_dpop.server.verifier import VerifiedProof

from .binding import TokenBinding
from .errors import InvalidProofError
from .pushed import REQUEST_URI, Parameters, PushedPayload, found, to_keep

__all__ = ["DPoPServer", "confirmation"]

JWT_PARTS = 3
NONCE_HEADER = "dpop-nonce"
PUSHED_LIFETIME = 60  # seconds, from the push to the browser


@dataclass(slots=True)
class _UnderWay:
    """The request with a proof that is being answered: Authlib tells its token generators nothing of it."""

    request: Any = None
    proof: VerifiedProof | None = None
    checked: bool = False  # that there is no proof, too


_UNDER_WAY: ContextVar[_UnderWay | None] = ContextVar("oidcclient_dpop_under_way", default=None)


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
        self._check_proof(request, client, endpoint)
        return client

    def create_oauth2_request(self, request: Any) -> Any:
        """Wrap a request; what `authorization_request` returned stays as it is."""
        return request if isinstance(request, OAuth2Request) else super().create_oauth2_request(request)

    def register_grant(self, grant_cls: Any, extensions: Sequence[Any] | None = None) -> None:
        """Register a grant, with the rules that bind what it issues."""
        super().register_grant(grant_cls, [*(extensions or ()), self._bind])

    def create_token_response(self, request: Any = None) -> Any:
        """Answer a token request, with a nonce if there are nonces."""
        token = _UNDER_WAY.set(_UnderWay())
        try:
            return super().create_token_response(request)
        finally:
            _UNDER_WAY.reset(token)

    def get_token_grant(self, request: Any) -> Any:
        """Find the grant for a token request."""
        under_way = _UNDER_WAY.get()
        if under_way is not None:
            under_way.request = request
        return super().get_token_grant(request)

    def generate_token(self, grant_type: str, client: Any, **options: Any) -> Any:
        """Make a token of the type `DPoP` if there is a proof (RFC 9449 section 5)."""
        self._check_proof_now(client)
        proof = _proof()
        if proof is None and self.dpop.must_prove(client):  # the implicit grant, which has no proofs
            raise InvalidProofError("This client is registered with dpop_bound_access_tokens: it sends a proof.")
        token = super().generate_token(grant_type=grant_type, client=client, **options)
        if proof is not None:
            _check_confirmation(token["access_token"], proof)
            token["token_type"] = "DPoP"  # noqa: S105 - RFC 9449 section 5
        return token

    def handle_response(self, status: int, body: Any, headers: Any) -> Any:
        """Add the nonce to the answers of endpoints with proofs (RFC 9449 section 8.2), exactly one (section 8)."""
        if _UNDER_WAY.get() is not None and all(name.lower() != NONCE_HEADER for name, _ in headers):
            headers = [*headers, *self.dpop.nonce_headers()]
        return super().handle_response(status, body, headers)

    # Pushed requests

    def create_push_response(
        self,
        request: Any,
        methods: Sequence[str],
        *,
        keep: Callable[[str, Parameters], object],
        lifetime: int = PUSHED_LIFETIME,
    ) -> Any:
        """
        Answer a pushed authorization request (RFC 9126), bound by its proof, by `dpop_jkt`, or both (RFC 9449 10.1).

        The request is checked as the authorization endpoint will check it again.

        Args:
            request: The framework's request, as for `create_token_response`.
            methods: How clients may authenticate, in Authlib's names.
            keep: Keeps the parameters, the key among them, under the `request_uri`, for `authorization_request`.
            lifetime: For how long, in seconds.

        Raises:
            LookupError: `TokenBinding` has no address for `"par"`: proofs would go unseen.
        """
        self.dpop.check_endpoint("par")
        token = _UNDER_WAY.set(_UnderWay())
        made = self.create_oauth2_request(request)
        try:
            parameters = self._pushed(made, methods)
            request_uri = REQUEST_URI + secrets.token_urlsafe()
            keep(request_uri, parameters)
            return self.handle_response(201, {"request_uri": request_uri, "expires_in": lifetime}, default_json_headers)
        except OAuth2Error as error:
            error.redirect_uri = None  # answered to the client itself, never by way of the browser
            return self.handle_error_response(made, error)
        finally:
            _UNDER_WAY.reset(token)

    def authorization_request(self, request: Any, find: Callable[[str], Parameters | None]) -> Any:
        """
        Return Authlib's request at the authorization endpoint: what was pushed, if it has a `request_uri`.

        Nothing else of such a request counts (RFC 9126 section 4).

        Args:
            request: The framework's request.
            find: Returns what was kept under a `request_uri`; None if nothing was, or no longer.

        Raises:
            InvalidRequestUriError: There is nothing, or it is another client's.
        """
        made = self.create_oauth2_request(request)
        made.payload = found(made.payload, find)
        return made

    def _pushed(self, request: Any, methods: Sequence[str]) -> Parameters:
        client = self.authenticate_client(request, methods, "par")
        parameters = to_keep(request, client)
        request.payload = PushedPayload(parameters)
        key = self.dpop.pushed_key(request)
        if key is not None:
            parameters["dpop_jkt"] = [key]
        grant = self.get_authorization_grant(request)
        grant.validate_no_multiple_request_parameter(request)
        grant.validate_authorization_request()
        return parameters

    # Proofs

    def _check_proof(self, request: Any, client: Any, endpoint: str) -> None:
        request.dpop_proof = self.dpop.check_proof(request, client, endpoint)
        under_way = _UNDER_WAY.get()
        if under_way is not None:
            under_way.proof, under_way.checked = request.dpop_proof, endpoint == "token"

    def _check_proof_now(self, client: Any) -> None:
        """Check the proof for a grant that authenticated no client, such as a JWT as a grant (RFC 7523)."""
        under_way = _UNDER_WAY.get()
        if under_way is not None and not under_way.checked:
            self._check_proof(under_way.request, client, "token")

    def _bind(self, grant: Any) -> None:
        """Add the rules to a grant, as Authlib adds its own extensions."""
        grant.register_hook("after_validate_authorization_request_payload", self._check_request)
        grant.register_hook("before_create_token_response", self._check_grant)

    def _check_request(self, grant: Any, *_: Any) -> None:
        self.dpop.check_authorization_request(grant.request)

    def _check_grant(self, grant: Any, *_: Any) -> None:
        request = grant.request
        self._check_proof_now(request.client)
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
