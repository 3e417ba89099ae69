"""Found in review: event loops that end, stand still or are blocked, with a transport of the program's own."""

import asyncio
import contextlib
import threading

import httpx
import pytest

import oidcclient
from oidcclient_devkit import Provider
from tests.client.conftest import TEST_POLICY, advance
from tests.session.conftest import SCOPES

HOUR = 3600.0


def make(provider: Provider, store: oidcclient.Store) -> oidcclient.AsyncClient:
    return oidcclient.AsyncClient(
        provider.issuer,
        provider.client_id,
        scopes=SCOPES,
        policy=TEST_POLICY,
        store=store,
        http=oidcclient.Http(transport=httpx.AsyncHTTPTransport()),
    )


def sign_in(provider: Provider, store: oidcclient.Store) -> None:
    async def run() -> None:
        browser = provider.browser(user="ann")
        async with make(provider, store) as client:
            await client.login(open_browser=browser, timeout=20)
        browser.join()

    asyncio.run(run())
    provider.move_clock(HOUR)


def test_an_async_client_is_not_closed_under_its_refresh(oidc_provider: Provider) -> None:
    """
    The caller has left (a timeout), the program leaves `async with`, the loop ends: the usual end of a short program.

    With a transport of the program's own the refresh runs on that loop, and closing the transport under it loses the
    rotated token, so the next start is signed out. `Client.close()` leaves a refresh alone; `AsyncClient.close()` has
    to wait for it, five seconds at the most (design section 4).
    """
    store = oidcclient.MemoryStore()
    sign_in(oidc_provider, store)
    oidc_provider.delay("token", 0.6)

    async def impatient() -> None:
        async with make(oidc_provider, store) as client:
            advance(client, HOUR)
            session = await client.session()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(session.access_token(), 0.3)

    asyncio.run(impatient())
    oidc_provider.behave()

    async def next_start() -> str:
        async with make(oidc_provider, store) as client:
            advance(client, HOUR)
            return (await (await client.session()).access_token()).value

    assert asyncio.run(next_start())


def test_a_sync_client_in_a_coroutine_is_an_error_and_no_wait_for_ever(oidc_provider: Provider) -> None:
    """
    `AsyncSession.auth()` is taken by sync httpx clients too. Used in a coroutine, that blocks the loop.

    Where the transport is the program's own, the refresh needs that very loop: each waits for the other, for ever, and
    the record's lock is held all the while.
    """
    store = oidcclient.MemoryStore()
    sign_in(oidc_provider, store)
    came: list[object] = []

    async def confused() -> None:
        async with make(oidc_provider, store) as client:
            advance(client, HOUR)
            session = await client.session()
            with httpx.Client(auth=session.auth(oidc_provider.api), trust_env=False) as api:
                with contextlib.suppress(oidcclient.OidcError):
                    api.get(f"{oidc_provider.api}/me")  # noqa: ASYNC212 - the mistake that is tested
                came.append(True)

    thread = threading.Thread(target=asyncio.run, args=(confused(),), daemon=True)
    thread.start()
    thread.join(TEST_POLICY.http_timeout + 3)
    assert came
