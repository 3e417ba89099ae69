"""The introspection endpoint (RFC 7662): for clients that authenticate, as an API does that checks tokens."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError
from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from oidcclient_devkit.answers import Answer
from oidcclient_devkit.bearer import TokenRefused, read_access_token
from oidcclient_devkit.clients import AUTH_METHODS, Client
from oidcclient_devkit.core import Core
from oidcclient_devkit.exchange import Exchange
from oidcclient_devkit.grants.server import OAuthServer
from oidcclient_devkit.store import Grant
from oidcclient_dpop.server.authlib import introspection_members


@dataclass(frozen=True, slots=True)
class Found:
    """A token that is known here, and what an answer tells of it. The names are those Authlib asks for."""

    grant: Grant
    told: Mapping[str, Any]
    expired: bool
    revoked: bool
    owner_only: bool

    def is_expired(self) -> bool:
        """Tell whether its time is over."""
        return self.expired

    def is_revoked(self) -> bool:
        """Tell whether it was revoked or used up."""
        return self.revoked


class Introspection(IntrospectionEndpoint):  # type: ignore[misc]  # Authlib has no types
    """Tells whether a token is active, and whose it is."""

    CLIENT_AUTH_METHODS = AUTH_METHODS

    def __init__(self, core: Core) -> None:
        super().__init__()
        self._core = core

    def authenticate_endpoint_client(self, request: Any) -> Client:
        """RFC 7662 section 2.1: whoever asks is authorized to; a public client could be anybody."""
        client: Client = super().authenticate_endpoint_client(request)
        if client.is_public:
            raise InvalidClientError("Only a client that authenticates may ask.", status_code=401)
        return client

    def check_params(self, request: Any, _client: Client) -> None:
        """Section 2.1: the hint may be ignored, so an unknown one does no harm."""
        if "token" not in request.form:
            raise InvalidRequestError("The token is missing.")

    def query_token(self, token_string: str, _token_type_hint: str | None) -> Found | None:
        """Look for the token among all kinds."""
        return _refresh_token(self._core, token_string) or _access_token(self._core, token_string)

    def check_permission(self, token: Found, client: Client, _request: Any) -> bool:
        """Let an API see every access token; a refresh token is its client's business alone.

        An API that took an active refresh token for an access token would be fooled.
        """
        return not token.owner_only or token.grant.client_id == client.client_id

    def introspect_token(self, token: Found) -> dict[str, Any]:
        """Return the answer (RFC 7662 section 2.2, RFC 9449 section 6.2, RFC 9470 section 6.2)."""
        grant = token.grant
        answer = {**token.told, "iss": self._core.issuer, "client_id": grant.client_id}
        if grant.signed_in is not None:
            answer |= {"username": grant.signed_in.username}
        return answer


def _access_token(core: Core, value: str) -> Found | None:
    try:
        record, claims = read_access_token(core, value)
    except TokenRefused:
        return None
    told = {**claims, **introspection_members(claims.get("cnf", {}).get("jkt"))}
    expired = record.expired or core.clock.now() >= claims["exp"]
    return Found(record.grant, told, expired, record.revoked or record.grant.revoked, owner_only=False)


def _refresh_token(core: Core, value: str) -> Found | None:
    record = core.store.refresh_tokens.get(value)
    if record is None:
        return None
    told = {"sub": core.subject_of(record.grant), "scope": record.grant.scope, "exp": int(record.expires_at)}
    expired = core.clock.now() >= record.expires_at
    return Found(record.grant, told, expired, record.used or record.grant.revoked, owner_only=True)


def introspect(core: Core, exchange: Exchange) -> Answer:
    """Answer an introspection request."""
    server = OAuthServer(core)
    try:
        server.check_form(exchange)
    except OAuth2Error as error:
        return server.problem(error)
    server.register_endpoint(Introspection(core))
    answer: Answer = server.create_endpoint_response(Introspection.ENDPOINT_NAME, exchange)
    return answer
