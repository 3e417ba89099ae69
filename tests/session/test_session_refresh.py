"""Refreshing: once, for everybody, and nothing is ever lost."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import anyio
import pytest

import oidcclient
from oidcclient import events
from oidcclient_devkit import Provider
from tests.client.conftest import TEST_POLICY, advance
from tests.session.conftest import SCOPES, SignIn

HOUR = 3600.0


def stored(session: oidcclient.Session) -> oidcclient.SessionRecord:
    record = session._core.store.load(session._key)
    assert record is not None
    return record


def advance_core(session: oidcclient.Session, seconds: float, provider: Provider) -> None:
    """Let time pass, here and at the provider."""

    class Client:
        _core = session._core

    advance(Client, seconds)  # type: ignore[arg-type] # it has what is used
    provider.move_clock(seconds)


def test_an_ended_token_is_renewed_silently(sign_in: SignIn, oidc_provider: Provider, seen: list[object]) -> None:
    session = sign_in()
    first = session.access_token()
    before = stored(session)
    advance_core(session, HOUR, oidc_provider)
    second = session.access_token()
    assert second.value != first.value
    assert stored(session).refresh_token != before.refresh_token
    assert oidc_provider.count("token") == 1
    assert any(isinstance(event, events.SessionRefreshed) for event in seen)


def test_a_fresh_token_costs_no_request(sign_in: SignIn, oidc_provider: Provider) -> None:
    session = sign_in()
    assert session.access_token().value == session.access_token().value
    assert not oidc_provider.requests


def test_a_token_that_ends_soon_is_served_and_renewed_meanwhile(sign_in: SignIn, oidc_provider: Provider) -> None:
    """Design section 6: old access tokens keep being served while they are valid."""
    session = sign_in()
    first = session.access_token()
    advance_core(session, 300 - 30, oidc_provider)
    assert session.access_token().value == first.value
    wait_until(lambda: session.access_token().value != first.value)
    assert oidc_provider.count("token") == 1


def wait_until(condition: object, seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():  # type: ignore[operator] # a lambda of each test's own
            return
        time.sleep(0.01)
    raise AssertionError("it did not come true")


def test_an_early_refresh_that_fails_is_no_error_and_is_not_hammered(sign_in: SignIn, oidc_provider: Provider) -> None:
    session = sign_in()
    first = session.access_token()
    oidc_provider.answer("token", 500, {}, b"", times=10)
    advance_core(session, 300 - 30, oidc_provider)
    for _ in range(5):
        assert session.access_token().value == first.value
        wait_until(lambda: not session._core.refresher.busy)
    assert oidc_provider.count("token") == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_provider_is_left_alone_and_signs_nobody_out(
    sign_in: SignIn, oidc_provider: Provider, status: int
) -> None:
    """RFC 9110 section 10.2.3; design section 6."""
    session = sign_in()
    oidc_provider.answer("token", status, {"Retry-After": "30"}, b"")
    advance_core(session, HOUR, oidc_provider)
    for _ in range(3):
        with pytest.raises(oidcclient.TransportError) as failure:
            session.access_token()
        assert 0 < (failure.value.retry_after or 0) <= 30
        assert failure.value.status == status
    assert oidc_provider.count("token") == 1
    assert stored(session).refresh_token
    session._core.refresher._quiet.clear()  # thirty seconds later
    assert session.access_token().value


def test_a_provider_that_cannot_be_reached_signs_nobody_out(sign_in: SignIn, oidc_provider: Provider) -> None:
    session = sign_in()
    oidc_provider.answer("token", 500, {}, b"")
    advance_core(session, HOUR, oidc_provider)
    with pytest.raises(oidcclient.TransportError):
        session.access_token()
    assert session.access_token().value


def test_invalid_grant_ends_the_session_and_forgets_the_refresh_token_alone(
    sign_in: SignIn, oidc_provider: Provider
) -> None:
    """RFC 9700 section 4.14.2: normal life after a pause."""
    session = sign_in()
    oidc_provider.revoke_grants()
    advance_core(session, HOUR, oidc_provider)
    with pytest.raises(oidcclient.SessionExpired) as refusal:
        session.access_token()
    assert refusal.value.rule == "invalid_grant"
    record = stored(session)
    assert record.refresh_token is None
    assert record.claims["preferred_username"] == "ann"
    assert record.tokens
    with pytest.raises(oidcclient.SessionExpired):
        session.access_token()
    assert oidc_provider.count("token") == 1


def test_invalid_grant_adopts_a_newer_token_that_somebody_else_stored(sign_in: SignIn, oidc_provider: Provider) -> None:
    """A process without our lock (another machine on a shared folder) was faster."""
    session = sign_in()
    advance_core(session, HOUR, oidc_provider)
    core, record = session._core, stored(session)

    class Races(type(core.store)):  # type: ignore[misc] # the store of the session, with one step between
        def load(self, key: oidcclient.RecordKey) -> oidcclient.SessionRecord | None:
            found = core_load(key)
            self.loads = getattr(self, "loads", 0) + 1
            if self.loads == 2:
                token = replace(next(iter(record.tokens.values())), value="newer", expires_at=core.clock.now() + HOUR)
                return replace(record, refresh_token="rt-newer", tokens={"": token})
            return found

    core_load = core.store.load
    racing = Races()
    racing.__dict__.update({**core.store.__dict__})
    core.store = racing
    oidc_provider.misbehave("token.invalid_grant", times=1)
    assert session.access_token().value == "newer"


def test_a_refresh_answer_without_a_refresh_token_keeps_the_old_one(sign_in: SignIn, oidc_provider: Provider) -> None:
    """RFC 6749 section 6; scope is carried forward (section 5.1)."""
    session = sign_in()
    before = stored(session)
    oidc_provider.answer(
        "token", 200, {"Content-Type": "application/json"}, {"access_token": "at-2", "token_type": "Bearer"}
    )
    advance_core(session, HOUR, oidc_provider)
    token = session.access_token()
    assert token.value == "at-2"
    assert token.scope == before.tokens[""].scope
    assert stored(session).refresh_token == before.refresh_token


def test_a_rotated_token_is_saved_even_if_the_rest_of_the_answer_is_refused(
    sign_in: SignIn, oidc_provider: Provider
) -> None:
    """RFC 9700 section 2.2.2: the old one is spent, whatever is wrong with the ID Token."""
    session = sign_in()
    before = stored(session)
    oidc_provider.misbehave("id_token.other_sub", times=1)
    advance_core(session, HOUR, oidc_provider)
    with pytest.raises(oidcclient.IDTokenRefused) as refusal:
        session.access_token()
    assert refusal.value.rule == "sub"
    after = stored(session)
    assert after.refresh_token != before.refresh_token
    assert after.tokens == before.tokens
    assert session.access_token().value


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("id_token.other_sub", "sub"),
        ("id_token.wrong_iss", "iss"),
        ("id_token.wrong_aud", "aud"),
        ("id_token.wrong_key", "signature"),
    ],
)
def test_a_refreshed_id_token_about_another_sign_in_is_refused(
    sign_in: SignIn, oidc_provider: Provider, name: str, rule: str
) -> None:
    """OIDC Core 12.2."""
    session = sign_in()
    oidc_provider.misbehave(name)
    with pytest.raises(oidcclient.IDTokenRefused) as refusal:
        session.refresh()
    assert refusal.value.rule == rule


def test_a_refreshed_id_token_with_another_auth_time_is_refused(sign_in: SignIn, oidc_provider: Provider) -> None:
    """OIDC Core 12.2: `auth_time` is that of the first sign-in."""
    session = sign_in()
    oidc_provider.misbehave("id_token.old_auth_time")
    with pytest.raises(oidcclient.IDTokenRefused) as refusal:
        session.refresh()
    assert refusal.value.rule == "auth_time"


def test_threads_at_expiry_make_one_request(sign_in: SignIn, oidc_provider: Provider) -> None:
    session = sign_in()
    advance_core(session, HOUR, oidc_provider)
    with ThreadPoolExecutor(16) as pool:
        values = {token.value for token in pool.map(lambda _: session.access_token(), range(64))}
    assert len(values) == 1
    assert oidc_provider.count("token") == 1


def test_clients_that_share_a_store_make_one_request(sign_in: SignIn, oidc_provider: Provider) -> None:
    """Each client of a process has flights of its own; the store's lock brings them together."""
    store = oidcclient.MemoryStore()
    session = sign_in(store=store)
    clients = [
        oidcclient.Client(oidc_provider.issuer, oidc_provider.client_id, scopes=SCOPES, policy=TEST_POLICY, store=store)
        for _ in range(8)
    ]
    sessions = [session, *(client.session() for client in clients)]
    for one in sessions:
        advance_core(one, HOUR, oidc_provider)
        oidc_provider.move_clock(-HOUR)
    oidc_provider.move_clock(HOUR)
    with ThreadPoolExecutor(9) as pool:
        values = {token.value for token in pool.map(lambda one: one.access_token(), sessions)}
    for client in clients:
        client.close()
    assert len(values) == 1
    assert oidc_provider.count("token") == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_tasks_at_expiry_make_one_request(sign_in: SignIn, oidc_provider: Provider, backend: str) -> None:
    store = oidcclient.MemoryStore()
    sign_in(store=store)

    async def main() -> None:
        async with oidcclient.AsyncClient(
            oidc_provider.issuer, oidc_provider.client_id, scopes=SCOPES, policy=TEST_POLICY, store=store
        ) as client:
            session = await client.session()
            advance(client, HOUR)
            oidc_provider.move_clock(HOUR)
            values: set[str] = set()

            async def one() -> None:
                values.add((await session.access_token()).value)

            async with anyio.create_task_group() as group:
                for _ in range(64):
                    group.start_soon(one)
            assert len(values) == 1

    anyio.run(main, backend=backend)
    assert oidc_provider.count("token") == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancelled_caller_leaves_at_once_and_the_rotated_token_is_saved(
    sign_in: SignIn, oidc_provider: Provider, backend: str
) -> None:
    """Design section 4: cancelling between the answer and the save would lose the session."""
    store = oidcclient.MemoryStore()
    before = stored(sign_in(store=store))
    oidc_provider.delay("token", 0.5)

    async def main() -> None:
        client = oidcclient.AsyncClient(
            oidc_provider.issuer, oidc_provider.client_id, scopes=SCOPES, policy=TEST_POLICY, store=store
        )
        session = await client.session()
        advance(client, HOUR)
        oidc_provider.move_clock(HOUR)
        began = time.monotonic()
        with anyio.move_on_after(0.1) as scope:
            await session.access_token()
        assert scope.cancelled_caught
        assert time.monotonic() - began < 0.4
        await client.close()

    anyio.run(main, backend=backend)
    wait_until(lambda: store.load(before.key).refresh_token != before.refresh_token)  # type: ignore[union-attr] # it is there
    assert oidc_provider.count("token") == 1


def test_a_lock_that_is_never_released_is_a_clear_error(sign_in: SignIn, oidc_provider: Provider) -> None:
    policy = oidcclient.Policy(allow_http_loopback=True, lock_timeout=0.3)
    session = sign_in(policy=policy)
    lock = session._core.store.try_lock(session._key)
    assert lock is not None
    advance_core(session, HOUR, oidc_provider)
    with pytest.raises(oidcclient.StoreError) as refusal:
        session.access_token()
    assert refusal.value.rule == "lock"
    lock.release()
    assert session.access_token().value
    assert oidc_provider.count("token") == 1


def test_a_refresh_asked_for_happens_though_none_is_due(sign_in: SignIn, oidc_provider: Provider) -> None:
    session = sign_in()
    first = session.access_token()
    assert session.refresh().value != first.value
    assert oidc_provider.count("token") == 1


def test_somebody_elses_refresh_is_adopted(sign_in: SignIn, oidc_provider: Provider) -> None:
    store = oidcclient.MemoryStore()
    first = sign_in(store=store)
    other = oidcclient.Client(
        oidc_provider.issuer, oidc_provider.client_id, scopes=SCOPES, policy=TEST_POLICY, store=store
    )
    second = other.session()
    renewed = first.refresh()
    assert second.refresh().value == renewed.value
    assert oidc_provider.count("token") == 1
    other.close()


def test_somebody_elses_sign_out_is_noticed(sign_in: SignIn) -> None:
    session = sign_in()
    session._core.store.delete(session._key)
    with pytest.raises(oidcclient.LoginRequired):
        session.refresh()


def test_tokens_are_kept_per_resource_and_refreshed_apart(sign_in: SignIn, oidc_provider: Provider) -> None:
    """RFC 8707 section 2.2: one refresh token, one access token per resource."""
    one, two = oidc_provider.api, f"{oidc_provider.api}/second"
    oidc_provider.resources.append(two)
    session = sign_in(login={"resource": [one, two]})
    for resource in (one, two):
        session.refresh(resource)
    sent = [request.value("resource") for request in oidc_provider.requests if request.path == "/token"]
    assert sent == [one, two]
    assert session.access_token(one).value != session.access_token(two).value
    assert session.access_token(f"{one}/me").value == session.access_token(one).value


def test_a_session_without_a_refresh_token_expires(sign_in: SignIn, oidc_provider: Provider) -> None:
    session = sign_in(scopes=["openid"])
    advance_core(session, HOUR, oidc_provider)
    with pytest.raises(oidcclient.SessionExpired) as refusal:
        session.access_token()
    assert refusal.value.rule == "refresh_token"
    assert not oidc_provider.requests


def test_session_or_login_refreshes_rather_than_open_a_browser(sign_in: SignIn, oidc_provider: Provider) -> None:
    store = oidcclient.MemoryStore()
    sign_in(store=store)
    client = oidcclient.Client(
        oidc_provider.issuer, oidc_provider.client_id, scopes=SCOPES, policy=TEST_POLICY, store=store
    )
    advance(client, HOUR)
    oidc_provider.move_clock(HOUR)
    opened: list[str] = []
    assert client.session_or_login(open_browser=opened.append).user.claims["preferred_username"] == "ann"
    assert not opened
    assert oidc_provider.count("token") == 1
    client.close()


def test_a_restarted_program_needs_no_discovery_to_refresh(sign_in: SignIn, oidc_provider: Provider) -> None:
    """The record keeps metadata and keys with their age."""
    store = oidcclient.MemoryStore()
    sign_in(store=store)
    client = oidcclient.Client(
        oidc_provider.issuer, oidc_provider.client_id, scopes=SCOPES, policy=TEST_POLICY, store=store
    )
    session = client.session()
    session.refresh()
    assert [request.path for request in oidc_provider.requests] == ["/token"]
    client.close()


def test_ctrl_c_leaves_a_waiting_thread_and_the_refresh_goes_on(sign_in: SignIn, oidc_provider: Provider) -> None:
    session = sign_in()
    before = stored(session)
    oidc_provider.delay("token", 0.4)
    advance_core(session, HOUR, oidc_provider)
    import _thread  # noqa: PLC0415 - one test plays Ctrl-C

    threading.Timer(0.1, _thread.interrupt_main).start()
    with pytest.raises(KeyboardInterrupt):
        session.access_token()
    wait_until(lambda: stored(session).refresh_token != before.refresh_token)
    assert session.access_token().value
    assert oidc_provider.count("token") == 1
