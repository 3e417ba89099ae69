"""Authlib's authorization server, wired to this provider."""

import json
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationServer, InvalidRequestError

from oidcclient_devkit.answers import NO_STORE, Answer, printable
from oidcclient_devkit.clients import AUTH_METHODS, Client
from oidcclient_devkit.core import Core
from oidcclient_devkit.exchange import Exchange, repeated
from oidcclient_dpop.server.authlib import DPoPServer

from .binding import DevkitBinding
from .client_auth import ClientAssertion, authenticate_basic, methods_to_try
from .client_credentials import ClientCredentialsGrant
from .code import CodeGrant
from .device import DeviceGrant
from .extensions import OpenIDRequest, RequestParameters, S256Challenge
from .password import LegacyPasswordGrant
from .refresh import RefreshGrant
from .requests import JsonOAuthRequest, OAuthRequest

MAY_REPEAT = frozenset({"resource", "audience"})  # RFC 8707 section 2


class DevkitServer(AuthorizationServer):  # type: ignore[misc]  # Authlib has no types
    """Authlib's server, with the devkit's requests and answers."""

    core: Core

    def query_client(self, client_id: str) -> Client | None:
        """Find a registered app."""
        return self.core.clients.get(client_id)

    def create_oauth2_request(self, request: Any) -> OAuthRequest:
        """Wrap a request."""
        return OAuthRequest(request, self.core.address(request.path))

    def create_json_request(self, request: JsonOAuthRequest) -> JsonOAuthRequest:
        """Take a request that is wrapped already."""
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> Answer:
        """Turn Authlib's triple into an answer."""
        pairs = [(name, value) for name, value in headers if name.lower() not in {"cache-control", "pragma"}]
        if not isinstance(body, dict):
            return Answer(status, pairs, str(body).encode())
        if "error_description" in body:
            body["error_description"] = printable(body["error_description"])
        return Answer(status, [*pairs, *NO_STORE], json.dumps(body).encode())

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def save_token(self, token: Any, request: Any) -> None:
        """Tokens are kept when they are made."""


class OAuthServer(DPoPServer, DevkitServer):
    """Finds the grant for a request and turns its result into an answer."""

    def __init__(self, core: Core) -> None:
        super().__init__()
        self.core = core
        self.dpop = DevkitBinding(core)
        self.register_client_auth_method("client_secret_basic", authenticate_basic)
        for method in ("private_key_jwt", "client_secret_jwt"):
            self.register_client_auth_method(method, ClientAssertion(core, method))
        self.register_grant(CodeGrant, [S256Challenge(required=True), RequestParameters(core), OpenIDRequest(core)])
        self.register_grant(RefreshGrant, [OpenIDRequest(core)])
        self.register_grant(ClientCredentialsGrant)
        self.register_grant(DeviceGrant, [OpenIDRequest(core)])
        self.register_grant(LegacyPasswordGrant)  # the token endpoint lets none through unless it is switched on

    def authenticate_client(self, request: Any, methods: Any = AUTH_METHODS, endpoint: str = "token") -> Client:
        """Authenticate the client at any endpoint that is not for browsers, and check its DPoP proof.

        Both come before anything is spent: a client that is asked for a nonce sends the same code again.
        """
        del methods
        client: Client = super().authenticate_client(request, methods_to_try(request), endpoint)
        request.client = client
        return client

    def check_form(self, exchange: Exchange) -> None:
        """Refuse what no back-channel endpoint takes (RFC 6749 section 3.2)."""
        if exchange.body and not exchange.form:
            raise InvalidRequestError("The body is not application/x-www-form-urlencoded.")
        if twice := repeated(exchange.form, may_repeat=MAY_REPEAT):
            raise InvalidRequestError(printable(f"Sent more than once: {', '.join(twice)}."))

    def problem(self, error: Any) -> Answer:
        """Answer a request that was refused outside a grant."""
        status, body, headers = error()
        answer: Answer = self.handle_response(status, dict(body), headers)
        return answer
