"""The page where a person types the code that a device shows, signs in, and decides (RFC 8628 section 3.3)."""

from urllib.parse import urlencode

from oidcclient_devkit.answers import Answer, redirect_answer
from oidcclient_devkit.core import Core
from oidcclient_devkit.devices import TooManyWrongCodes, decide, find_waiting
from oidcclient_devkit.exchange import Exchange, first
from oidcclient_devkit.pages.render import error_page, page
from oidcclient_devkit.signing_in import sign_in
from oidcclient_devkit.store import DeviceRequest, Session

from .device_authorization import PAGE
from .interaction import chosen_person, sign_in_form
from .sessions import csrf_holds, current_session, with_cookie

ACR = "pwd"  # a device cannot ask for more
UNKNOWN = "No device waits with this code. Look again; a code that is too old must be asked for anew on the device."


def device(core: Core, exchange: Exchange) -> Answer:
    """Show the step that is due. The code is in the address, so that a link or a QR code can bring it along."""
    session = current_session(core, exchange) or core.store.new_session()
    if exchange.method == "POST" and not csrf_holds(session, exchange):
        return error_page(403, "This form came from somewhere else", "Its anti-forgery token is missing or wrong.")
    try:
        return _step(core, exchange, session)
    except TooManyWrongCodes:
        return error_page(429, "Too many wrong codes", "Wait a minute, then type the code that your device shows.")


def _step(core: Core, exchange: Exchange, session: Session) -> Answer:
    if exchange.method == "POST" and exchange.value("user_code") is not None:  # the form for the code
        return redirect_answer(_address(core, exchange.value("user_code") or ""), exchange.method)
    user_code = first(exchange.query, "user_code")
    if user_code is None:
        return _ask_for_code(core, session)
    waiting = find_waiting(core, user_code)
    if waiting is None:
        return _ask_for_code(core, session, typed=user_code, problem=UNKNOWN)
    if core.controls.sign_in_as is not None:
        session.signed_in = sign_in(core, core.controls.sign_in_as, ACR)
        return _finish(core, session, waiting, allowed=True)
    if session.signed_in is None:
        return _sign_in(core, exchange, session, waiting)
    return _confirm(core, exchange, session, waiting)


def _address(core: Core, user_code: str) -> str:
    return f"{core.address(PAGE)}?{urlencode({'user_code': user_code})}"


def _ask_for_code(core: Core, session: Session, *, typed: str = "", problem: str = "") -> Answer:
    status = 400 if problem else 200
    return with_cookie(
        core, session, page("device_code.html", status=status, csrf=session.csrf, typed=typed, problem=problem)
    )


def _sign_in(core: Core, exchange: Exchange, session: Session, waiting: DeviceRequest) -> Answer:
    """Ask who it is; a new session at each sign-in, so that nobody can fix its id beforehand."""
    client = core.clients[waiting.grant.client_id]
    if exchange.method != "POST":
        return with_cookie(core, session, sign_in_form(core, session, client=client, acr=ACR))
    if exchange.value("decision") == "deny":
        return _finish(core, session, waiting, allowed=False)
    username = chosen_person(core, exchange, session)
    if username is None:
        hint = exchange.value("username") or ""
        return sign_in_form(core, session, client=client, acr=ACR, hint=hint, wrong=True)
    del core.store.sessions[session.id]
    session = core.store.new_session(sign_in(core, username, ACR))
    return with_cookie(core, session, redirect_answer(_address(core, waiting.user_code), exchange.method))


def _confirm(core: Core, exchange: Exchange, session: Session, waiting: DeviceRequest) -> Answer:
    """Ask whether this is the person's own device, showing the code (RFC 8628 sections 3.3.1 and 5.4)."""
    decision = exchange.value("decision") if exchange.method == "POST" else None
    if decision in {"allow", "deny"}:
        return _finish(core, session, waiting, allowed=decision == "allow")
    if decision == "switch":
        session.signed_in = None
        return redirect_answer(_address(core, waiting.user_code), exchange.method)
    grant, signed_in = waiting.grant, session.signed_in
    return page(
        "device_confirm.html",
        client=core.clients[grant.client_id],
        user=core.users[signed_in.username] if signed_in else None,
        user_code=waiting.user_code,
        scopes=grant.scope.split(),
        resources=grant.resources,
        csrf=session.csrf,
    )


def _finish(core: Core, session: Session, waiting: DeviceRequest, *, allowed: bool) -> Answer:
    decide(waiting, session.signed_in if allowed else None)
    client = core.clients[waiting.grant.client_id]
    return with_cookie(core, session, page("device_done.html", client=client, allowed=allowed))
