"""
An authorization server on Authlib that is not the devkit: plain WSGI, a few dictionaries, Authlib's grants as they are.

It stands behind a proxy that is not there: the world knows it as `https://login.example`, its socket is on loopback.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl
from wsgiref.simple_server import WSGIRequestHandler, make_server

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationServer, JsonRequest, OAuth2Payload, OAuth2Request, grants
from authlib.oauth2.rfc7591 import ClientMetadataClaims as Metadata
from authlib.oauth2.rfc7591 import ClientRegistrationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from joserfc.jwk import ECKey
from typing_extensions import override

from oidcclient_dpop.server.authlib import (
    ClientMetadataClaims,
    DPoPServer,
    TokenBinding,
    confirmation,
    introspection_members,
)
from tests.authlib_server.own_grants import (
    METHODS,
    AssertionGrant,
    Client,
    CodeGrant,
    RefreshGrant,
    ServiceGrant,
    Shelf,
    Token,
    User,
)

ISSUER = "https://login.example"
KEY = ECKey.generate_key("P-256")
Answer = tuple[int, list[tuple[str, str]], bytes]


class TokenGenerator(JWTBearerTokenGenerator):  # type: ignore[misc]  # Authlib has no types
    def get_jwks(self) -> Any:
        return KEY.as_dict(private=True)

    def get_extra_claims(self, *_: Any) -> dict[str, Any]:
        return confirmation()


class Registration(ClientRegistrationEndpoint):  # type: ignore[misc]  # Authlib has no types
    def authenticate_token(self, _request: Any) -> bool:
        return True

    def get_server_metadata(self) -> dict[str, Any]:
        return {"token_endpoint_auth_methods_supported": METHODS}

    def save_client(self, info: dict[str, Any], metadata: dict[str, Any], _request: Any) -> Client:
        public = metadata["token_endpoint_auth_method"] == "none"
        client = Client(info["client_id"], "" if public else info["client_secret"], metadata)
        self.server.clients[client.client_id] = client
        return client


class Introspection(IntrospectionEndpoint):  # type: ignore[misc]  # Authlib has no types
    CLIENT_AUTH_METHODS = ["client_secret_post"]  # noqa: RUF012 - as Authlib has it

    def query_token(self, token_string: str, _hint: str | None) -> Token | None:
        found: Token | None = self.server.access_tokens.get(token_string)
        return found

    def check_permission(self, *_: Any) -> bool:
        return True

    def introspect_token(self, token: Token) -> dict[str, Any]:
        return {"active": True, "scope": token.scope, **introspection_members(token.dpop_jkt)}


# The adapter


class Payload(OAuth2Payload):  # type: ignore[misc]  # Authlib has no types
    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    @property
    def data(self) -> dict[str, str]:
        return dict(self._pairs)

    @property
    def datalist(self) -> dict[str, list[str]]:
        return {name: [value for key, value in self._pairs if key == name] for name, _ in self._pairs}


class Request(OAuth2Request):  # type: ignore[misc]  # Authlib has no types
    def __init__(self, environ: dict[str, Any]) -> None:
        headers = {
            name[5:].replace("_", "-").title(): value for name, value in environ.items() if name.startswith("HTTP_")
        }
        # As Flask and Django build it: with whatever the request says of the host.
        super().__init__(
            environ["REQUEST_METHOD"], f"https://{environ['HTTP_HOST']}{environ['PATH_INFO']}", None, headers
        )
        self.payload = Payload(parameters(environ))

    @property
    def form(self) -> dict[str, str]:
        return self.payload.data


class Json(JsonRequest):  # type: ignore[misc]  # Authlib has no types
    def __init__(self, environ: dict[str, Any]) -> None:
        super().__init__(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        self.payload = self
        self._data = json.loads(environ["body"])

    @property
    @override
    def data(self) -> Any:
        return self._data


def parameters(environ: dict[str, Any]) -> list[tuple[str, str]]:
    text = environ["QUERY_STRING"] if environ["REQUEST_METHOD"] == "GET" else environ["body"].decode()
    return parse_qsl(text, keep_blank_values=True)


class WsgiServer(AuthorizationServer):  # type: ignore[misc]  # Authlib has no types
    """What Authlib's Flask or Django class is for others."""

    def send_signal(self, *_: Any, **__: Any) -> None:
        """Nobody listens."""

    def create_oauth2_request(self, request: Any) -> Request:
        return Request(request)

    def create_json_request(self, request: Any) -> Json:
        return Json(request)

    def handle_response(self, status: int, body: Any, headers: Any) -> Answer:
        return plain_answer(status, body, headers)


class OwnServer(DPoPServer, Shelf, WsgiServer):
    def __init__(self, dpop: TokenBinding) -> None:
        super().__init__()
        self.dpop = dpop
        self.pushed: dict[str, dict[str, list[str]]] = {}
        self.register_token_generator("default", TokenGenerator(ISSUER, "ES256", lambda **_: secrets.token_urlsafe()))
        self.register_token_generator("client_credentials", _opaque)
        self.register_grant(CodeGrant, [CodeChallenge(required=True)])
        self.register_grant(RefreshGrant)
        self.register_grant(ServiceGrant)
        self.register_grant(AssertionGrant)
        self.register_grant(grants.ImplicitGrant)
        self.register_endpoint(Registration(claims_classes=[Metadata, ClientMetadataClaims], server=self))
        self.register_endpoint(Introspection)

    # Its pages

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        environ["body"] = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        pages: dict[str, Callable[[dict[str, Any]], Answer]] = {
            "/authorize": self.authorize,
            "/token": self.create_token_response,
            "/par": self.push,
            "/register": lambda one: self.create_endpoint_response("client_registration", one),
            "/introspect": lambda one: self.create_endpoint_response("introspection", one),
            "/metadata": lambda _: plain_answer(200, self.dpop.metadata, []),
        }
        status, headers, body = pages[environ["PATH_INFO"]](environ)
        start(f"{status} Answer", headers)
        return [body]

    def authorize(self, environ: dict[str, Any]) -> Answer:
        """Ann allows whatever she is asked."""
        try:
            request = self.authorization_request(environ, self.pushed.get)
            grant = self.get_authorization_grant(request)
            answer: Answer = self.create_authorization_response(request, grant_user=User(), grant=grant)
        except OAuth2Error as error:
            answer = self.handle_error_response(environ, error)
        return answer

    def push(self, environ: dict[str, Any]) -> Answer:
        answer: Answer = self.create_push_response(environ, METHODS, keep=self.pushed.__setitem__)
        return answer


def _opaque(**options: Any) -> dict[str, Any]:
    return {"access_token": secrets.token_urlsafe(), "token_type": "Bearer", "expires_in": 300, "scope": "read"}


def plain_answer(status: int, body: Any, headers: list[tuple[str, str]]) -> Answer:
    known = {name.lower() for name, _ in headers}
    typed = [] if "content-type" in known or not body else [("Content-Type", "application/json")]
    return status, [*headers, *typed], (json.dumps(body) if isinstance(body, dict) else body).encode()


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def serve(app: Any) -> Iterator[str]:
    """Serve on loopback until the block ends."""
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="own-server")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
