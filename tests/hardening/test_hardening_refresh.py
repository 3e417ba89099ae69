"""Found in review: ways in which a rotated refresh token is lost, or a caller waits for ever."""

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import replace
from typing import Any

import pytest

import oidcclient
from oidcclient import events, hooks
from oidcclient_devkit import Provider
from tests.client.conftest import TEST_POLICY, advance
from tests.session.conftest import SCOPES, seen, sign_in  # noqa: F401 - fixtures
from tests.session.test_session_refresh import HOUR, advance_core, stored

SignIn = Callable[..., oidcclient.Session]
JSON = {"Content-Type": "application/json"}


def within(seconds: float, call: Callable[[], Any]) -> Any:
    """Run something that may hang in a thread that does not keep the tests from ending."""
    box: list[Any] = []

    def run() -> None:
        try:
            box.append((True, call()))
        except BaseException as error:  # noqa: BLE001 - handed on
            box.append((False, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert box, f"still waiting after {seconds} seconds"
    good, result = box[0]
    if not good:
        raise result
    return result


# -- rotated tokens that are lost


class FullDisk(oidcclient.MemoryStore):
    """A store that cannot save for a while."""

    full = False

    def save(self, record: oidcclient.SessionRecord, *, current: bool = False) -> None:
        if self.full:
            raise oidcclient.StoreError("no space left on device", rule="disk")
        super().save(record, current=current)


def test_a_rotated_token_that_could_not_be_saved_is_kept_in_memory(sign_in: SignIn, oidc_provider: Provider) -> None:  # noqa: F811
    """
    The disk was full for a moment after the provider had rotated.

    The new refresh token is then known to this process alone; the stored one is spent. To use the stored one at the
    next try is reuse: the provider revokes the family, and the person is signed out though nothing was wrong with the
    sign-in (RFC 9700 section 4.14.2; refresh.py: "the new one must not be lost").
    """
    store = FullDisk()
    session = sign_in(store=store)
    advance_core(session, HOUR, oidc_provider)
    store.full = True
    with pytest.raises(oidcclient.StoreError):
        session.access_token()
    store.full = False
    assert session.access_token().value
    assert stored(session).refresh_token
    assert session.refresh().value


@pytest.mark.parametrize(
    "broken",
    [
        {"expires_in": -1},
        {"expires_in": "soon"},
        {"scope": ["openid"]},
        {"id_token": ""},
        {"token_type": None},
        {"access_token": None},
    ],
    ids=lambda broken: next(iter(broken)) + "=" + str(next(iter(broken.values()))),
)
def test_a_rotated_token_is_saved_even_if_another_member_of_the_answer_is_malformed(
    sign_in: SignIn,  # noqa: F811
    oidc_provider: Provider,
    broken: dict[str, Any],
) -> None:
    """
    The answer is 200 and has a refresh token: the old one is spent, whatever else is wrong with the answer.

    docs/security.md: "the new refresh token is saved before anything else in the answer is judged". An answer that
    cannot be parsed is judged before.
    """
    session = sign_in()
    good = {"access_token": "at-2", "token_type": "Bearer", "expires_in": 300, "refresh_token": "rotated"}
    oidc_provider.answer("token", 200, JSON, {k: v for k, v in {**good, **broken}.items() if v is not None})
    with pytest.raises(oidcclient.ResponseRefused):
        session.refresh()
    assert stored(session).refresh_token == "rotated"


class Stumbles:
    """A hook that fails on what it finds in the answer, as one does that finds two nonces in it."""

    name = "stumbles"

    def __init__(self) -> None:
        self.left = 0

    def exchange(
        self, context: hooks.HookContext, exchange: hooks.Exchange, proceed: hooks.Proceed
    ) -> hooks.Flow[hooks.HttpResponse]:
        answer = yield from proceed(exchange.request)
        if exchange.kind == hooks.ExchangeKind.REFRESH and self.left:
            self.left -= 1
            raise oidcclient.ResponseRefused("the answer has two nonces", rule="nonce")
        return answer


def test_a_rotated_token_is_saved_even_if_a_hook_refuses_the_answer(sign_in: SignIn, oidc_provider: Provider) -> None:  # noqa: F811
    """The hook raises after `proceed`: the provider has rotated, and the session would be lost with the next try."""
    hook = Stumbles()
    session = sign_in(hooks=[hook])
    before = stored(session)
    hook.left = 1
    with pytest.raises(oidcclient.ResponseRefused):
        session.refresh()
    assert stored(session).refresh_token != before.refresh_token
    assert session.refresh().value


class Waits:
    """A hook that holds a refresh back after its answer has come."""

    name = "waits"

    def __init__(self) -> None:
        self.arrived, self.go_on = threading.Event(), threading.Event()
        self.armed = False

    def exchange(
        self, context: hooks.HookContext, exchange: hooks.Exchange, proceed: hooks.Proceed
    ) -> hooks.Flow[hooks.HttpResponse]:
        answer = yield from proceed(exchange.request)
        if exchange.kind == hooks.ExchangeKind.REFRESH and self.armed:
            self.armed = False
            self.arrived.set()
            yield from hooks.run(lambda: self.go_on.wait(3))
        return answer


def test_a_refresh_under_way_does_not_undo_a_sign_in(sign_in: SignIn, oidc_provider: Provider) -> None:  # noqa: F811
    """
    The person signs in again (a step-up, other scopes, a new key) while a refresh of the old session is under way.

    The sign-in saves without the record's lock, so the refresh, which read the record before, puts the old grant back
    over the new one. Providers that allow one grant per client have revoked it: the person is signed out again.
    """
    hook, store = Waits(), oidcclient.MemoryStore()
    session = sign_in(hooks=[hook], store=store)
    hook.armed = True
    with ThreadPoolExecutor(2) as pool:
        refreshing = pool.submit(session.refresh)
        assert hook.arrived.wait(5)
        signing_in = pool.submit(sign_in, store=store, scopes=[*SCOPES, "address"])
        with_lock_it_waits = False
        try:
            signing_in.result(1.5)
        except TookTooLong:
            with_lock_it_waits = True
        hook.go_on.set()
        refreshing.result(10)
        signing_in.result(10)
    assert "address" in stored(session).scopes, with_lock_it_waits


class Sealed:
    """A hook that binds; the provider does not know it."""

    name = "sealed"
    binds = True

    def prepare(self, context: hooks.HookContext) -> hooks.Flow[None]:
        yield from hooks.sleep(0)
        context.state["key"] = "k"


def test_a_session_bound_to_a_hook_is_not_refreshed_without_it(sign_in: SignIn, oidc_provider: Provider) -> None:  # noqa: F811
    """
    Design section 5: "a session made with this hook is only ever used with it".

    A program that was started before the update holds a session without the hook. The person signs in with the updated
    program, which has the hook (DPoP). The old program then reads the bound record when it refreshes, and uses it
    without proof: it is refused with invalid_grant and wipes the refresh token, or it is given a Bearer token and
    stores that, which is a silent downgrade. To adopt the bound access token is no better.
    """
    store = oidcclient.MemoryStore()
    old = sign_in(store=store)
    sign_in(store=store, hooks=[Sealed()])
    bound = stored(old)
    assert bound.binding_hooks == ("sealed",)
    for stale in (0.0, HOUR):
        advance_core(old, stale, oidc_provider)
        with pytest.raises(oidcclient.LoginRequired):
            old.refresh()
    assert stored(old) == bound
    assert oidc_provider.count("token") == 0


def test_revoke_revokes_the_tokens_that_are_stored_now(sign_in: SignIn, oidc_provider: Provider) -> None:  # noqa: F811
    """
    `session.revoke()` says True, so the person believes that the tokens are dead.

    Where another process has refreshed, it sent the spent refresh token, and the live one lives on.
    """
    store = oidcclient.MemoryStore()
    session = sign_in(store=store)
    with oidcclient.Client(
        oidc_provider.issuer, oidc_provider.client_id, scopes=SCOPES, policy=TEST_POLICY, store=store
    ) as other:
        other.session().refresh()
        alive = stored(session).refresh_token
        assert session.revoke()
    assert alive in [request.value("token") for request in oidc_provider.requests.of("revoke")]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_the_child_of_a_fork_does_not_use_a_refresh_token_of_memory_twice(
    sign_in: SignIn,  # noqa: F811
    oidc_provider: Provider,
) -> None:
    """
    `MemoryStore` keeps sessions "in this process alone", but a fork copies them, and the copies share no lock.

    Both then use one refresh token, which revokes the family: a pool of forked workers signs the person out. In the
    child the store has to be empty (LoginRequired, and the parent's session lives).
    """
    session = sign_in()
    advance_core(session, HOUR, oidc_provider)
    child = os.fork()
    if child == 0:
        try:
            session.access_token()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert session.access_token().value
    assert session.refresh().value


# -- waiting for ever


def test_an_event_handler_may_ask_for_the_token(oidc_provider: Provider, sign_in: SignIn) -> None:  # noqa: F811
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
    sign_in: SignIn,  # noqa: F811
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
    sign_in: SignIn,  # noqa: F811
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


# -- clocks, policies, handlers


def test_a_token_from_a_future_that_never_came_is_not_served(sign_in: SignIn, oidc_provider: Provider) -> None:  # noqa: F811
    """
    The clock was a year ahead when the token was refreshed (a flat CMOS battery), then it was set right.

    The token looks fresh for a year: `access_token()` serves one that ended long ago, and nothing renews it. A token
    received in the future says nothing about its end, so it has to be renewed.
    """
    session = sign_in()
    ahead = {"access_token": "ahead", "token_type": "Bearer", "expires_in": 300}
    oidc_provider.answer("token", 200, JSON, ahead)  # without an ID Token, whose iat would have told
    advance_core(session, 365 * 24 * HOUR, oidc_provider)
    assert session.refresh().value == "ahead"
    oidc_provider.move_clock(-364 * 24 * HOUR)
    advance_core(session, 24 * HOUR, oidc_provider)  # set right, and the token has ended since
    oidc_provider.move_clock(-24 * HOUR)
    assert session.access_token().value != "ahead"


def test_metadata_from_a_future_that_never_came_is_fetched_again(sign_in: SignIn, oidc_provider: Provider) -> None:  # noqa: F811
    """Line 40 of the standards: cache with a ceiling. A date that no fetch of today could give is no ceiling."""
    store = oidcclient.MemoryStore()
    session = sign_in(store=store)
    far = time.time() + 365 * 24 * HOUR
    store.save(replace(stored(session), metadata_until=far, keys_until=far))
    client = oidcclient.Client(
        oidc_provider.issuer, oidc_provider.client_id, scopes=SCOPES, policy=TEST_POLICY, store=store
    )
    with client:
        client.session().refresh()
    assert oidc_provider.count("metadata") == 1
    assert stored(session).metadata_until <= time.time() + TEST_POLICY.metadata_max_age


@pytest.fixture
def strict(oidc_provider: Provider, sign_in: SignIn) -> Iterator[oidcclient.Client]:  # noqa: F811
    """A program whose update demands more of the provider than the metadata in its stored session says."""
    store = oidcclient.MemoryStore()
    session = sign_in(store=store)
    record = stored(session)
    metadata = {k: v for k, v in (record.metadata or {}).items() if k != "pushed_authorization_request_endpoint"}
    store.save(replace(record, metadata=metadata))  # the provider has got it since
    with oidcclient.Client(
        oidc_provider.issuer,
        oidc_provider.client_id,
        scopes=SCOPES,
        policy=replace(TEST_POLICY, require_par=True),
        store=store,
    ) as client:
        yield client


def test_stored_metadata_that_a_new_policy_refuses_is_fetched_again(strict: oidcclient.Client) -> None:
    """
    A stricter `Policy` in an update refuses the metadata kept with the session, though the provider's own would do.

    It is never fetched again: every refresh, for ever, is DiscoveryRefused, which is no LoginRequired.
    """
    assert strict.session().refresh().value


def test_a_session_whose_metadata_is_refused_can_be_signed_out(strict: oidcclient.Client) -> None:
    """Design section 3: logout wipes locally first. With refused metadata it wiped nothing."""
    session = strict.session()
    session.logout()
    with pytest.raises(oidcclient.LoginRequired):
        strict.session()


class Bang(Exception):
    """What the program's handler raises."""


@pytest.mark.parametrize("when", [events.SessionRefreshed])
def test_a_handler_that_raises_does_not_fail_the_refresh(
    sign_in: SignIn,  # noqa: F811
    oidc_provider: Provider,
    when: type,
) -> None:
    """The token is there and saved; a handler with a bug (a closed log file) is no reason to withhold it."""

    def handler(event: object) -> None:
        if isinstance(event, when):
            raise Bang

    session = sign_in(on_event=handler)
    assert session.refresh().value


def test_a_handler_that_raises_does_not_stop_a_sign_out_half_way(sign_in: SignIn, oidc_provider: Provider) -> None:  # noqa: F811
    """Wiped from the store, but still usable in this process, never revoked, its hooks' keys never deleted."""

    def handler(event: object) -> None:
        if isinstance(event, events.SignedOut):
            raise Bang

    session = sign_in(on_event=handler)
    with contextlib.suppress(Bang):
        session.logout()
    assert oidc_provider.count("revoke") >= 1
    with pytest.raises(oidcclient.LoginRequired):
        session.access_token()


@pytest.mark.parametrize("when", [events.TokenReceived, events.IDTokenVerified])
def test_a_handler_that_raises_does_not_throw_a_sign_in_away(
    make_client_of: Callable[..., oidcclient.Client], oidc_provider: Provider, when: type
) -> None:
    """The code was exchanged: the tokens are alive at the provider, unknown here, and nobody can revoke them."""

    def handler(event: object) -> None:
        if isinstance(event, when):
            raise Bang

    client = make_client_of(on_event=handler)
    browser = oidc_provider.browser(user="ann")
    with contextlib.suppress(Bang):
        client.login(open_browser=browser, timeout=20)
    browser.join()
    assert client.session().user.sub


@pytest.fixture
def make_client_of(oidc_provider: Provider) -> Iterator[Callable[..., oidcclient.Client]]:
    made: list[oidcclient.Client] = []

    def make(**changes: Any) -> oidcclient.Client:
        settings = {"scopes": SCOPES, "policy": TEST_POLICY, "store": oidcclient.MemoryStore()}
        made.append(oidcclient.Client(oidc_provider.issuer, oidc_provider.client_id, **{**settings, **changes}))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.mark.parametrize("seconds", [float("inf"), float("nan")])
@pytest.mark.parametrize(
    "name", ["http_timeout", "metadata_max_age", "id_token_max_age", "lock_timeout", "jwks_refetch_interval"]
)
def test_a_limit_is_a_number_of_seconds(name: str, seconds: float) -> None:
    """
    `not nan <= 0`, so NaN passes for a limit; infinity switches one off, which no check of `Policy` may.

    `metadata_max_age=inf` is worse: no store can write the record of the sign-in down, after the person has typed.
    """
    with pytest.raises(oidcclient.UsageError):
        oidcclient.Policy(**{name: seconds})  # type: ignore[arg-type] # the names are of numbers


@pytest.mark.parametrize("value", [0, -1])
def test_at_least_one_wrong_callback_is_borne(value: int) -> None:
    """`max_wrong_callbacks=0` ends every sign-in as forged before the browser is back."""
    with pytest.raises(oidcclient.UsageError):
        oidcclient.Policy(max_wrong_callbacks=value)


def test_a_person_has_a_number_of_seconds(make_client_of: Callable[..., oidcclient.Client]) -> None:
    """`timeout=nan` is no deadline: every comparison with it is false."""
    with pytest.raises(oidcclient.UsageError):
        within(5, lambda: make_client_of().start_login(timeout=float("nan")))


def test_the_account_asked_for_is_the_account_returned(
    make_client_of: Callable[..., oidcclient.Client], oidc_provider: Provider
) -> None:
    """
    `session_or_login(account)` falls back on a sign-in, at which anybody may sign in.

    The program asked for ann's session and is handed bob's without a word.
    """
    client, browser = make_client_of(), oidc_provider.browser(user="ann")
    ann = client.login(open_browser=browser, timeout=20).user.sub
    browser.join()
    oidc_provider.revoke_grants()
    advance(client, HOUR)
    oidc_provider.move_clock(HOUR)
    browser = oidc_provider.browser(user="bob")
    try:
        session = client.session_or_login(ann, open_browser=browser, timeout=20)
    except oidcclient.OidcError:
        return
    finally:
        browser.join()
    assert session.user.sub == ann


def test_a_missing_authority_file_is_an_error_of_ours(make_client_of: Callable[..., oidcclient.Client]) -> None:
    """Design section 3: every error is an `OidcError` with a hint."""
    client = make_client_of(http=oidcclient.Http(verify="/nowhere/ca.pem"))
    with pytest.raises(oidcclient.OidcError):
        client.login(open_browser=lambda _: None, timeout=2)
