"""The apps that are known here."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import redirects
from .grant_rules import DEVICE_CODE, GRANT_TYPES, LEGACY_GRANT_TYPES
from .keys import SIGNING_ALGS

SCOPES = ("openid", "profile", "email", "offline_access", "api")
AUTH_METHODS = ("none", "client_secret_basic", "client_secret_post", "private_key_jwt", "client_secret_jwt")
DEFAULT_ALG = "RS256"  # OIDC Registration section 2
DEFAULT_SCOPE = "profile"  # RFC 6749 section 3.3: what a request without scope asks for
CLIENT_SCOPES = ("api",)  # what a client may have for itself: all others are about a person

DESKTOP = "devkit-desktop"
# Known to everybody on purpose: these clients exist to try client authentication with.
SHARED_SECRET = "devkit-secret-for-tests-only: %+/ and 32 bytes"  # noqa: S105 - published with the devkit
LOOPBACK_REDIRECTS = ("http://127.0.0.1/callback", "http://[::1]/callback", "http://localhost/callback")


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A registered app; the field names are those of OIDC Registration section 2 where it has one."""

    client_id: str
    client_name: str
    redirect_uris: tuple[str, ...] = LOOPBACK_REDIRECTS
    post_logout_redirect_uris: tuple[str, ...] = ()
    application_type: str = "native"
    token_endpoint_auth_method: str = "none"  # noqa: S105 - the name of a method
    client_secret: str | None = field(default=None, repr=False)
    jwks: Mapping[str, Any] | None = field(default=None, repr=False)
    scopes: tuple[str, ...] = SCOPES
    grant_types: tuple[str, ...] = ("authorization_code", "refresh_token")
    id_token_signed_response_alg: str = DEFAULT_ALG
    userinfo_signed_response_alg: str | None = None
    require_pushed_authorization_requests: bool = False
    dpop_bound_access_tokens: bool = False  # RFC 9449 section 5.2
    request_object_signing_alg: str | None = None  # None allows each that is supported
    require_signed_request_object: bool = False  # RFC 9101 section 10.5

    def __post_init__(self) -> None:
        """Refuse a registration that no provider should accept."""
        if self.token_endpoint_auth_method not in AUTH_METHODS:
            raise ValueError(f"token_endpoint_auth_method is one of {', '.join(AUTH_METHODS)}")
        for alg in (
            self.id_token_signed_response_alg,
            self.userinfo_signed_response_alg,
            self.request_object_signing_alg,
        ):
            if alg not in {None, *SIGNING_ALGS}:
                raise ValueError(f"a signing algorithm is one of {', '.join(SIGNING_ALGS)}")
        if "secret" in self.token_endpoint_auth_method and not self.client_secret:
            raise ValueError(f"{self.token_endpoint_auth_method} needs a client_secret")
        if self.token_endpoint_auth_method == "private_key_jwt" and not self.jwks:  # noqa: S105 - a method
            raise ValueError("private_key_jwt needs jwks with the client's public keys")
        if unknown := set(self.grant_types) - {*GRANT_TYPES, *LEGACY_GRANT_TYPES}:
            raise ValueError(f"no grant is called {', '.join(sorted(unknown))}")
        if "client_credentials" in self.grant_types and self.is_public:  # RFC 6749 section 4.4
            raise ValueError("client_credentials is for clients that authenticate")
        for uri in (*self.redirect_uris, *self.post_logout_redirect_uris):
            redirects.check_registrable(uri, native=self.is_native)

    @property
    def is_native(self) -> bool:
        """Whether this is an app on a person's own device (RFC 8252)."""
        return self.application_type == "native"

    @property
    def is_public(self) -> bool:
        """Whether this client cannot keep a secret (RFC 6749 section 2.1)."""
        return self.token_endpoint_auth_method == "none"  # noqa: S105 - the name of a method

    # The names below are those Authlib's server framework asks a client for.

    def get_client_id(self) -> str:
        """Return the client_id."""
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """Offer none: a request always says where it wants to go."""

    def get_allowed_scope(self, scope: str | None) -> str:
        """Keep the scopes known here; OIDC Core section 3.1.2.1: unknown ones are ignored."""
        wanted = (scope or DEFAULT_SCOPE).split()
        return " ".join(word for word in dict.fromkeys(wanted) if word in self.scopes)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Compare with each registered redirect address."""
        return any(redirects.matches(uri, redirect_uri, any_port=self.is_native) for uri in self.redirect_uris)

    def check_post_logout_redirect_uri(self, redirect_uri: str) -> bool:
        """Compare with each registered address to return to after logout."""
        return any(
            redirects.matches(uri, redirect_uri, any_port=self.is_native) for uri in self.post_logout_redirect_uris
        )

    def check_client_secret(self, client_secret: str) -> bool:
        """Compare without telling by the time it takes."""
        return hmac.compare_digest((self.client_secret or "").encode(), client_secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Allow the registered way of authenticating and no other, at every endpoint."""
        del endpoint
        return method == self.token_endpoint_auth_method

    def check_response_type(self, response_type: str) -> bool:
        """Allow the code flow only."""
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        """Allow the registered grants."""
        return grant_type in self.grant_types


def default_clients(assertion_jwks: Mapping[str, Any]) -> dict[str, Client]:
    """Return a public desktop app and one confidential client for each way of authenticating."""
    desktop = Client(
        client_id=DESKTOP,
        client_name="Devkit desktop app",
        redirect_uris=(*LOOPBACK_REDIRECTS, "com.example.devkit:/callback"),
        post_logout_redirect_uris=("http://127.0.0.1/signed-out", "http://[::1]/signed-out"),
        grant_types=("authorization_code", "refresh_token", DEVICE_CODE),
    )
    clients = [desktop]
    for ending, method in (
        ("basic", "client_secret_basic"),
        ("post", "client_secret_post"),
        ("secret-jwt", "client_secret_jwt"),
        ("private-key-jwt", "private_key_jwt"),
    ):
        clients.append(
            Client(
                client_id=f"devkit-confidential-{ending}",
                client_name=f"Devkit service ({method})",
                token_endpoint_auth_method=method,
                client_secret=SHARED_SECRET if "secret" in method else None,
                jwks=assertion_jwks if method == "private_key_jwt" else None,
                grant_types=GRANT_TYPES,
            )
        )
    return {client.client_id: client for client in clients}
