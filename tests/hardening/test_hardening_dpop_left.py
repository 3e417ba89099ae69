"""Found in review of the DPoP client: no key is left behind, however a sign-in or a sign-out ends."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

import oidcclient
from oidcclient_devkit import Provider
from oidcclient_dpop import DPoP, Protection, SigningKey
from oidcclient_dpop.stores import SoftwareKey, generate, open_store
from tests.client.conftest import TEST_POLICY
from tests.dpop.conftest import SignIn, seen, sign_in
from tests.session.conftest import SCOPES

__all__ = ["seen", "sign_in"]  # fixtures are found by their names

SOON = 10.0  # seconds


class Shelf:
    """A store that counts its keys, and says when there are none."""

    uri = "shelf:"
    protection = Protection.ISOLATED
    title = "shelf"

    def __init__(self) -> None:
        self.keys: dict[str, SoftwareKey] = {}
        self.made = 0
        self.changed = threading.Condition()
        self.on_create: Callable[[], object] = lambda: None
        self.on_delete: Callable[[], object] = lambda: None

    def probe(self) -> str | None:
        return None

    def algorithms(self) -> tuple[str, ...]:
        return ("ES256",)

    def create(self, alg: str) -> tuple[SigningKey, str]:
        self.on_create()
        with self.changed:
            self.made += 1
            handle = str(self.made)
            self.keys[handle] = generate(alg, protection=self.protection)
            return self.keys[handle], handle

    def load(self, handle: str) -> SigningKey:
        return self.keys[handle]

    def delete(self, handle: str) -> None:
        self.on_delete()
        with self.changed:
            self.keys.pop(handle, None)
            self.changed.notify_all()

    def is_empty_soon(self) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: not self.keys, SOON)


def async_client(provider: Provider, shelf: Shelf, **changes: Any) -> oidcclient.AsyncClient:
    return oidcclient.AsyncClient(
        provider.issuer,
        provider.client_id,
        scopes=SCOPES,
        policy=TEST_POLICY,
        store=oidcclient.MemoryStore(),
        hooks=[DPoP(store=shelf)],
        **changes,
    )


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancelled_sign_in_leaves_no_key(oidc_provider: Provider, backend: str) -> None:
    shelf = Shelf()

    async def main() -> None:
        async with async_client(oidc_provider, shelf) as client:
            with anyio.CancelScope() as scope:
                await client.login(open_browser=lambda _: scope_cancel(scope), timeout=60)
            assert scope.cancelled_caught

    def scope_cancel(scope: anyio.CancelScope) -> None:
        token.append(scope)
        wake.set()

    token: list[anyio.CancelScope] = []
    wake = threading.Event()

    async def whole() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(main)
            await anyio.to_thread.run_sync(wake.wait)
            token[0].cancel()

    anyio.run(whole, backend=backend)
    assert shelf.made == 1
    assert shelf.is_empty_soon()


def test_a_cancelled_task_of_asyncio_leaves_no_key(oidc_provider: Provider) -> None:
    """`asyncio.timeout` and `Task.cancel` go around the scopes of anyio."""
    shelf = Shelf()
    opened = threading.Event()

    async def main() -> None:
        async with async_client(oidc_provider, shelf) as client:
            task = asyncio.create_task(client.login(open_browser=lambda _: opened.set(), timeout=60))
            await asyncio.to_thread(opened.wait)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    assert shelf.made == 1
    assert shelf.is_empty_soon()


def test_a_task_that_is_cancelled_while_its_key_is_made_leaves_no_key(oidc_provider: Provider) -> None:
    """The thread that makes it goes on: a TPM takes seconds."""
    shelf = Shelf()
    making, goes_on = threading.Event(), threading.Event()

    def wait() -> None:
        making.set()
        goes_on.wait(SOON)

    shelf.on_create = wait

    async def main() -> None:
        async with async_client(oidc_provider, shelf) as client:
            task = asyncio.create_task(client.login(open_browser=pytest.fail, timeout=60))
            await asyncio.to_thread(making.wait)
            task.cancel()
            await asyncio.sleep(0)
            goes_on.set()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    assert shelf.made == 1
    assert shelf.is_empty_soon()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_sign_out_that_is_cancelled_leaves_no_key(oidc_provider: Provider, backend: str) -> None:
    """The session is wiped by then, and with it all that names the key."""
    shelf = Shelf()
    oidc_provider.sign_in_as("ann")

    async def main() -> None:
        async with async_client(oidc_provider, shelf) as client:
            session = await client.login(open_browser=oidc_provider.browser(), timeout=20)
            oidc_provider.delay("revoke", 1)
            with anyio.move_on_after(0.2):
                await session.logout()
            assert await client.accounts() == ()

    anyio.run(main, backend=backend)
    assert shelf.is_empty_soon()


def interrupt() -> None:
    raise KeyboardInterrupt


def test_a_sign_out_that_is_interrupted_leaves_no_key(
    sign_in: SignIn, oidc_provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the provider is told."""
    shelf = Shelf()
    session = sign_in(DPoP(store=shelf))
    monkeypatch.setattr("oidcclient._shell.with_session._say_farewell", lambda *_: interrupt())
    with pytest.raises(KeyboardInterrupt):
        session.logout()
    assert shelf.is_empty_soon()


def test_an_interrupt_while_the_old_key_is_removed_does_not_cost_the_new_one(
    sign_in: SignIn, oidc_provider: Provider
) -> None:
    """The new session is stored by then: without its key it would be lost, and its tokens alive."""
    shelf = Shelf()
    store = oidcclient.MemoryStore()
    first = sign_in(DPoP(store=shelf), store=store)

    def once() -> None:
        shelf.on_delete = lambda: None
        raise KeyboardInterrupt

    shelf.on_delete = once
    with pytest.raises(KeyboardInterrupt):
        sign_in(DPoP(store=shelf), store=store)
    kept = store.load(first.key)
    assert kept is not None
    assert list(shelf.keys) == [kept.hook_state["dpop"]["handle"]]


def test_a_file_that_cannot_be_written_whole_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full: what was written could be most of a key, and nobody knows its name."""
    write = os.write
    monkeypatch.setattr("oidcclient_dpop.stores.file_store.os.write", lambda number, data: write(number, data[:7]))
    store = open_store(f"file:{tmp_path}/keys")
    key, handle = store.create("ES256")  # what did not go at once goes after
    assert store.load(handle).public_jwk() == key.public_jwk()
    store.delete(handle)

    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("oidcclient_dpop.stores.file_store.os.write", full)
    with pytest.raises(oidcclient.KeyUnavailable, match="No space"):
        store.create("ES256")
    assert not list((tmp_path / "keys").iterdir())
