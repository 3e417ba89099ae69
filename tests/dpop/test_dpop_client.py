"""A client with a key of its own, at the devkit's provider and API, which check every proof."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import anyio
import httpx
import httpx2
import pytest

import oidcclient
from oidcclient import events
from oidcclient_devkit import Provider
from oidcclient_dpop import DPoP, Protection, thumbprint
from oidcclient_dpop.stores.software import generate
from tests.client.conftest import TEST_POLICY
from tests.dpop.conftest import SignIn
from tests.session.conftest import SCOPES
from tests.session.test_session_refresh import HOUR, advance_core


def me(session: oidcclient.Session, provider: Provider) -> httpx.Response:
    with httpx.Client(auth=session.auth(resource=provider.api), trust_env=False) as api:
        return api.get(f"{provider.api}/me")


def headers_of(provider: Provider, path: str) -> list[str | None]:
    return [request.header("dpop") for request in provider.requests if request.path == path]


def test_a_session_is_bound_from_the_push_to_the_api(sign_in: SignIn, oidc_provider: Provider) -> None:
    """RFC 9449 sections 5, 7 and 10."""
    session = sign_in()
    token = session.access_token()
    assert token.type == "DPoP"
    assert me(session, oidc_provider).json()["sub"] == session.user.sub
    assert session.userinfo()["sub"] == session.user.sub
    advance_core(session, HOUR, oidc_provider)
    assert session.access_token().value != token.value
    assert me(session, oidc_provider).status_code == 200
    for path in ("/par", "/token", "/userinfo"):
        assert all(headers_of(oidc_provider, path))
    for path in ("/jwks", "/.well-known/openid-configuration"):
        assert not any(headers_of(oidc_provider, path))


def test_the_same_token_without_the_key_is_refused(sign_in: SignIn, oidc_provider: Provider) -> None:
    session = sign_in()
    token = session.access_token().value
    for scheme in ("Bearer", "DPoP"):
        answer = httpx.get(f"{oidc_provider.api}/me", headers={"Authorization": f"{scheme} {token}"}, trust_env=False)
        assert answer.status_code == 401


@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize("mode", ["optional", "required"])
def test_nonces_are_learnt_and_used_at_both_servers(
    sign_in: SignIn, oidc_provider: Provider, library: Any, mode: str
) -> None:
    """RFC 9449 sections 8 and 9: one challenge a server at most, and none once its nonce is known."""
    oidc_provider.dpop_nonces(as_=mode, rs=mode)  # type: ignore[arg-type] # two of its three words
    session = sign_in()
    session.userinfo()
    with library.Client(auth=session.auth(resource=oidc_provider.api), trust_env=False) as api:
        for _ in range(3):
            assert api.get(f"{oidc_provider.api}/me").status_code == 200
        assert api.post(f"{oidc_provider.api}/echo", content=b"body").status_code == 200
    session.refresh()
    challenged = [request.path for request in oidc_provider.requests if request.status in {400, 401}]
    assert challenged == (["/par", "/me"] if mode == "required" else [])


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_async_twin_signs_too(oidc_provider: Provider, tmp_path: Path, backend: str) -> None:
    oidc_provider.dpop_nonces(as_="required", rs="required")
    oidc_provider.sign_in_as("ann")

    async def main() -> None:
        async with oidcclient.AsyncClient(
            oidc_provider.issuer,
            oidc_provider.client_id,
            scopes=SCOPES,
            policy=TEST_POLICY,
            store=oidcclient.MemoryStore(),
            hooks=[DPoP(store=f"file:{tmp_path}")],
        ) as client:
            session = await client.login(open_browser=oidc_provider.browser(), resource=oidc_provider.api, timeout=20)
            async with session.http(oidc_provider.api, trust_env=False) as api:
                assert (await api.get("/me")).status_code == 200
            assert (await session.userinfo())["sub"] == session.user.sub

    anyio.run(main, backend=backend)


def test_another_start_of_the_program_finds_the_key(sign_in: SignIn, oidc_provider: Provider, tmp_path: Path) -> None:
    store = oidcclient.FileStore(tmp_path / "sessions")
    first = sign_in(store=store)
    with oidcclient.Client(
        oidc_provider.issuer,
        oidc_provider.client_id,
        scopes=SCOPES,
        policy=TEST_POLICY,
        store=store,
        hooks=[DPoP(store=f"file:{tmp_path}/keys")],
    ) as client:
        again = client.session()
        assert me(again, oidc_provider).status_code == 200
        assert again.refresh().type == "DPoP"
        assert again.describe() == first.describe()


def test_a_lost_key_means_a_new_sign_in_and_says_so(sign_in: SignIn, oidc_provider: Provider, tmp_path: Path) -> None:
    """RFC 9449 section 5: a public client's refresh token is bound to the key."""
    session = sign_in()
    for file in (tmp_path / "keys").iterdir():
        file.unlink()
    session._core.memory.clear()  # the program starts again
    with pytest.raises(oidcclient.KeyLost):
        session.refresh()
    assert session._core.store.load(session.key) is not None


def test_each_sign_in_has_a_key_of_its_own_and_none_is_left_behind(sign_in: SignIn, tmp_path: Path) -> None:
    """One key per session, new at each interactive sign-in; the old one goes when the new session is safe."""
    store = oidcclient.MemoryStore()
    jkts = set()
    for _ in range(2):
        session = sign_in(store=store)
        jkts.add(session.describe()[0])
    assert len(jkts) == 2
    assert len(list((tmp_path / "keys").iterdir())) == 1
    session.logout()
    assert not list((tmp_path / "keys").iterdir())


def test_a_key_of_the_programs_own_is_used_and_never_deleted(sign_in: SignIn, oidc_provider: Provider) -> None:
    key = generate("ES256")
    session = sign_in(DPoP(key=key))
    assert me(session, oidc_provider).status_code == 200
    assert thumbprint(key.public_jwk()) in session.describe()[0]
    session.logout()


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "Ed25519", "PS256"])
def test_each_algorithm_works(sign_in: SignIn, oidc_provider: Provider, alg: str) -> None:
    session = sign_in(DPoP(key=generate(alg)))
    assert me(session, oidc_provider).status_code == 200


def test_an_algorithm_is_chosen_that_both_sides_know(sign_in: SignIn, oidc_provider: Provider, tmp_path: Path) -> None:
    """RFC 9449 section 5.1."""
    oidc_provider.dpop_algorithms("ES384")
    assert me(sign_in(), oidc_provider).status_code == 200
    oidc_provider.dpop_algorithms("RS256")
    oidc_provider.requests.clear()
    with pytest.raises(oidcclient.DiscoveryRefused) as refusal:
        sign_in()
    assert refusal.value.rule == "dpop_signing_alg_values_supported"
    assert oidc_provider.count("par") == oidc_provider.count("authorize") == 0


def test_a_provider_that_does_not_speak_of_dpop_is_refused_unless_forced(
    sign_in: SignIn, oidc_provider: Provider, tmp_path: Path
) -> None:
    oidc_provider.misbehave("metadata.no_dpop")
    with pytest.raises(oidcclient.DiscoveryRefused) as refusal:
        sign_in()
    assert "force=True" in refusal.value.hint
    assert sign_in(DPoP(store=f"file:{tmp_path}/keys", force=True)).access_token().type == "DPoP"


@pytest.mark.parametrize("name", ["dpop.type_bearer", "dpop.ignored_at_code"])
def test_an_unbound_token_is_refused_at_the_sign_in(
    sign_in: SignIn, oidc_provider: Provider, tmp_path: Path, name: str
) -> None:
    """RFC 9449 section 5: no silent downgrade."""
    oidc_provider.misbehave(name)
    with pytest.raises(oidcclient.DowngradeRefused):
        sign_in()
    assert not list((tmp_path / "keys").iterdir())


def test_an_unbound_token_is_refused_at_a_refresh_and_the_rotated_token_kept(
    sign_in: SignIn, oidc_provider: Provider
) -> None:
    session = sign_in()
    before = session._core.store.load(session.key)
    oidc_provider.misbehave("dpop.ignored_at_refresh", times=1)
    with pytest.raises(oidcclient.DowngradeRefused):
        session.refresh()
    after = session._core.store.load(session.key)
    assert before is not None
    assert after is not None
    assert after.refresh_token != before.refresh_token
    assert after.tokens == before.tokens


def test_an_unbound_token_is_accepted_knowingly(sign_in: SignIn, oidc_provider: Provider, tmp_path: Path) -> None:
    oidc_provider.misbehave("dpop.ignored_at_code")
    session = sign_in(DPoP(store=f"file:{tmp_path}/keys", require=False))
    assert session.access_token().type == "Bearer"
    assert me(session, oidc_provider).status_code == 200


@pytest.mark.parametrize("at", ["par", "token", "userinfo", "api"])
def test_a_challenge_that_never_ends_is_an_error(sign_in: SignIn, oidc_provider: Provider, at: str) -> None:
    """RFC 9449 section 8: one retry; others have looped for ever."""
    if at in {"par", "token"}:
        oidc_provider.misbehave("dpop.nonce_loop", at=at)
        with pytest.raises(oidcclient.ResponseRefused) as refusal:
            sign_in()
    else:
        session = sign_in()
        oidc_provider.misbehave("dpop.nonce_loop", at=at)
        with pytest.raises(oidcclient.ResponseRefused) as refusal:
            session.userinfo() if at == "userinfo" else me(session, oidc_provider)
    assert refusal.value.rule == "use_dpop_nonce"


@pytest.mark.parametrize("name", ["dpop.challenge_without_nonce", "dpop.invalid_nonce", "dpop.two_nonces"])
def test_a_challenge_without_a_good_nonce_is_not_answered(sign_in: SignIn, oidc_provider: Provider, name: str) -> None:
    """RFC 9449 section 8.1: NQCHAR; section 8: one header."""
    oidc_provider.dpop_nonces(as_="required")
    oidc_provider.misbehave(name, at="par")
    with pytest.raises(oidcclient.OAuthError):
        sign_in()
    assert oidc_provider.count("par") == 1


def test_statuses_may_be_mixed_up(sign_in: SignIn, oidc_provider: Provider) -> None:
    """Atproto answers 401 where RFC 9449 has 400, and the reverse."""
    oidc_provider.dpop_nonces(as_="required", rs="required")
    oidc_provider.misbehave("dpop.mixed_statuses")
    assert me(sign_in(), oidc_provider).status_code == 200


@pytest.mark.parametrize("seconds", [-300, 300])
def test_a_clock_that_is_off_is_followed_and_said_so(
    sign_in: SignIn, oidc_provider: Provider, seen: list[object], seconds: int
) -> None:
    """The provider's Date tells; one retry with the offset, remembered."""
    oidc_provider.misbehave("dpop.clock_ahead", seconds=seconds, at=("par", "token"))
    session = sign_in()
    session.refresh()
    notices = [event.text for event in seen if isinstance(event, events.Notice) and "clock" in event.text]
    assert len(notices) == 1
    assert ("ahead" in notices[0]) is (seconds > 0)
    assert oidc_provider.count("par") == 2
    assert oidc_provider.count("token") == 2


@pytest.mark.parametrize(("name", "pushes"), [("dpop.iat_refused", 2), ("dpop.proof_refused", 1)])
def test_a_refused_proof_is_tried_again_once_and_only_where_the_dates_differ(
    sign_in: SignIn, oidc_provider: Provider, name: str, pushes: int
) -> None:
    oidc_provider.misbehave(name, at="par")
    with pytest.raises(oidcclient.OAuthError) as refusal:
        sign_in()
    assert refusal.value.error == "invalid_dpop_proof"
    assert oidc_provider.count("par") == pushes


@pytest.mark.parametrize("path", ["/files/a%2Fb%25c", "/files/a%20b?x=1&y=%2F", "/files/%C3%A9"])
def test_the_proof_is_for_the_address_as_it_is_encoded(sign_in: SignIn, oidc_provider: Provider, path: str) -> None:
    """RFC 9449 section 4.2: `htu` without query and fragment, nothing decoded."""
    session = sign_in()
    with httpx.Client(auth=session.auth(resource=oidc_provider.api), trust_env=False) as api:
        assert api.get(f"{oidc_provider.api}{path}").status_code == 200


def test_userinfo_can_be_called_in_other_ways(sign_in: SignIn, oidc_provider: Provider, tmp_path: Path) -> None:
    """IdentityServer takes no DPoP scheme there: an explicit setting, never an automatic downgrade."""
    session = sign_in(DPoP(store=f"file:{tmp_path}/keys", userinfo="bearer"))
    with pytest.raises(oidcclient.OidcError):
        session.userinfo()  # the devkit refuses a bound token as Bearer, as it should
    assert headers_of(oidc_provider, "/userinfo") == [None]
    (request,) = [request for request in oidc_provider.requests if request.path == "/userinfo"]
    assert (request.header("authorization") or "").startswith("Bearer ")
    with pytest.raises(oidcclient.UsageError):
        sign_in(DPoP(store=f"file:{tmp_path}/keys", userinfo="skip")).userinfo()


def test_a_minimum_that_nothing_here_has_fails_with_every_reason(sign_in: SignIn, tmp_path: Path) -> None:
    with pytest.raises(oidcclient.KeyUnavailable) as refusal:
        sign_in(DPoP(store=f"file:{tmp_path}/keys", minimum=Protection.HARDWARE))
    assert "file" in str(refusal.value)


def test_threads_share_a_bound_session(sign_in: SignIn, oidc_provider: Provider) -> None:
    oidc_provider.dpop_nonces(as_="required", rs="required")
    session = sign_in()
    advance_core(session, HOUR, oidc_provider)
    oidc_provider.requests.clear()
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(me(session, oidc_provider).status_code)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 8
    good = [request for request in oidc_provider.requests if request.path == "/token" and request.status == 200]
    assert len(good) == 1


@pytest.mark.parametrize(
    "arguments",
    [{"key": {"kty": "EC"}, "store": "keyring:"}, {"userinfo": "maybe"}, {"key": {"kty": "oct", "k": "AA"}}],
)
def test_a_bad_argument_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(oidcclient.UsageError):
        DPoP(**arguments)
