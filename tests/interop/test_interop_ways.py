"""Signing in without a browser at hand, at a provider that is not ours: `oidc-provider` from npm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import oidcclient
from oidcclient_dpop import DPoP
from tests.client.conftest import TEST_POLICY
from tests.interop.conftest import StartNpmProvider
from tests.interop.npm import NpmProvider
from tests.interop.person import Page, Person

MakePerson = Callable[..., Person]
MakeClient = Callable[..., oidcclient.Client]
SCOPES = ("openid", "email", "offline_access")
NONCES = ("off", "optional", "required")


@pytest.fixture
def make_client() -> Iterator[MakeClient]:
    made: list[oidcclient.Client] = []

    def make(provider: NpmProvider, client_id: str = "native", **settings: Any) -> oidcclient.Client:
        store = oidcclient.MemoryStore()
        made.append(
            oidcclient.Client(provider.issuer, client_id, scopes=SCOPES, policy=TEST_POLICY, store=store, **settings)
        )
        return made[-1]

    yield make
    for client in made:
        client.close()


def approve(pending: oidcclient.PendingLogin, person: Person) -> None:
    """Type the code on the page, sign in and allow."""
    code = pending.device_code
    assert code is not None
    person.user_code = code.user_code
    person(code.verification_uri).wait()


def test_each_kind_of_client_signs_in_on_another_device(
    npm_provider: NpmProvider,
    start_npm_provider: StartNpmProvider,
    make_client: MakeClient,
    person: MakePerson,
    tmp_path: Path,
) -> None:
    """
    RFC 8628 with RFC 9449 section 5: without proofs, with them, with nonces that are handed out and that are demanded.

    All at once, as this provider wants five seconds between two polls.
    """
    providers = {nonces: start_npm_provider(dpopNonce=nonces) for nonces in NONCES}
    for provider in providers.values():
        provider.arrived()
    clients = {"bearer": make_client(npm_provider)}
    for nonces, provider in providers.items():
        hook = DPoP(store=f"file:{tmp_path}/{nonces}")
        clients[nonces] = make_client(provider, "native-dpop", hooks=[hook])
    pending = {name: client.start_login(via=oidcclient.Device(), timeout=60) for name, client in clients.items()}
    for one in pending.values():
        approve(one, person("ann"))
    with ThreadPoolExecutor(len(pending)) as threads:
        sessions = dict(zip(pending, threads.map(oidcclient.PendingLogin.wait, pending.values()), strict=True))
    assert {session.user.sub for session in sessions.values()} == {"ann"}
    assert {name: session.access_token().type for name, session in sessions.items()} == {
        "bearer": "Bearer",
        **dict.fromkeys(NONCES, "DPoP"),
    }
    for session in sessions.values():
        assert session.refresh().value
        assert session.userinfo()["sub"] == "ann"
    for nonces, provider in providers.items():
        polls = [request for request in provider.arrived() if request["path"] == "/token"]
        assert all(poll["proof"]["htu"] == f"{provider.issuer}/token" for poll in polls)
        assert polls[-1]["status"] == 200
        assert ("nonce" in polls[-1]["proof"]) is (nonces != "off")


class Wary(Person):
    """Clicks "Abort" where the code of the device is shown for comparison, and leaves."""

    aborted = False

    def next_step(self, page: Page) -> tuple[str, str, dict[str, str] | None] | None:
        step = None if self.aborted else super().next_step(page)
        if step is None or step[2] is None or "confirm" not in step[2]:
            return step
        self.aborted = True
        return step[0], step[1], {**step[2], "abort": "yes"}


def test_a_person_who_aborts_on_the_other_device_is_told_apart(
    npm_provider: NpmProvider, make_client: MakeClient
) -> None:
    pending = make_client(npm_provider).start_login(via=oidcclient.Device(), timeout=60)
    with Wary("ann") as wary:
        approve(pending, wary)
    with pytest.raises(oidcclient.LoginDenied):
        pending.wait()


def test_a_client_without_the_device_grant_pastes(
    start_npm_provider: StartNpmProvider, make_client: MakeClient, person: MakePerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`Auto()`: the provider has the endpoint, and refuses this client there."""
    monkeypatch.setenv("OIDCCLIENT_NO_BROWSER", "1")
    only_codes = {
        "client_id": "only-codes",
        "application_type": "native",
        "redirect_uris": ["http://127.0.0.1/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
    }
    provider = start_npm_provider(extraClients=[only_codes])
    addresses: list[str] = []

    def read() -> str:
        visit = person("ann")(addresses[-1])
        visit.wait()
        assert visit.unreached is not None
        return visit.unreached

    auto = oidcclient.Auto(device=oidcclient.Device(show=lambda _code: None), paste=oidcclient.Paste(read=read))
    seen: list[object] = []
    client = make_client(provider, "only-codes", on_event=seen.append)
    pending = client.start_login(via=auto, timeout=60)
    addresses.append(pending.url)
    assert pending.wait().user.sub == "ann"
    assert [event.way for event in seen if isinstance(event, oidcclient.events.WayChosen)] == ["device", "paste"]


@pytest.mark.parametrize("par", [{}, {"offerPar": False}, {"requirePar": True}])
@pytest.mark.parametrize("bound", [False, True])
def test_a_person_pastes_the_final_address(
    start_npm_provider: StartNpmProvider,
    make_client: MakeClient,
    person: MakePerson,
    tmp_path: Path,
    par: dict[str, bool],
    bound: bool,
) -> None:
    """RFC 8252 section 7.3: any port of loopback, and nobody listens there; pushed (RFC 9126) where that is offered."""
    provider = start_npm_provider(**par, dpopNonce="required")
    hooks = [DPoP(store=f"file:{tmp_path}/keys")] if bound else []
    client = make_client(provider, "native-dpop" if bound else "native", hooks=hooks)
    addresses: list[str] = []

    def read() -> str:
        visit = person("ann")(addresses[-1])
        visit.wait()
        assert visit.unreached is not None
        return visit.unreached

    via = oidcclient.Paste(read=read)
    pending = client.start_login(via=via, timeout=60)
    addresses.append(pending.url)
    assert ("request_uri=" in pending.url) is (par != {"offerPar": False})
    session = pending.wait()
    assert session.user.sub == "ann"
    assert session.access_token().type == ("DPoP" if bound else "Bearer")
