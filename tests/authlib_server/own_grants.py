"""What a server keeps, and Authlib's grants with what every server adds to them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from authlib.oauth2.rfc6749 import ClientMixin, grants
from authlib.oauth2.rfc7523 import JWTBearerGrant
from joserfc.jwk import ECKey

from oidcclient_dpop.server.authlib import proven_jkt, requested_jkt

REDIRECT_URI = "https://app.example/cb"
METHODS = ["none", "client_secret_post"]
ASSERTION_KEY = ECKey.generate_key("P-256")


@dataclass
class Client(ClientMixin):  # type: ignore[misc]  # Authlib has no types
    client_id: str
    client_secret: str = ""
    client_metadata: dict[str, Any] = field(default_factory=dict)

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str:
        return REDIRECT_URI

    def get_allowed_scope(self, scope: str | None) -> str:
        return scope or "read"

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == REDIRECT_URI

    def check_client_secret(self, client_secret: str) -> bool:
        return bool(self.client_secret) and secrets.compare_digest(self.client_secret, client_secret)

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        return method == ("client_secret_post" if self.client_secret else "none")

    def check_response_type(self, response_type: str) -> bool:
        return response_type in {"code", "token"}

    def check_grant_type(self, _grant_type: str) -> bool:
        return True


@dataclass
class Code:
    client_id: str
    redirect_uri: str
    scope: str
    code_challenge: str | None
    code_challenge_method: str | None
    dpop_jkt: str | None

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


@dataclass
class Token:
    client_id: str
    scope: str
    dpop_jkt: str | None

    def check_client(self, client: Client) -> bool:
        return self.client_id == client.client_id

    def get_scope(self) -> str:
        return self.scope

    def is_expired(self) -> bool:
        return False

    def is_revoked(self) -> bool:
        return False


class User:
    def get_user_id(self) -> str:
        return "ann"


class CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]  # Authlib has no types
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def save_authorization_code(self, code: str, request: Any) -> None:
        data = request.payload.data
        self.server.codes[code] = Code(
            client_id=request.client.client_id,
            redirect_uri=data["redirect_uri"],
            scope=request.scope,
            code_challenge=data.get("code_challenge"),
            code_challenge_method=data.get("code_challenge_method"),
            dpop_jkt=requested_jkt(request),
        )

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        found: Code | None = self.server.codes.get(code)
        return found if found is not None and found.client_id == client.client_id else None

    def delete_authorization_code(self, authorization_code: Code) -> None:
        codes = self.server.codes
        del codes[next(name for name, code in codes.items() if code is authorization_code)]

    def authenticate_user(self, _authorization_code: Code) -> User:
        return User()


class RefreshGrant(grants.RefreshTokenGrant):  # type: ignore[misc]  # Authlib has no types
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Token | None:
        found: Token | None = self.server.refresh_tokens.get(refresh_token)
        return found

    def authenticate_user(self, _refresh_token: Token) -> User:
        return User()

    def revoke_old_credential(self, refresh_token: Token) -> None:
        tokens = self.server.refresh_tokens
        del tokens[next(name for name, token in tokens.items() if token is refresh_token)]


class ServiceGrant(grants.ClientCredentialsGrant):  # type: ignore[misc]  # Authlib has no types
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS


class AssertionGrant(JWTBearerGrant):  # type: ignore[misc]  # Authlib has no types
    """A JWT as a grant (RFC 7523), for which Authlib authenticates no client."""

    def get_audiences(self) -> list[str]:
        return ["https://login.example"]

    def resolve_issuer_client(self, issuer: str) -> Client | None:
        found: Client | None = self.server.clients.get(issuer)
        return found

    def resolve_client_public_key(self, _client: Client) -> ECKey:
        return ASSERTION_KEY

    def authenticate_user(self, _subject: str) -> User:
        return User()

    def has_granted_permission(self, *_: Any) -> bool:
        return True


class Shelf:
    """A server's memory; it goes before Authlib's class."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.clients = {
            "app": Client("app"),
            "bound": Client("bound", client_metadata={"dpop_bound_access_tokens": True}),
            "service": Client("service", "a-secret"),
        }
        self.codes: dict[str, Code] = {}
        self.refresh_tokens: dict[str, Token] = {}
        self.access_tokens: dict[str, Token] = {}

    def query_client(self, client_id: str) -> Client | None:
        return self.clients.get(client_id)

    def save_token(self, token: dict[str, Any], request: Any) -> None:
        kept = Token(request.client.client_id, token["scope"], proven_jkt(request))
        self.access_tokens[token["access_token"]] = kept
        if "refresh_token" in token:
            self.refresh_tokens[token["refresh_token"]] = kept
