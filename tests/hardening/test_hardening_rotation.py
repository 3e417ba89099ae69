"""Found in review: ways in which a rotated refresh token is lost, or used twice."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from typing import Any

import pytest

import oidcclient
from oidcclient import hooks
from oidcclient_devkit import Provider
from tests.client.conftest import TEST_POLICY
from tests.hardening.conftest import FailsAtRefresh
from tests.session.conftest import SCOPES
from tests.session.test_session_refresh import HOUR, advance_core, stored

SignIn = Callable[..., oidcclient.Session]
JSON = {"Content-Type": "application/json"}


class FullDisk(oidcclient.MemoryStore):
    """A store that cannot save for a while."""

    full = False

    def save(self, record: oidcclient.SessionRecord, *, current: bool = False) -> None:
        if self.full:
            raise oidcclient.StoreError("no space left on device", rule="disk")
        super().save(record, current=current)


def test_a_rotated_token_that_could_not_be_saved_is_kept_in_memory(sign_in: SignIn, oidc_provider: Provider) -> None:
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
    sign_in: SignIn,
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


def test_a_rotated_token_is_saved_even_if_a_hook_refuses_the_answer(sign_in: SignIn, oidc_provider: Provider) -> None:
    """The hook raises after `proceed`: the provider has rotated, and the session would be lost with the next try."""
    hook = FailsAtRefresh(oidcclient.ResponseRefused("the answer has two nonces", rule="nonce"))
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


def test_a_refresh_under_way_does_not_undo_a_sign_in(sign_in: SignIn, oidc_provider: Provider) -> None:
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


def test_a_session_bound_to_a_hook_is_not_refreshed_without_it(sign_in: SignIn, oidc_provider: Provider) -> None:
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


def test_revoke_revokes_the_tokens_that_are_stored_now(sign_in: SignIn, oidc_provider: Provider) -> None:
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
    sign_in: SignIn,
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
