"""An asynchronous client whose key takes its time: a TPM, or a key that waits until the event loop has gone on."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest

import oidcclient
from oidcclient_devkit import Provider
from oidcclient_dpop import DPoP, Protection
from oidcclient_dpop.stores import generate
from tests.client.conftest import TEST_POLICY
from tests.dpop_stores.conftest import new_tpm, tpm
from tests.dpop_stores.daemons import Swtpm
from tests.session.conftest import SCOPES

__all__ = ["new_tpm", "tpm"]  # fixtures are found by their names

TICK_S = 0.001
TICKS = 3  # that a signature waits for
BLOCKED_S = 10.0  # after which the loop must have stood still


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Ticker:
    """A task that ticks as long as nobody blocks the event loop."""

    def __init__(self) -> None:
        self.loop_thread = threading.get_ident()
        self._changed = threading.Condition()
        self._ticks = 0

    async def tick(self) -> None:
        """Tick for ever."""
        while True:
            await anyio.sleep(TICK_S)
            with self._changed:
                self._ticks += 1
                self._changed.notify_all()

    def wait(self) -> None:
        """Return after some ticks; raises if there are none."""
        with self._changed:
            until = self._ticks + TICKS
            if not self._changed.wait_for(lambda: self._ticks >= until, BLOCKED_S):
                raise TimeoutError("the event loop stands still while a key signs")


class SlowKey:
    """A key that signs only after the event loop has gone on."""

    alg = "ES256"
    protection = Protection.HARDWARE
    blocks = True

    def __init__(self, ticker: Ticker) -> None:
        self._key = generate(self.alg)
        self._ticker = ticker
        self.threads: list[int] = []

    def public_jwk(self) -> Mapping[str, str]:
        return self._key.public_jwk()

    def sign(self, message: bytes) -> bytes:
        self.threads.append(threading.get_ident())
        self._ticker.wait()
        return self._key.sign(message)


@asynccontextmanager
async def signed_in(provider: Provider, hook: DPoP) -> AsyncIterator[oidcclient.AsyncSession]:
    browser = provider.browser()
    async with oidcclient.AsyncClient(
        provider.issuer,
        provider.client_id,
        scopes=SCOPES,
        policy=TEST_POLICY,
        store=oidcclient.MemoryStore(),
        hooks=[hook],
    ) as client:
        yield await client.login(open_browser=browser, resource=provider.api, timeout=20)
    browser.join()


async def use(session: oidcclient.AsyncSession, provider: Provider) -> list[Any]:
    """Refresh, ask userinfo and call the API in both ways."""
    first = await session.access_token()
    second = await session.refresh()
    told = [second.type, first.value != second.value, (await session.userinfo())["sub"] == session.user.sub]
    async with session.http(provider.api, trust_env=False) as api:
        told.append((await api.get("/me")).status_code)
    async with httpx.AsyncClient(auth=session.auth(resource=provider.api), trust_env=False) as api:
        told.append((await api.get(f"{provider.api}/me")).status_code)
    return told


GOOD = ["DPoP", True, True, 200, 200]


@pytest.mark.anyio
@pytest.mark.parametrize("nonces", ["off", "required"])
async def test_a_tpm_signs_for_an_asynchronous_client(oidc_provider: Provider, tpm: Swtpm, nonces: str) -> None:
    oidc_provider.dpop_nonces(as_=nonces, rs=nonces)  # type: ignore[arg-type] # two of its three words
    hook = DPoP(store=tpm.uri, minimum=Protection.HARDWARE)
    async with signed_in(oidc_provider, hook) as session:
        assert session.describe()[0].startswith("TPM 2.0: cannot be copied off this machine")
        assert await use(session, oidc_provider) == GOOD
    proofs = [request.header("dpop") for request in oidc_provider.requests if request.header("dpop")]
    # PAR, code, refresh, userinfo and two calls; with nonces a challenge at each of the two servers
    assert len(proofs) == len(set(proofs)) == (6 if nonces == "off" else 8)


@pytest.mark.anyio
async def test_the_event_loop_goes_on_while_a_key_signs(oidc_provider: Provider) -> None:
    """A key that blocks signs off the event loop, for every kind of exchange."""
    ticker = Ticker()
    key = SlowKey(ticker)
    async with anyio.create_task_group() as group:
        group.start_soon(ticker.tick)
        async with signed_in(oidc_provider, DPoP(key=key)) as session:
            assert await use(session, oidc_provider) == GOOD
            await session.logout()
        group.cancel_scope.cancel()
    assert len(key.threads) == 6
    assert ticker.loop_thread not in key.threads


@pytest.mark.anyio
async def test_tasks_that_share_a_slow_key_all_get_through(oidc_provider: Provider) -> None:
    """Signatures that wait take no thread that anybody else needs to go on."""
    ticker = Ticker()
    statuses: list[int] = []
    async with anyio.create_task_group() as group:
        group.start_soon(ticker.tick)
        async with (
            signed_in(oidc_provider, DPoP(key=SlowKey(ticker))) as session,
            session.http(oidc_provider.api, trust_env=False) as api,
        ):

            async def call() -> None:
                statuses.append((await api.get("/me")).status_code)

            async with anyio.create_task_group() as calls:
                for _ in range(60):
                    calls.start_soon(call)
        group.cancel_scope.cancel()
    assert statuses == [200] * 60
