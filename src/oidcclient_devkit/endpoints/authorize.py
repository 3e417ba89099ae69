"""The authorization endpoint (RFC 6749 section 3.1, OIDC Core section 3.1.2)."""

from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidRequestError, UnauthorizedClientError
from authlib.oidc.core.errors import ConsentRequiredError, InvalidRequestURIError

from oidcclient_devkit import request_objects
from oidcclient_devkit.answers import Answer, printable, redirect_answer
from oidcclient_devkit.core import Core
from oidcclient_devkit.exchange import Exchange, Pairs, first, repeated
from oidcclient_devkit.grants.requests import OAuthRequest
from oidcclient_devkit.grants.server import MAY_REPEAT, OAuthServer
from oidcclient_devkit.pages.render import error_page
from oidcclient_devkit.signing_in import choose_acr, sign_in, suits
from oidcclient_devkit.store import Interaction, SignedIn, new_handle

from . import par
from .deliver import deliver, deliver_error, sent_params
from .sessions import current_session, with_cookie


class PageError(Exception):
    """The request cannot be answered to the app: it is shown to the person instead."""

    def __init__(self, title: str, why: str, *facts: tuple[str, str]) -> None:
        super().__init__(title)
        self.title = title
        self.why = why
        self.facts = facts


def authorize(core: Core, exchange: Exchange) -> Answer:
    """Answer an authorization request: at once, or with the address of the page to show."""
    try:
        params = _full_request(core, exchange)
        _check_redirect(core, params)
    except PageError as error:
        return error_page(400, error.title, error.why, error.facts)
    request = OAuthRequest(exchange, core.address("/authorize"), params)
    request.claims = {}
    try:
        return _start(core, exchange, request)
    except OAuth2Error as error:
        return deliver_error(core, exchange, request, error)


def _full_request(core: Core, exchange: Exchange) -> Pairs:
    """Return the parameters, those that were pushed if there are any."""
    request_uri, client_id = exchange.value("request_uri"), exchange.value("client_id")
    if request_uri is None or exchange.value("request") is not None:
        return _unpacked(core, exchange.params, client_id)
    # RFC 9126 section 4: the client_id in the address must be that of the push; nothing else there counts.
    pushed = par.take(core, request_uri, client_id)
    if pushed is None:
        raise PageError(
            "This sign-in link no longer works",
            "The request_uri is unknown, has expired after 60 seconds, was used before, or belongs to another client. "
            "A request_uri works once: push the request again and open the new address.",
            ("error", InvalidRequestURIError.error),
            ("client_id", client_id or "(none)"),
        )
    return (*pushed, ("request_uri", request_uri))


def _unpacked(core: Core, params: Pairs, client_id: str | None) -> Pairs:
    """Return the parameters of the request object, if there is one: nothing beside it counts, not even where to go."""
    client = core.clients.get(client_id or "")
    if client is None:
        return params  # that is refused first
    try:
        return request_objects.unpack(core, params, client)
    except OAuth2Error as error:
        raise PageError(
            "This app's request was refused",
            str(error.description),
            ("error", str(error.error)),
            ("client_id", client.client_id),
        ) from error


def _check_redirect(core: Core, params: Pairs) -> None:
    """Never send anybody to an address that is not registered (RFC 6749 section 4.1.2.1)."""
    if twice := set(repeated(params)) & {"client_id", "redirect_uri"}:
        raise PageError("This sign-in link is broken", f"{', '.join(sorted(twice))} was sent more than once.")
    client_id, redirect_uri = first(params, "client_id"), first(params, "redirect_uri")
    if client_id is None:
        raise PageError("This sign-in link is broken", "The client_id is missing.")
    client = core.clients.get(client_id)
    if client is None:
        raise PageError(
            "This app is not known here",
            "No client with this client_id is registered with the devkit.",
            ("client_id", client_id),
            ("Registered", ", ".join(core.clients)),
        )
    if redirect_uri is None or not client.check_redirect_uri(redirect_uri):
        rule = "Addresses are compared character by character"
        rule += "; only the port of a loopback address may differ." if client.is_native else "."
        raise PageError(
            "This app gave an address that is not registered",
            f"The redirect_uri is not registered for this client, so nothing is sent to it. {rule}",
            ("redirect_uri", redirect_uri or "(none)"),
            ("Registered", ", ".join(client.redirect_uris)),
            ("client_id", client_id),
        )


def _start(core: Core, exchange: Exchange, request: Any) -> Answer:
    server = OAuthServer(core)
    if twice := repeated(request.params, may_repeat=MAY_REPEAT):
        raise InvalidRequestError(printable(f"Sent more than once: {', '.join(twice)}."))
    if request.payload.data.get("response_type") != "code":
        raise InvalidRequestError("The response_type is code.", error="unsupported_response_type")
    client = core.clients[request.payload.client_id]
    if client.require_pushed_authorization_requests and "request_uri" not in request.payload.data:
        raise UnauthorizedClientError("This client pushes its requests (RFC 9126).")
    grant = server.get_authorization_grant(request)
    grant.validate_authorization_request()
    acr = choose_acr(request)
    session = current_session(core, exchange)
    signed_in = _who(core, request, session.signed_in if session else None, acr)
    request.user = signed_in
    grant.validate_consent_request()  # prompt=none without a sign-in ends here
    waiting = Interaction(new_handle(), session.id if session else "", request, grant, acr, signed_in)
    if core.controls.sign_in_as is not None:
        return finish(core, exchange, waiting)
    return _ask(core, exchange, waiting)


def _who(core: Core, request: Any, signed_in: SignedIn | None, acr: str) -> SignedIn | None:
    """Return who is signed in already, as far as this request cares."""
    if core.controls.sign_in_as is not None:
        return sign_in(core, core.controls.sign_in_as, acr)
    return signed_in if signed_in is not None and suits(core, request, signed_in) else None


def _ask(core: Core, exchange: Exchange, waiting: Interaction) -> Answer:
    """Send the browser to the first page, or on if no page is needed."""
    if "none" in waiting.request.payload.data.get("prompt", "").split():
        if needs_consent(core, waiting):
            raise ConsentRequiredError("The person has not allowed this yet.")
        return finish(core, exchange, waiting)
    session = core.store.sessions.get(waiting.session_id) or core.store.new_session()
    waiting.session_id = session.id
    core.store.interactions[waiting.id] = waiting
    return with_cookie(core, session, next_step(core, exchange, waiting))


def needs_consent(core: Core, waiting: Interaction) -> bool:
    """Tell whether the person must be asked.

    RFC 8252 section 8.6: a native app could be anybody's, so it is asked about each time,
    but for prompt=none, which asks for an answer without a page.
    """
    data = waiting.request.payload.data
    prompts = data.get("prompt", "").split()
    client = core.clients[data["client_id"]]
    if "consent" in prompts or (client.is_native and client.is_public and "none" not in prompts):
        return True
    signed_in = waiting.signed_in
    return signed_in is None or not core.store.has_consented(
        signed_in.username, client.client_id, waiting.request.scope
    )


def next_step(core: Core, exchange: Exchange, waiting: Interaction) -> Answer:
    """Go to the page that is due, or back to the app."""
    if waiting.signed_in is None:
        return redirect_answer(core.address(f"/sign-in/{waiting.id}"), exchange.method)
    if needs_consent(core, waiting) and not waiting.consented:
        return redirect_answer(core.address(f"/consent/{waiting.id}"), exchange.method)
    return finish(core, exchange, waiting)


def finish(core: Core, exchange: Exchange, waiting: Interaction, *, denied: bool = False) -> Answer:
    """Send the app its code, or the refusal."""
    core.store.interactions.pop(waiting.id, None)
    request = waiting.request
    answer = OAuthServer(core).create_authorization_response(
        request, grant_user=None if denied else waiting.signed_in, grant=waiting.flow
    )
    location = answer.header("location") or ""
    return deliver(core, exchange, request, sent_params(location, request.payload.redirect_uri))
