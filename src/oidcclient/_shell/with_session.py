"""What can be done with a session beyond its tokens: userinfo, revocation, logout."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping

from oidcclient._flows.ending import EndPlan, forgetting_after, logout_here, logout_there
from oidcclient._flows.ending import revoke as revoke_flow
from oidcclient._flows.provider import fetch_metadata
from oidcclient._flows.refresh import lock_record
from oidcclient._flows.userinfo import userinfo as userinfo_flow
from oidcclient._words.effects import Flow, run
from oidcclient._words.errors import OidcError
from oidcclient._words.events import Notice
from oidcclient._words.receiver import StartRequested
from oidcclient._words.record import RecordKey, SessionRecord
from oidcclient._words.values import AccessToken, Json
from oidcclient._words.ways import Loopback
from oidcclient.protocol import check_post_logout_redirect_uri

from .core import ClientCore
from .drivers import drive
from .http import Performs
from .opener import choose_opener
from .redirect import LoopbackReceiver
from .signing_in import end_plan
from .wires import AsyncWires, Wires

__all__ = ["logout", "revoke", "userinfo"]

REVOKE_SECONDS = 5.0  # a sign-out must not hang on a provider that does not answer
BROWSER_SECONDS = 10.0  # for the browser to start and ask where to go


def userinfo(core: ClientCore, record: SessionRecord, token: AccessToken) -> Flow[Mapping[str, Json]]:
    """Fetch the claims of a session's user."""
    now = yield from run(core.clock.now)
    metadata = yield from fetch_metadata(core.provider, now)
    hooks = core.bind(record, metadata, now)
    return (
        yield from userinfo_flow(core.provider, hooks, token, client_id=core.client_id, sub=record.account, now=now)
    )


def revoke(core: ClientCore, record: SessionRecord) -> Flow[bool]:
    """Revoke a session's tokens, as they are now: another process may have refreshed."""
    plan = end_plan(core, record.key)
    lock = yield from lock_record(plan.store, plan.key, plan.clock, plan.policy.lock_timeout)
    try:
        stored = yield from run(lambda: plan.store.load(plan.key))
        return (yield from revoke_flow(plan, stored or record))
    finally:
        lock.release()


def logout(
    core: ClientCore,
    key: RecordKey,
    wires: Wires | AsyncWires,
    *,
    browser: bool,
    open_browser: Callable[[str], object] | None,
    post_logout_redirect_uri: str | None,
) -> Flow[None]:
    """Wipe the session here, then tell the provider, then remove the hooks' keys; the first whatever follows."""
    if post_logout_redirect_uri is not None:
        check_post_logout_redirect_uri(post_logout_redirect_uri)
    plan = end_plan(core, key)
    record = yield from logout_here(plan, core.known.get(key))
    core.forget(key)
    if record is None:
        return
    make_wire = wires.for_thread()
    farewell = run(
        lambda: _say_farewell(
            plan, lambda found: logout_there(plan, record, post_logout_redirect_uri, found), make_wire
        )
    )
    address = yield from forgetting_after(farewell, core.hooks, record.hook_state, core.emit)
    if browser or open_browser is not None:
        yield from run(lambda: _show_logout(core, address, open_browser))


def _say_farewell(
    plan: EndPlan,
    flow: Callable[[Callable[[str], object]], Flow[None]],
    wire: Callable[[], Performs],
) -> str | None:
    """Tell the provider, in a thread that is left behind if the provider takes too long; return the logout address."""
    found: list[str] = []
    thread = threading.Thread(target=lambda: drive(flow(found.append), wire), daemon=True, name="oidcclient-logout")
    thread.start()
    thread.join(REVOKE_SECONDS)
    if thread.is_alive():
        plan.emit(Notice("Signed out here; the provider has not answered in time and was left alone."))
    return found[0] if found else None


def _show_logout(core: ClientCore, address: str | None, open_browser: Callable[[str], object] | None) -> None:
    """Send a browser to the provider's logout page, through our own address: no process list shows the ID Token."""
    if address is None:
        core.emit(Notice("The provider has no logout page: its own session may go on in the browser."))
        return
    receiver = LoopbackReceiver(Loopback())
    try:
        receiver.open(secrets.token_urlsafe(32))
        opener = choose_opener(open_browser, receiver, core.emit)
        if not opener.own_start or receiver.start_uri is None:
            core.emit(
                Notice("There is no browser here: end the provider's own session in the browser you signed in with.")
            )
            return
        opener.open(receiver.start_uri, core.issuer, what="sign out of")
        event = receiver.wait(BROWSER_SECONDS)
        if isinstance(event, StartRequested):
            receiver.send_on(event, address)
    except OidcError as fault:
        core.emit(Notice(f"Signed out here; the provider's logout page could not be opened: {fault}."))
    finally:
        receiver.close()
