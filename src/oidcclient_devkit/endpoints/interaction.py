"""The sign-in page and the consent page."""

from collections.abc import Callable

from oidcclient_devkit.answers import Answer
from oidcclient_devkit.clients import Client
from oidcclient_devkit.core import Core
from oidcclient_devkit.exchange import Exchange
from oidcclient_devkit.grants.code import granted_scope
from oidcclient_devkit.pages.render import error_page, page
from oidcclient_devkit.signing_in import sign_in
from oidcclient_devkit.store import Interaction, Session, SignedIn

from .authorize import finish, needs_consent, next_step
from .sessions import csrf_holds, current_session, with_cookie

Step = Callable[[Core, Exchange, Interaction, Session], Answer]


def _step(core: Core, exchange: Exchange, step: Step) -> Answer:
    """Find what the page is about; refuse a form that another site sent."""
    session = current_session(core, exchange)
    waiting = core.store.interactions.get(exchange.path.rpartition("/")[2])
    if waiting is None or session is None or waiting.session_id != session.id:
        return error_page(
            400,
            "This sign-in is over",
            "It was finished, given up, or started in another browser. Go back to the app and sign in again.",
        )
    if exchange.method == "POST" and not csrf_holds(session, exchange):
        return error_page(403, "This form came from somewhere else", "Its anti-forgery token is missing or wrong.")
    return step(core, exchange, waiting, session)


def sign_in_page(core: Core, exchange: Exchange) -> Answer:
    """Ask who it is."""
    return _step(core, exchange, _sign_in)


def consent_page(core: Core, exchange: Exchange) -> Answer:
    """Ask whether the app may."""
    return _step(core, exchange, _consent)


def _sign_in(core: Core, exchange: Exchange, waiting: Interaction, session: Session) -> Answer:
    if exchange.method != "POST":
        return _show_sign_in(core, waiting, session)
    if exchange.value("decision") == "deny":
        return finish(core, exchange, waiting, denied=True)
    username = chosen_person(core, exchange, session)
    if username is None:
        return _show_sign_in(core, waiting, session, typed=exchange.value("username") or "")
    waiting.signed_in = sign_in(core, username, waiting.acr)
    del core.store.sessions[session.id]
    session = core.store.new_session(waiting.signed_in)
    waiting.session_id = session.id
    return with_cookie(core, session, next_step(core, exchange, waiting))


def chosen_person(core: Core, exchange: Exchange, session: Session) -> str | None:
    """Return who signed in: by password, or the person who is here already and chose to go on."""
    if exchange.value("decision") == "continue" and session.signed_in is not None:
        return session.signed_in.username
    user = core.users.get((exchange.value("username") or "").strip())
    return user.username if user is not None and user.knows(exchange.value("password") or "") else None


def _show_sign_in(core: Core, waiting: Interaction, session: Session, *, typed: str | None = None) -> Answer:
    data = waiting.request.payload.data
    chooses = "select_account" in data.get("prompt", "").split() and typed is None
    return sign_in_form(
        core,
        session,
        client=core.clients[data["client_id"]],
        acr=waiting.acr,
        hint=data.get("login_hint", "") if typed is None else typed,
        wrong=typed is not None,
        here=session.signed_in if chooses else None,
        form_target=data["redirect_uri"],
    )


def sign_in_form(
    core: Core,
    session: Session,
    *,
    client: Client,
    acr: str,
    hint: str = "",
    wrong: bool = False,
    here: SignedIn | None = None,
    form_target: str | None = None,
) -> Answer:
    """Show the form for name and password; it is sent to the address it is shown at."""
    return page(
        "sign_in.html",
        status=400 if wrong else 200,
        form_target=form_target,
        client=client,
        users=list(core.users.values()),
        here=core.users[here.username] if here else None,
        hint=hint,
        problem="That name and password do not go together." if wrong else "",
        csrf=session.csrf,
        acr=acr,
    )


def _consent(core: Core, exchange: Exchange, waiting: Interaction, session: Session) -> Answer:
    if waiting.signed_in is None or not needs_consent(core, waiting):
        return next_step(core, exchange, waiting)
    data = waiting.request.payload.data
    client = core.clients[data["client_id"]]
    if exchange.method == "POST":
        return _decide(core, exchange, waiting)
    return page(
        "consent.html",
        form_target=data["redirect_uri"],
        client=client,
        user=core.users[waiting.signed_in.username],
        scopes=granted_scope(waiting.request).split(),
        resources=waiting.request.payload.datalist.get("resource", []),
        target=data["redirect_uri"],
        csrf=session.csrf,
    )


def _decide(core: Core, exchange: Exchange, waiting: Interaction) -> Answer:
    decision = exchange.value("decision")
    if decision == "switch":
        waiting.signed_in = None
        return next_step(core, exchange, waiting)
    if decision != "allow" or waiting.signed_in is None:
        return finish(core, exchange, waiting, denied=True)
    waiting.consented = True
    client_id = waiting.request.payload.client_id
    core.store.remember_consent(waiting.signed_in.username, client_id, waiting.request.scope)
    return next_step(core, exchange, waiting)
