"""Staying signed in and signing out at a provider that is not ours: `oidc-provider` from npm."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jws

import oidcclient
from oidcclient import events
from tests.client.conftest import advance
from tests.interop.npm import NpmProvider
from tests.interop.person import Person

MakePerson = Callable[..., Person]
SignIn = Callable[..., oidcclient.Session]
SCOPES = ("openid", "profile", "email", "offline_access")
# One test moves our clock and cannot move the provider's: an ID Token of an hour ago must do.
POLICY = oidcclient.Policy(allow_http_loopback=True, clock_skew=600, id_token_max_age=7200)
API, OTHER_API = "https://api.example.com/one", "https://api.example.com/two"


class SignedIn:
    """Signs ann in, and keeps what the tests look at: her browser, the client, its events."""

    def __init__(self, provider: NpmProvider, person: Person, folder: Path) -> None:
        self.provider = provider
        self.person = person
        self.events: list[object] = []
        self.client = oidcclient.Client(
            provider.issuer,
            "native",
            scopes=SCOPES,
            policy=POLICY,
            store=oidcclient.FileStore(folder),
            on_event=self.events.append,
        )

    def run(self, **options: Any) -> oidcclient.Session:
        """Sign in."""
        return self.client.login(open_browser=self.person, timeout=60, **options)

    def stored(self, session: oidcclient.Session) -> oidcclient.SessionRecord:
        """Return what is kept of the session."""
        record = self.client._core.store.load(session._key)
        assert record is not None
        return record

    def post(self, endpoint: str, **form: str) -> httpx.Response:
        """Send a form as this client, by hand."""
        metadata = httpx.get(f"{self.provider.issuer}/.well-known/openid-configuration", trust_env=False).json()
        return httpx.post(metadata[endpoint], data={"client_id": "native", **form}, trust_env=False)

    def refresh_by_hand(self, refresh_token: str | None) -> httpx.Response:
        """Use a refresh token outside the client, as a thief does."""
        return self.post("token_endpoint", grant_type="refresh_token", refresh_token=refresh_token or "")

    def asks_userinfo(self, token: str) -> int:
        """Return the status of a userinfo request with this access token."""
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.get(f"{self.provider.issuer}/me", headers=headers, trust_env=False).status_code


def audience(token: str) -> object:
    """Return the `aud` of an access token that is a JWT; who signed it does not matter here."""
    return json.loads(jws.extract_compact(token.encode()).payload)["aud"]


@pytest.fixture
def ann(npm_provider: NpmProvider, person: MakePerson, tmp_path: Path) -> Iterator[SignedIn]:
    """Ann, before she signs in."""
    made = SignedIn(npm_provider, person("ann"), tmp_path)
    yield made
    made.client.close()


def test_a_refresh_rotates_the_token_and_keeps_the_session(ann: SignedIn) -> None:
    session = ann.run()
    first, before = session.access_token(), ann.stored(session)
    second, after = session.refresh(), ann.stored(session)
    assert second.value != first.value
    assert after.refresh_token not in {None, before.refresh_token}
    assert after.claims["sub"] == before.claims["sub"] == "ann"
    assert session.userinfo()["sub"] == "ann"
    assert any(isinstance(event, events.SessionRefreshed) for event in ann.events)


def test_an_ended_token_is_renewed_silently(ann: SignedIn) -> None:
    session = ann.run()
    first = session.access_token()
    assert first.expires_at is not None
    left = first.expires_at - time.time()
    advance(ann.client, left + 1)
    assert session.access_token().value != first.value


def test_a_refresh_token_used_twice_ends_the_session(ann: SignedIn) -> None:
    """RFC 9700 section 4.14.2: the thief's use of the old token revokes ours as well."""
    session = ann.run()
    stolen = ann.stored(session).refresh_token
    session.refresh()
    theft = ann.refresh_by_hand(stolen)
    assert (theft.status_code, theft.json()["error"]) == (400, "invalid_grant")
    with pytest.raises(oidcclient.SessionExpired) as ended:
        session.refresh()
    assert ended.value.rule == "invalid_grant"
    assert ann.stored(session).refresh_token is None


def test_a_thief_who_is_first_is_found_out_by_our_refresh(ann: SignedIn) -> None:
    session = ann.run()
    theft = ann.refresh_by_hand(ann.stored(session).refresh_token)
    assert theft.status_code == 200
    with pytest.raises(oidcclient.SessionExpired):
        session.refresh()
    assert ann.refresh_by_hand(theft.json()["refresh_token"]).json()["error"] == "invalid_grant"


def test_revoked_tokens_are_dead(ann: SignedIn) -> None:
    """RFC 7009."""
    session = ann.run()
    token, refresh_token = session.access_token().value, ann.stored(session).refresh_token
    assert ann.asks_userinfo(token) == 200
    assert session.revoke()
    assert ann.asks_userinfo(token) == 401
    assert ann.refresh_by_hand(refresh_token).json()["error"] == "invalid_grant"
    with pytest.raises(oidcclient.SessionExpired):
        session.refresh()


def test_logout_wipes_here_and_revokes_there(ann: SignedIn) -> None:
    session = ann.run()
    token, refresh_token = session.access_token().value, ann.stored(session).refresh_token
    session.logout()
    with pytest.raises(oidcclient.LoginRequired):
        ann.client.session()
    assert ann.asks_userinfo(token) == 401
    assert ann.refresh_by_hand(refresh_token).json()["error"] == "invalid_grant"
    assert not any(isinstance(event, events.Notice) for event in ann.events)


def test_logout_in_the_browser_ends_the_providers_own_session(ann: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """OIDC RP-Initiated Logout 1.0 section 2."""

    class Given:
        own_start = True

        def open(self, address: str, issuer: str, what: str) -> None:
            ann.person(address)

    monkeypatch.setattr("oidcclient._shell.with_session.choose_opener", lambda *_arguments: Given())
    session = ann.run()
    assert session.user.sub == "ann"
    cookies = {cookie.name for cookie in ann.person._http.cookies.jar}
    assert "_session" in cookies
    session.logout(browser=True)
    visit = ann.person.visits[-1]
    last = visit.wait()
    assert last is not None
    assert last.status == 200
    assert any("/session/end/success" in page.url for page in visit.pages), [page.url for page in visit.pages]
    with pytest.raises(oidcclient.LoginRequired, match="login_required"):  # nobody is signed in there any more
        ann.run(prompt="none")


@pytest.mark.parametrize("ready_made", [False, True])
def test_an_api_that_refuses_the_token_gets_a_fresh_one(ann: SignedIn, ready_made: bool) -> None:
    """RFC 6750 section 3.1. The userinfo endpoint stands for the API."""
    record = ann.stored(ann.run())
    unknown = replace(record.tokens[""], value="one-that-the-provider-has-forgotten")
    ann.client._core.store.save(replace(record, tokens={"": unknown}))
    session, base = ann.client.session(), ann.provider.issuer
    assert session.access_token() == unknown
    if ready_made:
        api = session.http(base, trust_env=False)
    else:
        api = httpx.Client(auth=session.auth(base), base_url=base, trust_env=False)
    with api:
        assert api.get("/me").json()["sub"] == "ann"
    assert session.access_token() != unknown
    assert ann.stored(session).refresh_token != record.refresh_token


def test_the_token_of_a_resource_is_refreshed_for_that_resource(ann: SignedIn) -> None:
    """RFC 8707 section 2.2."""
    session = ann.run(resource=API)
    first = session.access_token(API).value
    second = session.refresh(API).value
    assert second != first
    assert audience(first) == audience(second) == API
    assert ann.stored(session).tokens.keys() == {API}
    with pytest.raises(oidcclient.LoginRequired):
        session.refresh(OTHER_API)


def test_tokens_of_two_resources_are_refreshed_apart(ann: SignedIn) -> None:
    """RFC 8707 section 2.2: one refresh token, a token for each resource."""
    session = ann.run(resource=[API, OTHER_API])
    record = ann.stored(session)
    assert record.resources == (API, OTHER_API)
    tokens = {resource: session.refresh(resource).value for resource in (API, OTHER_API)}
    rotated = ann.stored(session)
    assert rotated.refresh_token != record.refresh_token
    again = session.refresh(API).value
    assert again != tokens[API]
    assert session.access_token(OTHER_API).value == tokens[OTHER_API]
    for resource, token in ((API, again), (OTHER_API, tokens[OTHER_API])):
        assert audience(token) == resource
