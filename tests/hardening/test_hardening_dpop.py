"""Found in review of the DPoP client: servers that lie, keys that change hands, and keys that are left behind."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import httpx2
import pytest

import oidcclient
from oidcclient import hooks
from oidcclient._flows.exchange import authenticator, bind_hooks
from oidcclient._words.effects import Send
from oidcclient_devkit import Provider
from oidcclient_dpop import DPoP, Protection, SigningKey, proof
from oidcclient_dpop.stores import SoftwareKey, generate
from tests.client.conftest import TEST_POLICY
from tests.dpop.conftest import SignIn, seen, sign_in
from tests.dpop.test_dpop_client import me
from tests.dpop.test_dpop_hook import Bench, Kind, answer, asks, make, perform, refuses, reopened
from tests.session.conftest import SCOPES
from tests.session.test_session_refresh import HOUR

__all__ = ["seen", "sign_in"]  # fixtures are found by their names

YEAR = 365 * 24 * 3600


def begun(hook: DPoP | None = None, **raw: Any) -> Bench:
    made = make(hook, **{"dpop_signing_alg_values_supported": ["ES256"], **raw})
    perform(made.hook.prepare(made.context))
    return made


def head_of(proof: str | None) -> dict[str, Any]:
    head: dict[str, Any] = json.loads(base64.urlsafe_b64decode((proof or "").split(".")[0] + "=="))
    return head


# -- one session, several programs


def other_client(provider: Provider, store: oidcclient.Store, folder: Path) -> oidcclient.Client:
    return oidcclient.Client(
        provider.issuer,
        provider.client_id,
        scopes=SCOPES,
        policy=TEST_POLICY,
        store=store,
        hooks=[DPoP(store=f"file:{folder}/keys")],
    )


@pytest.mark.parametrize("again", [False, True])
def test_a_sign_in_by_another_program_brings_its_key_along(
    sign_in: SignIn,
    oidc_provider: Provider,
    tmp_path: Path,
    again: bool,
) -> None:
    """
    A new sign-in has a new key. Who goes on with the old one refreshes with it, and the provider ends the session.

    RFC 9449 section 5: the refresh token is bound to the key of the request that it was given for.
    """
    store = oidcclient.MemoryStore()
    session = sign_in(store=store)
    assert me(session, oidc_provider).status_code == 200
    with other_client(oidc_provider, store, tmp_path) as other:
        newer = other.login(open_browser=oidc_provider.browser(user="ann"), resource=oidc_provider.api, timeout=20)
        if again:
            session._core.begin(store.load(session.key) or newer._record)  # the program looks into the store itself
        for one in (session, session, newer, newer, session):
            one.refresh()
            assert me(one, oidc_provider).status_code == 200
            assert one.userinfo()["sub"] == session.user.sub


def test_userinfo_is_asked_for_with_the_key_of_the_token_that_it_is_asked_for_with(
    sign_in: SignIn, oidc_provider: Provider, tmp_path: Path
) -> None:
    """Getting a token may bring a session that somebody has signed in to since."""
    store = oidcclient.MemoryStore()
    session = sign_in(store=store)
    with other_client(oidc_provider, store, tmp_path) as other:
        other.login(open_browser=oidc_provider.browser(user="ann"), resource=oidc_provider.api, timeout=20)
        known = session._core.known
        known[session.key] = replace(known[session.key], tokens={})  # they have ended
        assert session.userinfo()["sub"] == session.user.sub


def test_no_repr_on_the_way_of_a_request_shows_its_token() -> None:
    bench = begun()
    token = oidcclient.AccessToken("the-token", "DPoP", None, ())
    signed = bench.hook.sign(bench.context, "GET", "https://api.example.com/", token)
    assert signed is not None
    assert "the-token" not in repr(signed)
    bench.context.memory["maker"].blocks = True
    flow = bench.hook.exchange(
        bench.context,
        hooks.Exchange(Kind.RESOURCE, hooks.HttpRequest("GET", "https://api.example.com/"), "the-token", "DPoP"),
        lambda *_, **__: pytest.fail("it is not signed yet"),
    )
    assert "the-token" not in repr(next(flow))
    flow.close()


# -- what an API may and may not make us do


@pytest.mark.parametrize("years", [-1, 1, 75])
def test_no_server_has_proofs_made_for_another_day(years: int) -> None:
    """A proof of the future works when the key is long gone; no honest clock is off by more than its time zone."""
    bench = begun()
    refusal = refuses(clock=years * YEAR)
    assert bench.run(Kind.RESOURCE, refusal) is refusal
    bench.run(Kind.RESOURCE, answer())
    assert abs(bench.claims()["iat"] - time.time()) < 60
    assert [event.text.partition(",")[0] for event in bench.events] == [
        f"https://api.example.com:443 says that its clock differs by {abs(years) * 365} days"
    ]


@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize("status", [200, 401])
def test_where_a_redirect_leads_has_no_word_on_nonces_and_clocks_of_the_api(library: Any, status: int) -> None:
    """RFC 9449 section 9: a nonce is used at the server that gave it, and an `Auth` sees the answer of the last hop."""
    bench = begun()
    store = bound_store(bench, "DPoP")
    sent: list[Any] = []

    def handle(request: Any) -> Any:
        sent.append(request)
        if request.url.host == "evil.example.com":
            headers = {
                "DPoP-Nonce": "of-evil",
                "Date": "Mon, 01 Jan 2035 00:00:00 GMT",
                "WWW-Authenticate": 'DPoP error="use_dpop_nonce"',
            }
            return library.Response(status, headers=headers)
        there = {"Location": "https://evil.example.com/"} if request.url.path == "/away" else {}
        return library.Response(302 if there else 200, headers={"DPoP-Nonce": "of-the-api", **there})

    client = oidcclient.Client("https://login.example.com", "app", store=store, hooks=[bench.hook])
    auth = client.session().auth(resource="https://api.example.com")
    transport = library.MockTransport(handle)
    with library.Client(auth=auth, transport=transport, follow_redirects=True) as api:
        if status == 200:
            api.get("https://api.example.com/away")
        else:
            with pytest.raises(oidcclient.UsageError) as refusal:
                api.get("https://api.example.com/away")
            assert refusal.value.rule == "redirect"
        api.get("https://api.example.com/me")
    claims = json.loads(base64.urlsafe_b64decode(sent[-1].headers["DPoP"].split(".")[1] + "=="))
    assert claims["nonce"] == "of-the-api"
    assert abs(claims["iat"] - time.time()) < 60
    assert [request.url.path for request in sent] == ["/away", "/", "/me"]


def bound_store(bench: Bench, token_type: str) -> oidcclient.MemoryStore:
    """Return a store with a session that is bound to the key of the bench."""
    now = time.time()
    issuer = "https://login.example.com"
    record = oidcclient.SessionRecord(
        profile="default",
        issuer=issuer,
        client_id="app",
        account="ann",
        claims={"iss": issuer, "sub": "ann", "aud": "app"},
        id_token="",
        tokens={"": oidcclient.AccessToken("the-token", token_type, now + HOUR, ("openid",), now)},
        refresh_token="a",
        scopes=("openid",),
        resources=(),
        hook_state={"dpop": dict(bench.context.state)},
        binding_hooks=("dpop",),
        signed_in_at=now,
    )
    store = oidcclient.MemoryStore()
    store.save(record, current=True)
    return store


def test_a_retry_for_a_nonce_has_a_fresh_client_assertion_too() -> None:
    """RFC 7523 section 3: a provider may take an assertion once; RFC 9449 section 8: the request is made anew."""
    bench = begun()
    secret = oidcclient.ClientSecretJwt(secret="s" * 32)
    bound = bind_hooks([bench.hook], lambda _: bench.context)
    request = hooks.HttpRequest("POST", "https://login.example.com/token", body=b"grant_type=refresh_token")
    metadata = hooks.ProviderMetadata("https://login.example.com")
    flow = bound.exchange(Kind.REFRESH, request, authenticate=authenticator(secret, "app", metadata, 0.0))
    sent = [next(flow), flow.send(asks("n-1", 400))]
    with pytest.raises(StopIteration):
        flow.send(answer())
    forms = [parse_qs(effect.request.body.decode()) for effect in sent if isinstance(effect, Send)]
    first, second = (form["client_assertion"] for form in forms)
    assert first != second
    assert all(form["grant_type"] == ["refresh_token"] for form in forms)


# -- tokens of another kind


@pytest.mark.parametrize("kind", [Kind.RESOURCE, Kind.USERINFO])
def test_an_unbound_token_of_an_earlier_run_is_not_used_once_binding_is_required(kind: Kind) -> None:
    """It was accepted with `require=False`; the program has changed its mind since."""
    bench = begun(DPoP(key=generate("ES256"), require=True))
    with pytest.raises(oidcclient.LoginRequired) as refusal:
        bench.run(kind, token_type="Bearer")
    assert refusal.value.rule == "token_type"
    assert not bench.sent


def test_an_unbound_token_is_not_sent_at_once_either() -> None:
    bench = begun(DPoP(key=generate("ES256"), require=True))
    client = oidcclient.Client(
        "https://login.example.com", "app", store=bound_store(bench, "Bearer"), hooks=[bench.hook]
    )
    auth = client.session().auth(resource="https://api.example.com")
    transport = httpx.MockTransport(lambda _: pytest.fail("it went out"))
    with httpx.Client(auth=auth, transport=transport) as api, pytest.raises(oidcclient.LoginRequired):
        api.get("https://api.example.com/me")


# -- keys of others


class Telling:
    """A key of the program's own that tells too much: a whole JWK, with what is nobody's business."""

    blocks = False
    protection = Protection.FILE
    alg = "ES256"

    def __init__(self) -> None:
        self.inner = generate("ES256")

    def public_jwk(self) -> Mapping[str, str]:
        return {**self.inner.public_jwk(), "d": "the-secret", "kid": "1", "use": "sig", "alg": "ES256"}

    def sign(self, message: bytes) -> bytes:
        return self.inner.sign(message)


def test_a_proof_shows_the_required_members_of_a_key_alone() -> None:
    """RFC 9449 section 4.2: the jwk "MUST NOT contain a private key"; whatever a key of somebody else tells."""
    key = Telling()
    bench = begun(DPoP(key=key))
    bench.run(Kind.RESOURCE, answer())
    for made in (bench.sent[0][0].header("DPoP"), proof(key, "GET", "https://api.example.com/")):
        assert head_of(made)["jwk"] == key.inner.public_jwk()


@pytest.mark.parametrize(
    ("supported", "named"), [(["EdDSA"], "EdDSA"), (["Ed25519"], "Ed25519"), (["EdDSA", "Ed25519"], "Ed25519")]
)
def test_an_algorithm_with_two_names_is_called_as_the_provider_calls_it(supported: list[str], named: str) -> None:
    """RFC 9864 section 2.2: who lists EdDSA alone does not know Ed25519."""
    bench = begun(DPoP(key=generate("Ed25519")), dpop_signing_alg_values_supported=supported)
    bench.run(Kind.RESOURCE, answer())
    assert head_of(bench.sent[0][0].header("DPoP"))["alg"] == named
    again = reopened(bench, bench.hook)
    again.run(Kind.RESOURCE, answer())
    assert head_of(again.sent[0][0].header("DPoP"))["alg"] == named


class Slots:
    """A store of somebody else's that numbers its keys, as tokens with slots do."""

    protection = Protection.ISOLATED
    title = "slots"

    def __init__(self, uri: str = "slots:a") -> None:
        self.uri = uri
        self.keys: dict[str, SoftwareKey] = {}
        self.deleted: list[str] = []

    def probe(self) -> str | None:
        return None

    def algorithms(self) -> tuple[str, ...]:
        return ("ES256",)

    def create(self, alg: str) -> tuple[SigningKey, str]:
        handle = str(len(self.keys))
        self.keys[handle] = generate(alg, protection=self.protection)
        return self.keys[handle], handle

    def load(self, handle: str) -> SigningKey:
        if handle not in self.keys:
            raise oidcclient.KeyLost("no such slot")
        return self.keys[handle]

    def delete(self, handle: str) -> None:
        self.deleted.append(handle)


def test_a_key_is_deleted_in_its_own_store_alone(tmp_path: Path) -> None:
    """A handle means something in the store that made it, and something else in another one."""
    folder = tmp_path / "keys"
    old = begun(DPoP(store=f"file:{folder}"))
    other = Slots()
    perform(DPoP(store=other).forget(old.context.state))
    assert other.deleted == []
    assert not list(folder.iterdir())
    mine = begun(DPoP(store=other))
    perform(DPoP(store=other).forget(mine.context.state))
    assert other.deleted == ["0"]


def test_a_session_goes_on_in_the_store_that_it_names_whatever_the_program_names_now(tmp_path: Path) -> None:
    old = begun(DPoP(store=f"file:{tmp_path}"))
    assert reopened(old, DPoP(store=Slots())).run(Kind.RESOURCE, answer()).status == 200


def test_what_a_store_of_somebody_else_says_of_a_key_is_passed_on() -> None:
    hook = DPoP(store=Slots())
    with pytest.raises(oidcclient.KeyLost, match="no such slot"):
        reopened(begun(hook), hook, handle="9").run(Kind.RESOURCE)


def test_a_key_of_the_programs_own_that_the_provider_cannot_check_is_refused_before_anything_is_opened() -> None:
    """RFC 9449 section 5.1."""
    with pytest.raises(oidcclient.DiscoveryRefused):
        begun(DPoP(key=generate("ES384")))


class Broken(Slots):
    """A store whose calls raise what its library raises."""

    def delete(self, handle: str) -> None:
        raise RuntimeError("the device is on fire")


def test_an_old_key_that_cannot_be_removed_costs_no_sign_in(
    sign_in: SignIn,
    oidc_provider: Provider,
    seen: list[Any],
) -> None:
    """The new session is saved by then: its key must stay, whatever a store of somebody else raises."""
    keys = Broken()
    store = oidcclient.MemoryStore()
    hook = DPoP(store=keys)
    sign_in(hook, store=store)
    session = sign_in(hook, store=store)
    assert me(session, oidc_provider).status_code == 200
    assert any(getattr(event, "text", "").startswith("What dpop kept") for event in seen)
    session.logout()


class Lying(Slots):
    """A store that makes another key than it was asked for."""

    def create(self, alg: str) -> tuple[SigningKey, str]:
        _, handle = super().create(alg)
        self.keys[handle] = generate("ES384")
        return self.keys[handle], handle


def test_a_key_of_another_algorithm_than_was_asked_for_is_not_taken() -> None:
    """Else a proof is made with it that nobody takes, after a person has signed in."""
    keys = Lying()
    with pytest.raises(oidcclient.KeyUnavailable) as refusal:
        begun(DPoP(store=keys))
    assert "ES384" in str(refusal.value)
    assert keys.deleted == ["0"]


class Raising(Slots):
    """A store whose device is gone when it is asked for a key."""

    def create(self, alg: str) -> tuple[SigningKey, str]:
        raise OSError("the device is gone")


def test_a_store_that_raises_what_it_likes_is_one_that_cannot_be_used() -> None:
    with pytest.raises(oidcclient.KeyUnavailable, match="OSError"):
        begun(DPoP(store=Raising()))


class Hanging(Slots):
    """A store whose device has stopped to answer."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = threading.Event()
        self.removed = threading.Event()

    def create(self, alg: str) -> tuple[SigningKey, str]:
        self.goes_on.wait(10)
        return super().create(alg)

    def delete(self, handle: str) -> None:
        super().delete(handle)
        self.removed.set()


def test_a_store_object_of_somebody_else_has_a_time_limit_and_leaves_no_key_that_comes_too_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As one that is named by its URI has."""
    monkeypatch.setattr("oidcclient_dpop.stores.registry.FOREIGN_S", 0.1)
    keys = Hanging()
    with pytest.raises(oidcclient.KeyUnavailable, match="within"):
        begun(DPoP(store=keys))
    keys.goes_on.set()
    assert keys.removed.wait(10)
    assert keys.deleted == ["0"]


class Numbering(Slots):
    """A store whose handles are no text."""

    def create(self, alg: str) -> tuple[SigningKey, str]:
        return super().create(alg)[0], 7  # type: ignore[return-value] # that is the fault


def test_a_handle_that_cannot_be_recorded_is_refused_before_anybody_signs_in() -> None:
    with pytest.raises(oidcclient.KeyUnavailable):
        begun(DPoP(store=Numbering()))


@pytest.mark.parametrize(
    "state",
    [
        {"protection": "high"},
        {"protection": None},
        {"protection": 17},
        {"handle": 7},
        {"handle": None},
        {"store": None},
        {"store": 7},
    ],
)
def test_a_state_that_is_none_means_a_lost_key_and_breaks_nothing_else(tmp_path: Path, state: dict[str, Any]) -> None:
    """A session record written by another version, or by somebody who could."""
    bench = begun(DPoP(store=f"file:{tmp_path}"))
    again = reopened(bench, bench.hook, **state)
    with pytest.raises(oidcclient.KeyLost):
        again.run(Kind.RESOURCE)
    assert again.hook.describe(again.context.state)
    perform(again.hook.forget(again.context.state))


@pytest.mark.parametrize(
    "arguments",
    [
        {"store": 5},
        {"store": Path("/keys")},
        {"algorithms": "ES256"},
        {"algorithms": []},
        {"minimum": "HARDWARE"},
        {"key": object()},
    ],
)
def test_an_argument_of_another_kind_is_refused_at_once(arguments: dict[str, Any]) -> None:
    """And not in a thread when somebody signs in."""
    with pytest.raises(oidcclient.UsageError):
        DPoP(**arguments)
