"""Found in review of the DPoP client: servers that lie, and programs that share a session."""

from __future__ import annotations

import base64
import json
import time
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
from oidcclient_dpop import DPoP
from oidcclient_dpop.stores import generate
from tests.client.conftest import TEST_POLICY
from tests.dpop.conftest import SignIn, seen, sign_in
from tests.dpop.test_dpop_client import me
from tests.dpop.test_dpop_hook import Bench, Kind, answer, asks, make, perform, refuses
from tests.session.conftest import SCOPES
from tests.session.test_session_refresh import HOUR

__all__ = ["seen", "sign_in"]  # fixtures are found by their names

YEAR = 365 * 24 * 3600


def begun(hook: DPoP | None = None, **raw: Any) -> Bench:
    made = make(hook, **{"dpop_signing_alg_values_supported": ["ES256"], **raw})
    perform(made.hook.prepare(made.context))
    return made


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
