"""Client registration (RFC 7591, OpenID Connect Registration), open to everybody: it ends with the provider."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.claims import BaseClaims
from authlib.oauth2.rfc7591 import ClientRegistrationEndpoint, InvalidClientMetadataError, InvalidRedirectURIError
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from oidcclient_devkit import redirects
from oidcclient_devkit.answers import Answer, printable
from oidcclient_devkit.clients import SCOPES, Client
from oidcclient_devkit.core import Core
from oidcclient_devkit.exchange import Exchange
from oidcclient_devkit.grants.requests import JsonOAuthRequest
from oidcclient_devkit.grants.server import OAuthServer
from oidcclient_devkit.store import new_handle
from oidcclient_dpop.server.authlib import ClientMetadataClaims

PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})  # RFC 7518 section 6
# RFC 7591 section 2 and OIDC Registration section 2: what a member is that a client does not send.
DEFAULTS: Mapping[str, Any] = {
    "application_type": "web",
    "token_endpoint_auth_method": "client_secret_basic",
    "grant_types": ["authorization_code"],
    "scope": " ".join(SCOPES),
}


def _text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(_text(one) for one in value)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _public_keys(value: Any) -> bool:
    """Tell whether this is a JWK Set with public keys alone."""
    keys = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        return False
    if any(PRIVATE_MEMBERS & key.keys() for key in keys):
        return False
    try:
        KeySet.import_key_set(value)
    except (JoseError, ValueError, KeyError, TypeError):  # joserfc looks up and counts what it was given
        return False
    return True


A_TEXT = (_text, "a text")
TEXTS = (_texts, "a list of texts")
A_FLAG = (_flag, "true or false")
MEMBERS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "redirect_uris": TEXTS,
    "post_logout_redirect_uris": TEXTS,
    "application_type": (lambda value: _text(value) and value in {"web", "native"}, "web or native"),
    "token_endpoint_auth_method": A_TEXT,
    "grant_types": TEXTS,
    "response_types": TEXTS,
    "client_name": A_TEXT,
    "scope": (lambda value: isinstance(value, str), "a text"),
    "jwks": (_public_keys, "a JWK Set with public keys"),
    "jwks_uri": (lambda _: False, "not taken, as nothing is fetched here: send jwks"),
    "id_token_signed_response_alg": A_TEXT,
    "userinfo_signed_response_alg": A_TEXT,
    "request_object_signing_alg": A_TEXT,
    "require_pushed_authorization_requests": A_FLAG,
    "require_signed_request_object": A_FLAG,
}


class Metadata(BaseClaims):  # type: ignore[misc]  # Authlib has no types
    """The members that this provider understands; RFC 7591 section 2: all others are ignored."""

    REGISTERED_CLAIMS = list(MEMBERS)  # noqa: RUF012 - Authlib reads a list

    def validate(self, now: Any = None, leeway: int = 0) -> None:
        """Refuse a member of the wrong kind."""
        super().validate(now, leeway)
        for name, (fits, what) in MEMBERS.items():
            if name in self and not fits(self[name]):
                raise InvalidClientMetadataError(f"The {name} is {what}.")


class Registration(ClientRegistrationEndpoint):  # type: ignore[misc]  # Authlib has no types
    """Takes in an app."""

    def __init__(self, core: Core) -> None:
        super().__init__(claims_classes=[Metadata, ClientMetadataClaims])
        self._core = core

    def authenticate_token(self, _request: Any) -> bool:
        """RFC 7591 section 3: an initial access token is optional, and nobody could give one out here."""
        return True

    def get_server_metadata(self) -> dict[str, Any]:
        """Leave the choice to the checks of `Client`."""
        return {}

    def extract_client_metadata(self, request: Any) -> dict[str, Any]:
        """Return what will be registered, with what the client left open."""
        asked: dict[str, Any] = super().extract_client_metadata(request)
        metadata = {**DEFAULTS, **asked}
        code = "authorization_code" in metadata["grant_types"]
        metadata.setdefault("response_types", ["code"] if code else [])
        if metadata["response_types"] != (["code"] if code else []):  # RFC 7591 section 2.1
            raise InvalidClientMetadataError("The response_types and grant_types do not go together.")
        words = metadata["scope"].split()
        metadata["scope"] = " ".join(word for word in SCOPES if word in words)
        _check_redirects(metadata.setdefault("redirect_uris", []), metadata["application_type"], needed=code)
        request.registering = metadata
        return metadata

    def generate_client_info(self, request: Any) -> dict[str, Any]:
        """RFC 7591 section 3.2.1: a secret is for clients that authenticate with one, and it does not expire."""
        info: dict[str, Any] = {"client_id": new_handle(), "client_id_issued_at": self._core.now()}
        if "secret" in request.registering["token_endpoint_auth_method"]:
            info |= {"client_secret": new_handle(), "client_secret_expires_at": 0}
        return info

    def save_client(self, info: dict[str, Any], metadata: dict[str, Any], _request: Any) -> Client:
        """Register it, unless no provider should."""
        if unknown := set(metadata["grant_types"]) - set(self._core.controls.grants.grant_types):
            raise InvalidClientMetadataError(printable(f"No grant is called {', '.join(sorted(unknown))}."))
        try:
            client = client_of(info, metadata)
        except ValueError as error:
            raise InvalidClientMetadataError(printable(f"{error}.")) from error
        for alg in (client.id_token_signed_response_alg, client.userinfo_signed_response_alg):
            if alg is not None:
                self._core.keys.signing(alg)  # so that the JWKS has the key before the first token
        self._core.clients[client.client_id] = client
        return client


def client_of(info: Mapping[str, Any], metadata: Mapping[str, Any]) -> Client:
    """Make a client of what was registered.

    Raises:
        ValueError: if it is nothing that a provider should accept.
    """
    named = {name: metadata[name] for name in Client.__dataclass_fields__ if name in metadata}
    for name in ("redirect_uris", "post_logout_redirect_uris", "grant_types"):
        named[name] = tuple(metadata.get(name, ()))
    named.setdefault("client_name", info["client_id"])
    secret = info.get("client_secret")
    return Client(client_id=info["client_id"], client_secret=secret, scopes=tuple(metadata["scope"].split()), **named)


def _check_redirects(uris: list[str], application_type: str, *, needed: bool) -> None:
    """RFC 7591 section 5, RFC 8252 section 8.4, RFC 9700 section 2.6: http is for a native app's loopback alone."""
    if needed and not uris:
        raise InvalidRedirectURIError("The code flow needs redirect_uris.")
    native = application_type == "native"
    for uri in uris:
        try:
            redirects.check_registrable(uri, native=native)
        except ValueError as error:
            raise InvalidRedirectURIError(printable(f"{error}.")) from error
        if uri.startswith("http:") and not native:
            raise InvalidRedirectURIError(printable(f"http is for apps of the application_type native: {uri}."))


def register(core: Core, exchange: Exchange) -> Answer:
    """Answer a registration request."""
    server = OAuthServer(core)
    try:
        request = JsonOAuthRequest(exchange, core.address(exchange.path), _members(exchange))
    except OAuth2Error as error:
        return server.problem(error)
    server.register_endpoint(Registration(core))
    answer: Answer = server.create_endpoint_response(Registration.ENDPOINT_NAME, request)
    return answer


def _members(exchange: Exchange) -> dict[str, Any]:
    kind = (exchange.header("content-type") or "").partition(";")[0].strip().lower()
    try:
        value = json.loads(exchange.body) if kind == "application/json" else None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or not value:
        raise InvalidClientMetadataError("The body is a JSON object with the client's metadata.")
    return value
