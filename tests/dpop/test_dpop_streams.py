"""Bodies that can be sent once, redirects, and APIs that take other algorithms."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import anyio
import httpx
import httpx2
import pytest

import oidcclient
from oidcclient_devkit import Provider
from oidcclient_dpop import DPoP
from oidcclient_dpop.nonces import Servers
from oidcclient_dpop.stores import generate
from tests.dpop.conftest import SignIn
from tests.session.test_session_auth import Api, api, start_api

__all__ = ["api", "start_api"]

BOTH = [httpx, httpx2]


def stream() -> Iterator[bytes]:
    yield b"one "
    yield b"body"


def asked(provider: Provider, path: str) -> list[tuple[str, int]]:
    return [(request.method, request.status) for request in provider.requests if request.path == path]


@pytest.mark.parametrize("library", BOTH)
def test_a_nonce_is_fetched_before_a_body_that_can_be_sent_once(
    sign_in: SignIn, oidc_provider: Provider, library: ModuleType
) -> None:
    """RFC 9449 section 9: a challenge would come when the body is used up."""
    oidc_provider.dpop_nonces(rs="required")
    session = sign_in()
    with library.Client(auth=session.auth(resource=oidc_provider.api), trust_env=False) as client:
        for _ in range(2):
            answer = client.request("GET", f"{oidc_provider.api}/me", content=stream())
            assert answer.status_code == 200
            assert answer.request.method == "GET"
    assert asked(oidc_provider, "/me") == [("HEAD", 401), ("GET", 200), ("GET", 200)]
    head = next(request for request in oidc_provider.requests if request.method == "HEAD")
    assert head.header("transfer-encoding") is None
    assert head.header("user-agent") is not None


def test_the_async_clients_fetch_it_too(sign_in: SignIn, oidc_provider: Provider) -> None:
    async def body() -> Any:
        yield b"one body"

    async def main() -> None:
        async with httpx.AsyncClient(auth=session.auth(resource=oidc_provider.api), trust_env=False) as client:
            assert (await client.request("GET", f"{oidc_provider.api}/me", content=body())).status_code == 200

    oidc_provider.dpop_nonces(rs="required")
    session = sign_in()
    anyio.run(main)
    assert asked(oidc_provider, "/me") == [("HEAD", 401), ("GET", 200)]


def test_a_client_that_signs_every_hop_fetches_it_too(sign_in: SignIn, oidc_provider: Provider) -> None:
    oidc_provider.dpop_nonces(rs="required")
    with sign_in().http(oidc_provider.api, trust_env=False) as client:
        assert client.request("GET", "/me", content=stream()).status_code == 200
    assert asked(oidc_provider, "/me") == [("HEAD", 401), ("GET", 200)]


def test_a_server_without_nonces_is_asked_once(sign_in: SignIn, oidc_provider: Provider) -> None:
    session = sign_in()
    with httpx.Client(auth=session.auth(resource=oidc_provider.api), trust_env=False) as client:
        for _ in range(3):
            assert client.post(f"{oidc_provider.api}/echo", content=stream()).json()["body"] == "one body"
    assert [method for method, _ in asked(oidc_provider, "/echo")] == ["HEAD", "POST", "POST", "POST"]


def test_nothing_is_asked_first_for_a_body_that_can_be_repeated(sign_in: SignIn, oidc_provider: Provider) -> None:
    oidc_provider.dpop_nonces(rs="required")
    session = sign_in()
    with httpx.Client(auth=session.auth(resource=oidc_provider.api), trust_env=False) as client:
        assert client.post(f"{oidc_provider.api}/echo", content=b"body").status_code == 200
    assert asked(oidc_provider, "/echo") == [("POST", 401), ("POST", 200)]


def test_a_stream_that_is_challenged_all_the_same_is_refused_with_a_hint_and_the_next_one_passes(
    sign_in: SignIn, oidc_provider: Provider
) -> None:
    """The devkit's `/echo` answers HEAD with 405, before it looks at proofs, as many an API does."""
    oidc_provider.dpop_nonces(rs="required")
    session = sign_in()
    with httpx.Client(auth=session.auth(resource=oidc_provider.api), trust_env=False) as client:
        with pytest.raises(oidcclient.UsageError) as refusal:
            client.post(f"{oidc_provider.api}/echo", content=stream())
        assert refusal.value.rule == "stream"
        assert "again" in refusal.value.hint
        assert client.post(f"{oidc_provider.api}/echo", content=stream()).json()["body"] == "one body"
    assert [method for method, _ in asked(oidc_provider, "/echo")] == ["HEAD", "POST", "POST"]


def test_a_clock_that_is_off_is_found_out_before_a_body_that_can_be_sent_once(
    sign_in: SignIn, oidc_provider: Provider
) -> None:
    session = sign_in()
    oidc_provider.misbehave("dpop.clock_ahead", seconds=300, at="api")
    with httpx.Client(auth=session.auth(resource=oidc_provider.api), trust_env=False) as client:
        assert client.request("GET", f"{oidc_provider.api}/me", content=stream()).status_code == 200
    assert asked(oidc_provider, "/me") == [("HEAD", 401), ("GET", 200)]


def test_an_old_nonce_is_renewed_before_a_body_that_can_be_sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("oidcclient_dpop.nonces.time.monotonic", lambda: now)
    servers = Servers()
    assert servers.should_ask("https://api.example.com:443")
    servers.learn("https://api.example.com:443", ("nonce",))
    assert not servers.should_ask("https://api.example.com:443")
    now += 31
    assert servers.should_ask("https://api.example.com:443")
    servers.learn("https://other.example.com:443", ())
    now += 10_000
    assert not servers.should_ask("https://other.example.com:443")


@pytest.mark.parametrize("library", BOTH)
def test_a_redirect_that_took_a_proof_along_is_told_from_a_refusal(
    sign_in: SignIn, oidc_provider: Provider, api: Api, library: ModuleType
) -> None:
    """An `Auth` of httpx runs once per call: the second hop would carry the proof of the first (section 4.2, htu)."""
    session = sign_in(login={"resource": None})
    with library.Client(auth=session.auth(resource=api.base), trust_env=False, follow_redirects=True) as client:
        assert client.get(f"{api.base}/a?to={api.base}/b").status_code == 200  # it was not refused
        api.refuse = 1
        with pytest.raises(oidcclient.UsageError) as refusal:
            client.get(f"{api.base}/a?to={api.base}/b")
    assert refusal.value.rule == "redirect"
    assert "session.http" in refusal.value.hint


def test_an_api_that_takes_other_algorithms_says_so_and_the_next_sign_in_makes_a_key_for_one(
    sign_in: SignIn, oidc_provider: Provider, tmp_path: Any
) -> None:
    """RFC 9449 section 7.1: `algs`."""
    hook = DPoP(store=f"file:{tmp_path}/keys")
    session = sign_in(hook)
    oidc_provider.misbehave("dpop.foreign_algs", algs="RS1 ES384", at="api")
    with (
        httpx.Client(auth=session.auth(resource=oidc_provider.api), trust_env=False) as client,
        pytest.raises(oidcclient.LoginRequired) as refusal,
    ):
        client.get(f"{oidc_provider.api}/me")
    assert refusal.value.rule == "algs"
    assert refusal.value.expected == "RS1 ES384"
    assert refusal.value.received == "ES256"
    oidc_provider.behave()
    again = sign_in(hook)
    assert again._core.record(again.key).hook_state["dpop"]["alg"] == "ES384"


def test_an_api_that_takes_none_of_our_algorithms_does_not_spoil_the_next_sign_in(
    sign_in: SignIn, oidc_provider: Provider
) -> None:
    hook = DPoP(key=generate("ES256"))
    session = sign_in(hook)
    oidc_provider.misbehave("dpop.foreign_algs", at="userinfo")
    with pytest.raises(oidcclient.LoginRequired):
        session.userinfo()
    oidc_provider.behave()
    assert sign_in(hook).userinfo()["sub"] == session.user.sub
