"""The token endpoint and the revocation endpoint: for clients, never for browsers."""

from authlib.oauth2 import OAuth2Error

from oidcclient_devkit.answers import Answer, error_answer, json_answer
from oidcclient_devkit.bearer import TokenRefused, read_access_token
from oidcclient_devkit.core import Core
from oidcclient_devkit.exchange import Exchange
from oidcclient_devkit.grants.requests import OAuthRequest
from oidcclient_devkit.grants.server import OAuthServer

TOKEN_KINDS = ("access_token", "refresh_token")


def token(core: Core, exchange: Exchange) -> Answer:
    """Answer a token request (RFC 6749 section 3.2)."""
    server = OAuthServer(core)
    try:
        server.check_form(exchange)
    except OAuth2Error as error:
        return server.problem(error)
    grant_type = exchange.value("grant_type")
    if grant_type is None:
        return error_answer("invalid_request", "The grant_type is missing.")
    known = core.controls.grants.grant_types
    if grant_type not in known:
        return error_answer("unsupported_grant_type", f"This provider knows {', '.join(known)}.")
    answer: Answer = server.create_token_response(exchange)
    return answer


def revoke(core: Core, exchange: Exchange) -> Answer:
    """Revoke a token, a refresh token with all of its family (RFC 7009 sections 2 and 2.1)."""
    server = OAuthServer(core)
    try:
        server.check_form(exchange)
        client = server.authenticate_client(OAuthRequest(exchange, core.address("/revoke")), endpoint="revocation")
    except OAuth2Error as error:
        return server.problem(error)
    value = exchange.value("token")
    if value is None:
        return error_answer("invalid_request", "The token is missing.")
    if exchange.value("token_type_hint") not in {None, *TOKEN_KINDS}:
        return error_answer("unsupported_token_type", "A token is an access_token or a refresh_token.")
    _forget(core, value, client.client_id)
    return json_answer({})  # RFC 7009 section 2.2: also for a token that is unknown


def _forget(core: Core, value: str, client_id: str) -> None:
    refresh_token = core.store.refresh_tokens.get(value)
    if refresh_token is not None:
        if refresh_token.grant.client_id == client_id:
            refresh_token.grant.revoked = True
        return
    try:
        access_token, _ = read_access_token(core, value)
    except TokenRefused:
        return
    if access_token.grant.client_id == client_id:
        access_token.revoked = True
