"""What whoever follows the page on authorization servers has: a Flask application, and what it keeps."""

from __future__ import annotations

from types import ModuleType
from typing import Any, ClassVar

from authlib.oauth2.rfc6749 import grants
from flask import Flask
from jinja2 import DictLoader
from joserfc.jwk import ECKey

from oidcclient_dpop.server import MemoryReplayCache
from tests.authlib_server.own_grants import Client, User
from tests.authlib_server.own_server import Registration


class Record:
    """A row of a table."""

    kept: ClassVar[list[Any]]

    def __init__(self, **fields: Any) -> None:
        self.fields = fields

    def __getattr__(self, name: str) -> Any:
        return self.fields[name]

    def save(self) -> None:
        self.kept.append(self)

    def delete(self) -> None:
        self.kept.remove(self)

    def get_redirect_uri(self) -> str:
        return str(self.redirect_uri)

    def get_scope(self) -> str:
        return str(self.scope)

    def check_client(self, client: Client) -> bool:
        return bool(self.client_id == client.client_id)


class Pushed:
    """A cache for pushed requests."""

    def __init__(self) -> None:
        self.requests: dict[str, Any] = {}

    def keep(self, request_uri: str, parameters: Any) -> None:
        self.requests[request_uri] = parameters

    def find(self, request_uri: str) -> Any:
        return self.requests.get(request_uri)


def new_project() -> ModuleType:
    """Make the page's `project`, with nothing kept yet."""

    class AuthorizationCode(Record):
        kept: ClassVar[list[Any]] = []

    class Token(Record):
        kept: ClassVar[list[Any]] = []

    class CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]  # Authlib has no types
        TOKEN_ENDPOINT_AUTH_METHODS = ["none"]  # noqa: RUF012 - as Authlib has it

        def query_authorization_code(self, code: str, _client: Client) -> Any:
            return next((one for one in AuthorizationCode.kept if one.code == code), None)

        def delete_authorization_code(self, authorization_code: Any) -> None:
            authorization_code.delete()

        def authenticate_user(self, _authorization_code: Any) -> User:
            return User()

    class RefreshGrant(grants.RefreshTokenGrant):  # type: ignore[misc]  # Authlib has no types
        TOKEN_ENDPOINT_AUTH_METHODS = ["none"]  # noqa: RUF012 - as Authlib has it
        INCLUDE_NEW_REFRESH_TOKEN = True

        def authenticate_refresh_token(self, refresh_token: str) -> Any:
            return next((one for one in Token.kept if one.refresh_token == refresh_token), None)

        def authenticate_user(self, _refresh_token: Any) -> User:
            return User()

        def revoke_old_credential(self, refresh_token: Any) -> None:
            refresh_token.delete()

    project = ModuleType("project")
    app = Flask("project")
    app.testing = True  # an exception is the test's
    app.jinja_loader = DictLoader({"consent.html": "May {{ grant.client.client_id }} do that?"})
    project.__dict__.update(
        app=app,
        AuthorizationCode=AuthorizationCode,
        CodeGrant=CodeGrant,
        DPOP_SECRET=b"s" * 32,
        RefreshGrant=RefreshGrant,
        Registration=Registration,
        SIGNING_KEYS=ECKey.generate_key("P-256").as_dict(private=True),
        Token=Token,
        pushed=Pushed(),
        query_client={"app": Client("app")}.get,
        replay=MemoryReplayCache(1_000),
        signed_in_user=User,
    )
    return project
