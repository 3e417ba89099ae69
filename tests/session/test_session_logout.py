"""Signing out: here first, whatever the network does; then there; then the keys."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

import oidcclient
from oidcclient import events, hooks
from oidcclient_devkit import Provider
from tests.client.conftest import TEST_POLICY
from tests.session.conftest import SCOPES, SignIn


def notices(seen: list[object]) -> list[str]:
    return [event.text for event in seen if isinstance(event, events.Notice)]


def test_logout_wipes_here_and_revokes_the_refresh_token_first(
    sign_in: SignIn, oidc_provider: Provider, seen: list[object]
) -> None:
    """RFC 7009 section 2.1."""
    session = sign_in()
    session.logout()
    assert session._core.store.load(session._key) is None
    assert session.user.claims["preferred_username"] == "ann"
    hints = [request.value("token_type_hint") for request in oidc_provider.requests if request.path == "/revoke"]
    assert hints == ["refresh_token", "access_token"]
    assert any(isinstance(event, events.SignedOut) for event in seen)


def test_a_session_that_was_signed_out_gives_no_token(sign_in: SignIn) -> None:
    session = sign_in()
    session.logout()
    with pytest.raises(oidcclient.LoginRequired):
        session.access_token()
    with pytest.raises(oidcclient.LoginRequired):
        session.refresh()
    session.logout()  # once more does no harm


def test_the_revoked_tokens_are_dead_at_the_provider(sign_in: SignIn, oidc_provider: Provider) -> None:
    session = sign_in()
    assert session.revoke()
    with pytest.raises(oidcclient.SessionExpired):
        session.refresh()


@pytest.mark.parametrize(("status", "body"), [(503, b""), (500, b""), (400, b'{"error":"invalid_client"}')])
def test_a_provider_that_refuses_does_not_stop_the_local_sign_out(
    sign_in: SignIn, oidc_provider: Provider, seen: list[object], status: int, body: bytes
) -> None:
    session = sign_in()
    oidc_provider.answer("revoke", status, {"Content-Type": "application/json"}, body, times=5)
    session.logout()
    assert session._core.store.load(session._key) is None
    assert any("the provider was not told" in text for text in notices(seen))


def test_a_provider_that_hangs_is_left_alone_after_five_seconds(
    sign_in: SignIn, oidc_provider: Provider, seen: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oidcclient._shell.with_session.REVOKE_SECONDS", 0.3)
    session = sign_in()
    oidc_provider.delay("revoke", 2)
    began = time.monotonic()
    session.logout()
    assert time.monotonic() - began < 1.5
    assert session._core.store.load(session._key) is None
    assert any("has not answered in time" in text for text in notices(seen))


def test_a_kind_of_token_that_cannot_be_revoked_is_no_failure(sign_in: SignIn, oidc_provider: Provider) -> None:
    """RFC 7009 section 2.2.1."""
    session = sign_in()
    oidc_provider.answer(
        "revoke", 400, {"Content-Type": "application/json"}, b'{"error":"unsupported_token_type"}', times=2
    )
    assert session.revoke()


def test_a_provider_that_is_busy_says_that_the_tokens_are_alive(sign_in: SignIn, oidc_provider: Provider) -> None:
    """RFC 7009 section 2.2.1: 503."""
    session = sign_in()
    oidc_provider.answer("revoke", 503, {"Retry-After": "5"}, b"")
    with pytest.raises(oidcclient.TransportError) as failure:
        session.revoke()
    assert failure.value.retry_after == 5


def test_a_provider_without_revocation_is_said_so(sign_in: SignIn, oidc_provider: Provider) -> None:
    base = oidc_provider.issuer
    metadata = {
        "issuer": base,
        "authorization_endpoint": f"{base}/authorize",
        "token_endpoint": f"{base}/token",
        "jwks_uri": f"{base}/jwks",
    }
    session = sign_in(metadata=metadata)
    assert not session.revoke()
    session.logout()
    assert not [request for request in oidc_provider.requests if request.path == "/revoke"]


def test_the_providers_own_session_ends_in_the_browser(
    sign_in: SignIn, oidc_provider: Provider, seen: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """RP-Initiated Logout 2; the ID Token is in no process's arguments, as our own address leads there."""
    opened: list[str] = []
    browser = oidc_provider.browser()

    class Given:
        own_start = True

        def open(self, address: str, issuer: str, what: str) -> None:
            opened.append(address)
            browser(address)

    monkeypatch.setattr("oidcclient._shell.with_session.choose_opener", lambda *_arguments: Given())
    session = sign_in()
    id_token = session.id_token
    session.logout(browser=True)
    browser.join()
    assert id_token not in opened[0]
    ended = next(request for request in oidc_provider.requests if request.path == "/end-session")
    assert ended.value("id_token_hint") == id_token
    assert ended.value("client_id") == oidc_provider.client_id
    assert ended.value("post_logout_redirect_uri") is None


def test_without_a_browser_the_person_is_told(
    sign_in: SignIn, seen: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OIDCCLIENT_NO_BROWSER", "1")
    session = sign_in()
    session.logout(browser=True)
    assert any("no browser here" in text for text in notices(seen))


@pytest.mark.parametrize("uri", ["http://127.0.0.1/bye", "HTTP://example.com", "bye", ""])
def test_a_plain_http_page_after_logout_is_refused_before_anything_is_done(
    sign_in: SignIn, oidc_provider: Provider, uri: str
) -> None:
    """RP-Initiated Logout 2: http is for confidential clients."""
    session = sign_in()
    with pytest.raises(oidcclient.UsageError):
        session.logout(post_logout_redirect_uri=uri)
    assert session.access_token().value
    assert not oidc_provider.requests


def test_a_logout_page_that_cannot_be_used_does_not_stop_the_revocation(
    sign_in: SignIn, oidc_provider: Provider, seen: list[object]
) -> None:
    """RP-Initiated Logout 2.1: the endpoint is https."""
    session = sign_in()
    provider = session._core.provider
    assert provider.metadata is not None
    provider.metadata = replace(
        provider.metadata, raw={**provider.metadata.raw, "end_session_endpoint": "http://evil.example/"}
    )
    session.logout()
    assert oidc_provider.count("revoke") == 2
    assert any("logout page cannot be used" in text for text in notices(seen))


def test_a_record_that_cannot_be_read_is_wiped_and_revoked_from_memory(
    sign_in: SignIn, oidc_provider: Provider, tmp_path: Path
) -> None:
    session = sign_in(store=oidcclient.FileStore(tmp_path))
    (record,) = tmp_path.rglob("*.session")
    record.write_bytes(record.read_bytes()[:-3])
    session.logout()
    assert oidc_provider.count("revoke") == 2
    assert not list(tmp_path.rglob("*.session"))


def test_a_program_may_open_the_logout_page_in_a_way_of_its_own(sign_in: SignIn, oidc_provider: Provider) -> None:
    session = sign_in()
    browser = oidc_provider.browser()
    session.logout(open_browser=browser)
    browser.join()
    assert oidc_provider.count("end_session") >= 1


def test_a_key_that_cannot_be_removed_is_told_and_the_session_is_gone(sign_in: SignIn, seen: list[object]) -> None:
    class Stuck:
        name = "stuck"

        def prepare(self, context: hooks.HookContext) -> hooks.Flow[None]:
            context.state["key"] = "key-1"
            yield from hooks.sleep(0)

        def forget(self, state: Mapping[str, object]) -> hooks.Flow[None]:
            yield from hooks.sleep(0)
            raise oidcclient.KeyUnavailable("the store is locked")

    session = sign_in(hooks=[Stuck()])
    session.logout()
    assert session._core.store.load(session._key) is None
    assert any("could not be removed" in text for text in notices(seen))


def test_a_hook_removes_its_key_after_the_provider_was_told(sign_in: SignIn, oidc_provider: Provider) -> None:
    order: list[str] = []

    class Keeps:
        name = "keeps"

        def prepare(self, context: hooks.HookContext) -> hooks.Flow[None]:
            context.state["key"] = "key-1"
            yield from hooks.sleep(0)

        def forget(self, state: Mapping[str, object]) -> hooks.Flow[None]:
            told = [request.path for request in oidc_provider.requests]
            yield from hooks.run(lambda: order.append(f"forgot {state['key']} after {told}"))

    sign_in(hooks=[Keeps()]).logout()
    assert order == ["forgot key-1 after ['/revoke', '/revoke']"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_async_twin_signs_out_too(sign_in: SignIn, oidc_provider: Provider, backend: str) -> None:
    store = oidcclient.MemoryStore()
    sign_in(store=store)

    async def main() -> None:
        async with oidcclient.AsyncClient(
            oidc_provider.issuer, oidc_provider.client_id, scopes=SCOPES, policy=TEST_POLICY, store=store
        ) as client:
            session = await client.session()
            assert (await session.refresh()).value == (await session.access_token()).value
            assert await session.revoke()
            await session.logout()
            with pytest.raises(oidcclient.LoginRequired):
                await client.session()

    anyio.run(main, backend=backend)


def test_a_refresh_under_way_cannot_bring_a_session_back(sign_in: SignIn, oidc_provider: Provider) -> None:
    session = sign_in()
    oidc_provider.delay("token", 0.3)
    source = session._source(None)
    flight = source.fly(None)
    time.sleep(0.1)
    session.logout()
    flight.exception(5)
    assert session._core.store.load(session._key) is None
