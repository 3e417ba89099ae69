"""Found in review: ways in which a caller waits for ever."""

import asyncio
import sys
import threading
from collections.abc import Callable

import pytest

import oidcclient
from oidcclient import events
from oidcclient_devkit import Provider
from tests.client.conftest import TEST_POLICY, advance
from tests.hardening.within import within
from tests.session.conftest import SCOPES
from tests.session.test_session_refresh import HOUR, advance_core

SignIn = Callable[..., oidcclient.Session]
JSON = {"Content-Type": "application/json"}


def test_an_event_handler_may_ask_for_the_token(oidc_provider: Provider, sign_in: SignIn) -> None:
    """
    A program that pushes each new token somewhere asks for it when it hears `SessionRefreshed`.

    The event comes from the thread of the flight, before the flight has landed and while it holds the record's lock:
    the handler waits for its own flight, for ever, with everybody else, and other processes get "another process has
    held the session's lock for 30 seconds".
    """
    got: list[str] = []
    holder: list[oidcclient.Session] = []

    def handler(event: object) -> None:
        if isinstance(event, events.SessionRefreshed):
            got.append(holder[0].access_token().value)

    session = sign_in(on_event=handler)
    holder.append(session)
    advance_core(session, HOUR, oidc_provider)
    value = within(6, lambda: session.access_token().value)
    assert got == [value]


def test_a_thread_that_cannot_be_started_is_an_error_and_no_wait_for_ever(
    sign_in: SignIn,
    oidc_provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    RuntimeError: can't start new thread (a limit of the container), or Ctrl-C between the two lines.

    The flight was entered as under way already: whoever comes later waits for a thread that never was.
    """
    session = sign_in()
    advance_core(session, HOUR, oidc_provider)
    start = threading.Thread.start

    def fail(thread: threading.Thread) -> None:
        if thread.name == "oidcclient-refresh":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", fail)
    with pytest.raises((RuntimeError, oidcclient.OidcError)):
        session.access_token()
    monkeypatch.setattr(threading.Thread, "start", start)
    assert within(6, session.access_token).value


def test_a_flight_that_cannot_load_its_code_is_an_error_and_no_wait_for_ever(
    sign_in: SignIn,
    oidc_provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    Imports are lazy: an update of the package under a running program, or one file descriptor too few, and they fail.

    In the flight's thread that happens before anything is caught, so the flight never lands.
    """
    session = sign_in()
    advance_core(session, HOUR, oidc_provider)
    monkeypatch.setitem(sys.modules, "oidcclient._shell.drivers", None)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    with pytest.raises(ImportError):
        within(3, session.access_token)


def test_an_event_loop_that_stands_still_keeps_no_other_waiting(oidc_provider: Provider) -> None:
    """
    A loop that is stopped and not closed (a notebook's, a GUI's) had a task that waited and gave up.

    When the flight lands, its thread calls into that loop and waits for the answer, so whoever stands behind it in the
    list of those to be told waits until that loop runs again: for ever.
    """
    client = oidcclient.AsyncClient(
        oidc_provider.issuer, oidc_provider.client_id, scopes=SCOPES, policy=TEST_POLICY, store=oidcclient.MemoryStore()
    )
    browser = oidc_provider.browser(user="ann")
    still, running = asyncio.new_event_loop(), asyncio.new_event_loop()
    try:
        session = still.run_until_complete(client.login(open_browser=browser, timeout=20))
        browser.join()
        advance(client, HOUR)
        oidc_provider.move_clock(HOUR)
        oidc_provider.delay("token", 1.0)

        async def impatient() -> None:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(session.access_token(), 0.3)

        async def patient() -> str:
            return (await asyncio.wait_for(session.access_token(), 4)).value

        still.run_until_complete(impatient())
        assert running.run_until_complete(patient())
    finally:
        running.run_until_complete(client.close())
        still.run_until_complete(asyncio.sleep(0.1))
        still.close()
        running.close()
