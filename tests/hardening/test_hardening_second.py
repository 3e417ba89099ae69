"""Found in review, second round: what is left after "lose no rotated token, hang on nothing"."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from anyio.lowlevel import current_token

import oidcclient
from oidcclient import events, hooks
from oidcclient._shell.http import AsyncWire, BridgedWire, Wire
from oidcclient.hooks import HttpRequest
from oidcclient_devkit import Provider
from tests.client.conftest import TEST_POLICY
from tests.hardening.conftest import FailsAtRefresh, Serve, drip_headers
from tests.hardening.within import within
from tests.session.conftest import SCOPES
from tests.session.test_session_refresh import HOUR, advance_core, stored

SignIn = Callable[..., oidcclient.Session]


def test_a_rotated_token_is_saved_even_if_a_hook_breaks(sign_in: SignIn, oidc_provider: Provider) -> None:
    """Hooks are written by others, and what a bug raises is no `OidcError`: the token must be kept all the same."""
    hook = FailsAtRefresh(KeyError("x-header"))
    session = sign_in(hooks=[hook])
    before = stored(session)
    hook.left = 1
    with pytest.raises(KeyError):
        session.refresh()
    assert stored(session).refresh_token != before.refresh_token
    assert session.refresh().value


class Odd(oidcclient.MemoryStore):
    """A store of somebody else's that raises what its database raises."""

    broken = False

    def save(self, record: oidcclient.SessionRecord, *, current: bool = False) -> None:
        if self.broken:
            raise OSError("the database is locked")
        super().save(record, current=current)


def test_a_rotated_token_is_kept_in_memory_whatever_a_store_raises(sign_in: SignIn, oidc_provider: Provider) -> None:
    """The protocol says StoreError, but a session must not depend on that."""
    store = Odd()
    session = sign_in(store=store)
    store.broken = True
    with pytest.raises((OSError, oidcclient.OidcError)):
        session.refresh()
    store.broken = False
    assert session.refresh().value


@pytest.mark.parametrize("kind", [events.MetadataFetched, events.KeysFetched, events.Notice])
def test_a_handler_may_ask_for_the_token_whatever_it_hears(
    sign_in: SignIn,
    oidc_provider: Provider,
    kind: type,
) -> None:
    """
    `SessionRefreshed` is told when the flight has landed; what the provider's documents and the hooks tell is not.

    A handler that asks for the token then waits for the flight whose thread it is in, for ever, with the record's lock.
    An answer or an error will do, as long as it comes.
    """

    class Tells:
        name = "tells"

        def exchange(
            self, context: hooks.HookContext, exchange: hooks.Exchange, proceed: hooks.Proceed
        ) -> hooks.Flow[hooks.HttpResponse]:
            context.emit(events.Notice("hello"))
            return (yield from proceed(exchange.request))

    holder: list[oidcclient.Session] = []
    asked: list[object] = []

    def handler(event: object) -> None:
        if holder and isinstance(event, kind):
            asked.append(event)
            with contextlib.suppress(oidcclient.OidcError):
                holder[0].access_token()

    store = oidcclient.MemoryStore()
    session = sign_in(on_event=handler, hooks=[Tells()], store=store)
    far = 25 * HOUR  # the metadata and the keys are too old as well
    advance_core(session, far, oidc_provider)
    holder.append(session)
    assert within(8, lambda: session.access_token().value)
    assert asked


def test_a_handler_may_refresh_when_it_hears_of_a_refresh(sign_in: SignIn, oidc_provider: Provider) -> None:
    """Foolish, but no reason to hang for ever: the flight is entered as under way while its own thread tells of it."""
    holder: list[oidcclient.Session] = []
    asked: list[object] = []

    def handler(event: object) -> None:
        if holder and isinstance(event, events.SessionRefreshed) and not asked:
            asked.append(event)
            with contextlib.suppress(oidcclient.OidcError):
                holder[0].refresh()

    session = sign_in(on_event=handler)
    holder.append(session)
    assert within(8, lambda: session.refresh().value)


def test_a_sign_in_is_not_thrown_away_because_another_program_hangs(oidc_provider: Provider) -> None:
    """
    A command that was stopped with Ctrl-Z in the middle of a refresh holds the record's lock until it goes on.

    The person has typed the password, the code is spent, the tokens are alive: to throw them away after
    `lock_timeout` helps nobody. The lock is there to make us wait for the other, not to keep us from saving.
    """
    store = oidcclient.MemoryStore()
    settings: dict[str, Any] = {"scopes": SCOPES, "policy": replace(TEST_POLICY, lock_timeout=0.3), "store": store}
    with oidcclient.Client(oidc_provider.issuer, oidc_provider.client_id, **settings) as client:
        browser = oidc_provider.browser(user="ann")
        first = client.login(open_browser=browser, timeout=20)
        browser.join()
        lock = store.try_lock(stored(first).key)
        assert lock is not None
        try:
            browser = oidc_provider.browser(user="ann")
            client.login(open_browser=browser, timeout=20)
            browser.join()
        finally:
            lock.release()


def test_a_request_that_took_too_long_leaves_nothing_behind(serve: Serve) -> None:
    """
    The thread of a request that is given up goes on reading, as long as bytes come, and keeps its connection.

    Each try of a program that polls leaves one more. After a hundred the pool is full (httpx's default) and every
    request to every endpoint waits for a place and fails, until the program is started again.
    """
    dripping = f"{serve(drip_headers)}/"
    wire = Wire(oidcclient.Http(), 0.3)
    try:
        for _ in range(3):
            with pytest.raises(oidcclient.TransportError):
                wire.perform(HttpRequest("GET", dripping))
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline and _requests():
            time.sleep(0.05)
        assert not _requests()
    finally:
        wire.close()


def _requests() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "oidcclient-request"]


def test_a_name_that_is_no_name_is_an_error_of_ours() -> None:
    """`https://a..b/` passes for an endpoint; httpx lets the codec's UnicodeError through. Every error is ours."""
    wire = Wire(oidcclient.Http(), 2)
    try:
        with pytest.raises(oidcclient.OidcError):
            wire.perform(HttpRequest("GET", "https://a..b/"))
    finally:
        wire.close()


def test_an_event_loop_that_ends_under_a_request_is_a_transport_error(oidc_provider: Provider) -> None:
    """`asyncio.run` cancels what is left: `concurrent.futures.CancelledError` reached whoever waits for the refresh."""
    oidc_provider.delay("metadata", 2)
    request = HttpRequest("GET", f"{oidc_provider.issuer}/.well-known/openid-configuration")
    caught: list[BaseException] = []

    async def run() -> threading.Thread:
        wire = BridgedWire(AsyncWire(oidcclient.Http(transport=httpx.AsyncHTTPTransport()), 5), current_token())

        def perform() -> None:
            try:
                wire.perform(request)
            except BaseException as error:  # noqa: BLE001 - looked at below
                caught.append(error)

        thread = threading.Thread(target=perform, daemon=True)
        thread.start()
        await asyncio.sleep(0.3)
        return thread

    asyncio.run(run()).join(5)
    assert isinstance(caught[0], oidcclient.TransportError)
