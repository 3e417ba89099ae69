"""Checking an access token: for userinfo and for the protected API (RFC 6750, RFC 9068 section 4)."""

from collections.abc import Callable, Mapping
from typing import Any

from joserfc.jwk import Key

from . import jwts
from .answers import Answer, json_answer
from .core import Core
from .exchange import Exchange
from .grants.issue import ACCESS_TOKEN_ALG, TOKEN_TYPE
from .store import AccessToken


class TokenRefused(Exception):
    """The request may not go on; `error` is None if it brought no token."""

    def __init__(self, status: int, error: str | None, description: str, scope: str | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.description = description
        self.scope = scope

    def challenge(self, **parameters: str) -> str:
        """Return the WWW-Authenticate header (RFC 6750 section 3)."""
        told: dict[str, str] = {"realm": "devkit"}
        if self.error is not None:  # section 3.1: no error code for a request without a token
            told |= {"error": self.error, "error_description": self.description}
        if self.scope is not None:
            told["scope"] = self.scope
        return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in (told | parameters).items())

    def answer(self, **parameters: str) -> Answer:
        """Return the answer for the client."""
        body = {} if self.error is None else {"error": self.error, "error_description": self.description}
        return json_answer(body, self.status, [("WWW-Authenticate", self.challenge(**parameters))])


def bearer_token(exchange: Exchange) -> str:
    """Return the token a request brings, in the one way it may (RFC 6750 section 2).

    Raises:
        TokenRefused: if there is none, or more than one.
    """
    headers = [value for name, value in exchange.headers if name.lower() == "authorization"]
    in_form = [value for name, value in exchange.form if name == "access_token"]
    in_query = [value for name, value in exchange.query if name == "access_token"]
    if in_query or len(headers) + len(in_form) > 1:
        raise TokenRefused(400, "invalid_request", "One token, in the Authorization header")
    if in_form:
        return in_form[0]
    scheme, _, value = headers[0].partition(" ") if headers else ("", "", "")
    if scheme.lower() != "bearer" or not value.strip():
        raise TokenRefused(401, None, "No access token was sent")
    return value.strip()


def read_access_token(core: Core, value: str) -> tuple[AccessToken, dict[str, Any]]:
    """Return what is known of a token this provider signed, be it expired or revoked.

    Raises:
        TokenRefused: if this provider did not sign it as an access token.
    """

    def keys(header: dict[str, Any]) -> list[Key]:
        key = core.keys.find(str(header.get("kid")))
        return [key.key] if key is not None else []

    try:
        header, claims = jwts.verify(value, keys, [ACCESS_TOKEN_ALG])
    except jwts.BadToken as error:
        raise TokenRefused(401, "invalid_token", f"The access token was refused: {error}") from error
    record = core.store.access_tokens.get(str(claims.get("jti")))
    if header.get("typ") != TOKEN_TYPE or claims.get("iss") != core.issuer or record is None:
        raise TokenRefused(401, "invalid_token", "This is no access token of this provider")
    return record, claims


def check_access_token(
    core: Core, exchange: Exchange, *, scope: str, meant_for: Callable[[list[str]], bool]
) -> tuple[AccessToken, Mapping[str, Any]]:
    """Return the token and claims of a request that may go on.

    Raises:
        TokenRefused: with the answer for any other.
    """
    record, claims = read_access_token(core, bearer_token(exchange))
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if not meant_for(audience):
        raise TokenRefused(401, "invalid_token", "The access token is meant for somebody else")
    if record.expired or core.clock.now() >= claims["exp"]:
        raise TokenRefused(401, "invalid_token", "The access token has expired")
    if record.revoked or record.grant.revoked:
        raise TokenRefused(401, "invalid_token", "The access token was revoked")
    if missing := set(scope.split()) - set(claims["scope"].split()):
        raise TokenRefused(403, "insufficient_scope", f"Missing scope: {' '.join(sorted(missing))}", scope)
    return record, claims
