"""Pushed authorization requests (RFC 9126)."""

from authlib.oauth2 import OAuth2Error

from oidcclient_devkit.answers import Answer, error_answer, json_answer
from oidcclient_devkit.core import Core
from oidcclient_devkit.exchange import Exchange, Pairs, first
from oidcclient_devkit.grants.requests import OAuthRequest
from oidcclient_devkit.grants.server import OAuthServer
from oidcclient_devkit.request_objects import unpack_pushed
from oidcclient_devkit.signing_in import choose_acr
from oidcclient_devkit.store import PUSHED_LIFETIME, REQUEST_URI_PREFIX, PushedRequest, new_handle

# RFC 9126 section 2.1: these authenticate the client and are no part of the request.
AUTH_PARAMETERS = frozenset({"client_secret", "client_assertion", "client_assertion_type"})


def push(core: Core, exchange: Exchange) -> Answer:
    """Check a request as the authorization endpoint would, and keep it for one use."""
    server = OAuthServer(core)
    try:
        server.check_form(exchange)
        pushing = OAuthRequest(exchange, core.address("/par"))
        client = server.authenticate_client(pushing, endpoint="par")
        params: Pairs = tuple(pair for pair in exchange.form if pair[0] not in AUTH_PARAMETERS)
        params = _bind(server, pushing, unpack_pushed(core, params, client))
        if first(params, "client_id") is None:
            params = (("client_id", client.client_id), *params)
        refusal = _refusal(core, client.client_id, params)
        if refusal is not None:
            return refusal
        grant = server.get_authorization_grant(OAuthRequest(exchange, core.address("/par"), params))
        grant.validate_authorization_request()
        choose_acr(grant.request)
    except OAuth2Error as error:
        error.redirect_uri = None  # answered to the client itself, never by way of the browser
        return server.problem(error)
    handle = f"{REQUEST_URI_PREFIX}{new_handle()}"
    core.store.pushed[handle] = PushedRequest(client.client_id, params, core.clock.now() + PUSHED_LIFETIME)
    return json_answer({"request_uri": handle, "expires_in": PUSHED_LIFETIME}, 201)


def _bind(server: OAuthServer, pushing: OAuthRequest, params: Pairs) -> Pairs:
    """Keep the key of the push's proof with what was pushed, perhaps in a request object (RFC 9449 section 10.1)."""
    pushed = OAuthRequest(pushing.exchange, pushing.uri, params)
    pushed.dpop_proof = pushing.dpop_proof
    key = server.dpop.pushed_key(pushed)
    return params if key is None or first(params, "dpop_jkt") is not None else (*params, ("dpop_jkt", key))


def _refusal(core: Core, client_id: str, params: Pairs) -> Answer | None:
    """Refuse what the authorization endpoint would show on a page."""
    if first(params, "request_uri") is not None:  # RFC 9126 section 2.1
        return error_answer("invalid_request", "A pushed request has no request_uri.")
    redirect_uri = first(params, "redirect_uri")
    if redirect_uri is None or not core.clients[client_id].check_redirect_uri(redirect_uri):
        return error_answer("invalid_request", "The redirect_uri is not registered for this client.")
    if first(params, "response_type") != "code":
        return error_answer("unsupported_response_type", "The response_type is code.")
    return None


def take(core: Core, request_uri: str, client_id: str | None) -> Pairs | None:
    """Return a pushed request, once, to the client that pushed it (RFC 9126 sections 2.2 and 4)."""
    pushed = core.store.pushed.get(request_uri)
    if pushed is None or pushed.client_id != client_id:
        return None
    del core.store.pushed[request_uri]
    return pushed.params if core.clock.now() < pushed.expires_at else None
