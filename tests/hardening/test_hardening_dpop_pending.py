"""A sign-in that was started and never waited for leaves no key behind."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

import oidcclient
from oidcclient import events, hooks
from oidcclient_devkit import Provider
from oidcclient_dpop import DPoP
from tests.client.conftest import TEST_POLICY
from tests.client.screen import Screen
from tests.client.test_client_opening import Attempt

WAYS: list[Callable[[], oidcclient.Loopback | oidcclient.Device]] = [oidcclient.Loopback, oidcclient.Device]


def settings(provider: Provider, folder: Path) -> dict[str, object]:
    return {
        "issuer": provider.issuer,
        "client_id": provider.client_id,
        "policy": TEST_POLICY,
        "store": oidcclient.MemoryStore(),
        "hooks": [DPoP(store=f"file:{folder}")],
    }


def check_empty(folder: Path) -> None:
    """The key is removed in the background."""
    until = time.monotonic() + 10
    while list(folder.iterdir()) and time.monotonic() < until:
        time.sleep(0.01)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cancelled", [True, False])
def test_a_sign_in_that_nobody_waits_for_leaves_no_key(
    oidc_provider: Provider, tmp_path: Path, way: Callable[[], oidcclient.Loopback], cancelled: bool
) -> None:
    with oidcclient.Client(**settings(oidc_provider, tmp_path)) as client:  # type: ignore[arg-type] # as the client has them
        pending = client.start_login(via=way())
        assert len(list(tmp_path.iterdir())) == 1
        if cancelled:
            pending.cancel()
        del pending
        gc.collect()
    check_empty(tmp_path)


def test_nor_does_one_of_the_async_client(oidc_provider: Provider, tmp_path: Path) -> None:
    async def main() -> None:
        async with oidcclient.AsyncClient(**settings(oidc_provider, tmp_path)) as client:  # type: ignore[arg-type] # as the client has them
            pending = await client.start_login()
            pending.cancel()
            del pending
            gc.collect()

    anyio.run(main)
    check_empty(tmp_path)


def test_the_key_of_a_session_that_was_waited_for_stays(oidc_provider: Provider, tmp_path: Path) -> None:
    oidc_provider.sign_in_as("ann")
    with oidcclient.Client(**settings(oidc_provider, tmp_path)) as client:  # type: ignore[arg-type] # as the client has them
        pending = client.start_login()
        oidc_provider.browser()(pending.url)
        session = pending.wait()
        del pending
        gc.collect()
        time.sleep(0.1)  # as long as removing takes many times over
        assert len(list(tmp_path.iterdir())) == 1
        session.logout()


def test_what_is_removed_in_the_background_uses_no_network(oidc_provider: Provider) -> None:
    """A hook may want to; it is told so, as it is of any failure."""

    class Asks:
        name = "asks"

        def prepare(self, context: hooks.HookContext) -> hooks.Flow[None]:
            yield from ()
            context.state["made"] = True

        def forget(self, state: object) -> hooks.Flow[None]:
            yield from hooks.send(hooks.HttpRequest("GET", oidc_provider.issuer))

    seen: list[object] = []
    told = threading.Event()

    def see(event: object) -> None:
        seen.append(event)
        if isinstance(event, events.Notice):
            told.set()

    with oidcclient.Client(
        oidc_provider.issuer,
        oidc_provider.client_id,
        policy=TEST_POLICY,
        store=oidcclient.MemoryStore(),
        hooks=[Asks()],
        on_event=see,
    ) as client:
        client.start_login()
        gc.collect()
        assert told.wait(10)
    assert "without the network" in str(seen[-1])


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of POSIX")
def test_a_person_who_asks_for_a_code_instead_gets_another_key_and_the_first_is_gone(
    oidc_provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OIDCCLIENT_FLOW", "paste")
    oidc_provider.set_device_codes(interval=0, lifetime=60)
    made: list[set[Path]] = []

    def approve(code: oidcclient.DeviceCode) -> None:
        made.append(set(tmp_path.iterdir()))
        oidc_provider.approve_device(code.user_code)

    with Screen(monkeypatch) as screen, oidcclient.Client(**settings(oidc_provider, tmp_path)) as client:  # type: ignore[arg-type] # as the client has them
        screen.sit_down()
        attempt = Attempt(client, via=oidcclient.Auto(device=oidcclient.Device(show=approve)), timeout=20)
        screen.read_until("press d")
        first = set(tmp_path.iterdir())
        screen.wait_until_read()
        screen.type("d")
        attempt.join(20)
        assert attempt.session is not None
        assert attempt.session.access_token().type == "DPoP"
    assert len(first) == len(made[0]) == 1
    assert first != made[0] == set(tmp_path.iterdir())
