"""How a client proves who it is (RFC 6749 section 2.3, OIDC Core section 9)."""

import base64
import binascii
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_plus

from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from joserfc.jwk import Key, OctKey, import_key

from oidcclient_devkit import jwts
from oidcclient_devkit.clients import AUTH_METHODS, Client
from oidcclient_devkit.core import Core
from oidcclient_devkit.keys import SIGNING_ALGS

CLOCK_LEEWAY = 10  # seconds
SECRET_ALGS = ["HS256"]
KEY_ALGS = list(SIGNING_ALGS)

QueryClient = Callable[[str], Client | None]


def methods_to_try(request: Any) -> tuple[str, ...]:
    """RFC 6749 section 2.3: a client uses one authentication method in each request.

    One that sends credentials is never taken for the public client it may name beside them.
    """
    used = [
        "authorization" in request.headers,
        "client_secret" in request.form,
        "client_assertion" in request.form or "client_assertion_type" in request.form,
    ]
    if sum(used) > 1:
        raise InvalidRequestError("The request authenticates the client in more than one way.")
    return tuple(method for method in AUTH_METHODS if method != "none" or not any(used))


def authenticate_basic(query_client: QueryClient, request: Any) -> Client | None:
    """Read the header as RFC 6749 section 2.3.1 writes it: both parts form-encoded, which Authlib does not undo."""
    scheme, _, value = (request.headers.get("authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    client = query_client(unquote_plus(user))
    if not colon or client is None or not client.check_client_secret(unquote_plus(secret)):
        return None
    if request.form.get("client_id", client.client_id) != client.client_id:
        raise InvalidRequestError("The client_id in the body is not the one that authenticates.")
    return client


class ClientAssertion(JWTBearerClientAssertion):  # type: ignore[misc]  # Authlib has no types
    """A JWT signed with the client's key or secret (RFC 7523 section 3)."""

    def __init__(self, core: Core, method: str) -> None:
        super().__init__(validate_jti=True, leeway=CLOCK_LEEWAY)
        self.CLIENT_AUTH_METHOD = method
        self._core = core

    def __call__(self, query_client: QueryClient, request: Any) -> Client | None:
        """Leave a client that is registered for another method to that method."""
        assertion = request.form.get("client_assertion")
        if not assertion:
            return None
        _, claims = self.extract_assertion(assertion)
        client = query_client(str(claims.get("sub")))
        if client is None or client.token_endpoint_auth_method != self.CLIENT_AUTH_METHOD:
            return None
        if request.form.get("client_id", client.client_id) != client.client_id:
            raise InvalidRequestError("The client_id in the body is not the one that authenticates.")
        found: Client | None = super().__call__(query_client, request)
        return found

    def get_audiences(self) -> list[str]:
        """Take the issuer, and the token endpoint as OIDC Core section 9 had it."""
        return [self._core.issuer, self._core.address("/token")]

    def extract_assertion(self, assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Read the assertion to learn who claims to have made it."""
        try:
            return jwts.read(assertion)
        except jwts.BadToken as error:
            raise InvalidClientError("The client assertion is not a JWT.") from error

    def resolve_client_public_key(self, client: Client) -> list[Key]:
        """Return what the assertion is verified with."""
        if self.CLIENT_AUTH_METHOD == "client_secret_jwt":
            return [OctKey.import_key(client.client_secret or "")]
        return [import_key(dict(key)) for key in (client.jwks or {})["keys"]]

    def process_assertion_claims(self, assertion: str, resolve_key: list[Key]) -> dict[str, Any]:
        """Verify with the algorithms of this method and no other (RFC 8725 section 3.1)."""
        algorithms = SECRET_ALGS if self.CLIENT_AUTH_METHOD == "client_secret_jwt" else KEY_ALGS
        try:
            _, claims = jwts.verify(assertion, lambda _header: resolve_key, algorithms)
        except jwts.BadToken as error:
            raise InvalidClientError("The signature of the client assertion does not verify.") from error
        self.verify_claims(claims)
        return claims

    def verify_claims(self, claims: dict[str, Any]) -> None:
        """RFC 7523 section 3, with the provider's clock."""
        audience = claims.get("aud")
        now = self._core.clock.now()
        expires = claims.get("exp")
        not_before = claims.get("nbf", 0)
        if claims.get("iss") != claims.get("sub"):
            raise InvalidClientError("In a client assertion, iss and sub are both the client_id.")
        # RFC 9126 section 2 and 7523bis: one string, so that another server cannot be named beside us.
        if audience not in self.get_audiences() and audience not in [[name] for name in self.get_audiences()]:
            raise InvalidClientError("The aud of the client assertion is neither the issuer nor the token endpoint.")
        if not isinstance(expires, int | float) or now >= expires + self.leeway:
            raise InvalidClientError("The client assertion has expired.")
        if not isinstance(not_before, int | float) or now < not_before - self.leeway:
            raise InvalidClientError("The client assertion is not valid yet.")
        self._check_unused(claims)

    def _check_unused(self, claims: dict[str, Any]) -> None:
        key = (str(claims["sub"]), str(claims.get("jti", "")))
        if not key[1] or key in self._core.store.assertion_ids:
            raise InvalidClientError("The jti of the client assertion is missing or was used before.")
        self._core.store.assertion_ids.add(key)
