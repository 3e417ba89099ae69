"""A person signs in: the whole way, over real sockets, against the devkit's provider."""

import base64
import json
import logging
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest

import oidcclient
from oidcclient import events
from oidcclient_devkit import Provider
from tests.client.conftest import TEST_POLICY, MakeClient, advance


def signed_in(client: oidcclient.Client, provider: Provider, **options: object) -> oidcclient.Session:
    browser = provider.browser()
    session = client.login(open_browser=browser, timeout=20, **options)  # type: ignore[arg-type] # options vary by test
    browser.join()
    return session


def test_a_person_signs_in_and_the_claims_are_verified(make_client: MakeClient, oidc_provider: Provider) -> None:
    browser = oidc_provider.browser(user="ann")
    session = make_client().login(open_browser=browser, timeout=20)
    browser.join()
    assert session.user.claims["email"] == "ann@example.com"
    assert session.user.sub == session.userinfo()["sub"]
    assert session.user.issuer == oidc_provider.issuer
    assert browser.page.status == 200
    assert "signed in" in browser.page.text


def test_between_the_redirect_and_the_tokens_lies_exactly_one_request(
    make_client: MakeClient, oidc_provider: Provider
) -> None:
    """Design section 8: keys are fetched while the person types."""
    signed_in(make_client(), oidc_provider)
    paths = [request.path for request in oidc_provider.requests]
    consented = max(at for at, path in enumerate(paths) if path.startswith("/consent"))
    assert paths[consented + 1 :] == ["/token"]
    assert "/jwks" in paths[:consented]


def test_the_request_is_pushed_and_the_browser_carries_nothing_else(
    make_client: MakeClient, oidc_provider: Provider
) -> None:
    """RFC 9126 section 4."""
    signed_in(make_client(), oidc_provider, login_hint="ann")
    authorize = next(request for request in oidc_provider.requests if request.path == "/authorize")
    assert sorted(name for name, _ in authorize.query) == ["client_id", "request_uri"]
    assert oidc_provider.count("par") == 1


def test_the_redirect_uri_is_the_same_byte_for_byte(make_client: MakeClient, oidc_provider: Provider) -> None:
    """RFC 6749 section 4.1.3."""
    signed_in(make_client(), oidc_provider)
    forms = {request.path: dict(request.form) for request in oidc_provider.requests if request.method == "POST"}
    assert forms["/par"]["redirect_uri"] == forms["/token"]["redirect_uri"]
    assert forms["/par"]["redirect_uri"].startswith("http://127.0.0.1:")


def test_every_sign_in_draws_new_secrets(make_client: MakeClient, oidc_provider: Provider) -> None:
    """RFC 9700 section 2.1.1: challenge and nonce are transaction-specific."""
    client = make_client()
    for _ in range(2):
        signed_in(client, oidc_provider)
    pushed = [dict(request.form) for request in oidc_provider.requests if request.path == "/par"]
    for name in ("state", "nonce", "code_challenge"):
        assert pushed[0][name] != pushed[1][name]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_each_loopback_host_works(make_client: MakeClient, oidc_provider: Provider, host: str) -> None:
    """RFC 8252 sections 7.3 and 8.3."""
    via = oidcclient.Loopback(host=host)  # type: ignore[arg-type] # the table holds the three allowed words
    assert signed_in(make_client(), oidc_provider, via=via).user.claims["preferred_username"] == "ann"


def test_form_post_keeps_the_code_out_of_every_address(make_client: MakeClient, oidc_provider: Provider) -> None:
    """OAuth 2.0 Form Post Response Mode."""
    browser = oidc_provider.browser()
    make_client().login(open_browser=browser, via=oidcclient.Loopback(form_post=True), timeout=20)
    browser.join()
    assert not any("code=" in page.url for page in browser.pages)


def test_a_provider_without_par_gets_the_request_in_the_address(
    make_client: MakeClient, oidc_provider: Provider
) -> None:
    """`metadata=` is for providers without discovery: nothing is fetched."""
    base = oidc_provider.issuer
    metadata = {
        "issuer": base,
        "authorization_endpoint": f"{base}/authorize",
        "token_endpoint": f"{base}/token",
        "jwks_uri": f"{base}/jwks",
    }
    session = signed_in(make_client(metadata=metadata), oidc_provider, prompt="login", max_age=0)
    assert session.user.claims["preferred_username"] == "ann"
    authorize = next(request for request in oidc_provider.requests if request.path == "/authorize")
    sent = dict(authorize.query)
    assert sent["code_challenge_method"] == "S256"
    assert (sent["prompt"], sent["max_age"]) == ("login", "0")
    assert not any(request.path.startswith("/.well-known") for request in oidc_provider.requests)


@pytest.mark.parametrize(
    ("client_id", "auth"),
    [
        ("devkit-confidential-basic", "basic"),
        ("devkit-confidential-post", "post"),
        ("devkit-confidential-secret-jwt", "secret-jwt"),
        ("devkit-confidential-private-key-jwt", "private-key-jwt"),
    ],
)
def test_each_client_authentication_signs_in(
    make_client: MakeClient, oidc_provider: Provider, client_id: str, auth: str
) -> None:
    """OIDC Core 9; the same way at the PAR and the token endpoint (RFC 9126 section 2)."""
    secret = oidc_provider.clients[client_id].client_secret or ""
    ways: dict[str, Callable[[], oidcclient.ClientAuth]] = {
        "basic": lambda: oidcclient.ClientSecretBasic(secret),
        "post": lambda: oidcclient.ClientSecretPost(secret),
        "secret-jwt": lambda: oidcclient.ClientSecretJwt(secret=secret),
        "private-key-jwt": lambda: oidcclient.PrivateKeyJwt(key=oidc_provider.keys.client_key.private()),
    }
    session = signed_in(make_client(client_id=client_id, client_auth=ways[auth]()), oidc_provider)
    assert session.user.claims["preferred_username"] == "ann"


def test_a_token_for_a_resource_is_asked_for_and_kept_apart(make_client: MakeClient, oidc_provider: Provider) -> None:
    """RFC 8707 section 2."""
    session = signed_in(make_client(), oidc_provider, resource=oidc_provider.api)
    token = session.access_token(resource=oidc_provider.api)
    payload = token.value.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["aud"] == oidc_provider.api
    request = urllib.request.Request(f"{oidc_provider.api}/me", headers={"Authorization": f"Bearer {token.value}"})  # noqa: S310 - the devkit's own http address
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - the devkit's own http address
        assert json.load(answer)["sub"] == session.user.sub
    with pytest.raises(oidcclient.LoginRequired) as refusal:
        session.access_token(resource="https://other.example")
    assert refusal.value.rule == "resource"


def test_an_expired_token_is_not_handed_out(make_client: MakeClient, oidc_provider: Provider) -> None:
    client = make_client()
    session = signed_in(client, oidc_provider)
    oidc_provider.requests.clear()
    advance(client, 10_000)
    with pytest.raises(oidcclient.SessionExpired):
        session.access_token()
    assert not oidc_provider.requests


def test_offline_access_asks_for_consent_and_brings_a_refresh_token(
    make_client: MakeClient, oidc_provider: Provider, seen: list[object]
) -> None:
    """OIDC Core 11."""
    signed_in(make_client(scopes=["openid", "offline_access"]), oidc_provider)
    pushed = next(dict(request.form) for request in oidc_provider.requests if request.path == "/par")
    assert pushed["prompt"] == "consent"
    received = next(event for event in seen if isinstance(event, events.TokenReceived))
    assert received.refreshable


def test_a_prompt_of_the_callers_own_is_kept(make_client: MakeClient, oidc_provider: Provider) -> None:
    signed_in(make_client(scopes=["openid", "offline_access"]), oidc_provider, prompt="login")
    pushed = next(dict(request.form) for request in oidc_provider.requests if request.path == "/par")
    assert pushed["prompt"] == "login"


def test_what_was_not_granted_is_said(make_client: MakeClient, oidc_provider: Provider, seen: list[object]) -> None:
    """RFC 6749 section 3.3."""
    oidc_provider.misbehave("token.scope_changed")
    signed_in(make_client(), oidc_provider)
    received = next(event for event in seen if isinstance(event, events.TokenReceived))
    assert received.missing_scopes
    assert any(isinstance(event, events.Notice) for event in seen)


def test_the_person_says_no(make_client: MakeClient, oidc_provider: Provider) -> None:
    """RFC 6749 section 4.1.2.1: access_denied, and the page in the browser says so."""
    browser = oidc_provider.browser(deny=True)
    with pytest.raises(oidcclient.LoginDenied) as refusal:
        make_client().login(open_browser=browser, timeout=20)
    browser.join()
    assert refusal.value.error == "access_denied"
    assert "access_denied" in browser.page.text
    assert "You are signed in" not in browser.page.text


def test_prompt_none_without_a_session_means_login_required(make_client: MakeClient, oidc_provider: Provider) -> None:
    """OIDC Core 3.1.2.6; the code is kept."""
    with pytest.raises(oidcclient.LoginRequired) as refusal:
        make_client().login(open_browser=oidc_provider.browser(), prompt="none", timeout=20)
    assert refusal.value.rule == "login_required"


def test_nobody_comes_and_the_wait_ends(make_client: MakeClient) -> None:
    began = time.monotonic()
    with pytest.raises(oidcclient.LoginTimedOut):
        make_client().login(open_browser=lambda _address: None, timeout=0.5)
    assert time.monotonic() - began < 3


def test_an_error_of_the_programs_own_browser_reaches_the_caller(make_client: MakeClient) -> None:
    def broken(_address: str) -> None:
        raise RuntimeError("no web view today")

    with pytest.raises(RuntimeError, match="no web view today"):
        make_client().login(open_browser=broken, timeout=10)


def test_the_programs_own_browser_may_block_until_all_is_done(make_client: MakeClient, oidc_provider: Provider) -> None:
    browser = oidc_provider.browser()
    session = make_client().login(open_browser=browser.visit, timeout=20)
    assert session.user.claims["preferred_username"] == "ann"


def test_the_session_is_found_again_without_a_browser(make_client: MakeClient, oidc_provider: Provider) -> None:
    client = make_client()
    with pytest.raises(oidcclient.LoginRequired):
        client.session()
    first = signed_in(client, oidc_provider)
    oidc_provider.requests.clear()
    assert client.session().user.sub == first.user.sub
    assert client.session(first.user.sub).user.sub == first.user.sub
    assert client.session_or_login().access_token().value == first.access_token().value
    assert [user.sub for user in client.accounts()] == [first.user.sub]
    assert not oidc_provider.requests
    with pytest.raises(oidcclient.LoginRequired):
        client.session("somebody else")


def test_session_or_login_signs_in_when_nobody_is(make_client: MakeClient, oidc_provider: Provider) -> None:
    session = make_client().session_or_login(open_browser=oidc_provider.browser(), timeout=20)
    assert session.user.claims["preferred_username"] == "ann"


def test_two_people_are_kept_apart_and_the_last_one_is_the_default(
    make_client: MakeClient, oidc_provider: Provider
) -> None:
    client = make_client()
    subs = {}
    for name in ("ann", "bob"):
        session = client.login(open_browser=oidc_provider.browser(user=name), timeout=20)
        subs[name] = session.user.sub
    assert client.session().user.sub == subs["bob"]
    assert [user.sub for user in client.accounts()] == [subs["bob"], subs["ann"]]
    assert client.session(subs["ann"]).user.claims["preferred_username"] == "ann"
    assert [user.sub for user in client.accounts()] == [subs["ann"], subs["bob"]]
    assert client.session().user.sub == subs["ann"]


def test_a_gui_gets_the_address_and_waits(make_client: MakeClient, oidc_provider: Provider) -> None:
    pending = make_client().start_login(timeout=20)
    assert pending.url.startswith("http://127.0.0.1:")
    browser = oidc_provider.browser()
    browser(pending.url)
    assert pending.wait().user.claims["preferred_username"] == "ann"


def test_a_gui_cancels_from_another_thread(make_client: MakeClient) -> None:
    pending = make_client().start_login(timeout=20)
    threading.Timer(0.2, pending.cancel).start()
    with pytest.raises(oidcclient.LoginCancelled):
        pending.wait()


def test_a_sign_in_that_nobody_waits_for_stops_listening(make_client: MakeClient) -> None:
    pending = make_client().start_login(timeout=20)
    address = pending.url
    del pending
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address, timeout=2)  # noqa: S310 - our own http address


def test_keys_rotated_while_the_person_types_are_fetched_again(
    make_client: MakeClient, oidc_provider: Provider
) -> None:
    """OIDC Core 10.1.1."""
    client = make_client()
    signed_in(client, oidc_provider)
    oidc_provider.rotate_keys(keep_old=False)
    oidc_provider.requests.clear()
    signed_in(client, oidc_provider)
    assert oidc_provider.count("jwks") == 1


def test_several_issuers_get_paths_of_their_own(make_client: MakeClient, oidc_provider: Provider) -> None:
    """RFC 8252 section 8.10."""
    oidc_provider.add_client("several", redirect_uris=["http://127.0.0.1/callback/" + _path_of(oidc_provider.issuer)])
    policy = oidcclient.Policy(allow_http_loopback=True, several_issuers=True)
    signed_in(make_client(client_id="several", policy=policy), oidc_provider)
    pushed = next(dict(request.form) for request in oidc_provider.requests if request.path == "/par")
    assert pushed["redirect_uri"].endswith("/callback/" + _path_of(oidc_provider.issuer))


def _path_of(issuer: str) -> str:
    return oidcclient.protocol.callback_path(
        issuer, oidcclient.Policy(allow_http_loopback=True, several_issuers=True)
    ).rpartition("/")[2]


def test_nothing_secret_is_logged_shown_or_emitted(
    make_client: MakeClient, oidc_provider: Provider, seen: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = make_client(scopes=["openid", "offline_access"])
    session = signed_in(client, oidc_provider)
    session.userinfo()
    record = client._core.store.records("default", oidc_provider.issuer, oidc_provider.client_id)[0]
    secrets = {session.id_token, session.access_token().value, record.refresh_token or ""}
    for request in oidc_provider.requests:
        values = dict(request.form)
        secrets |= {values[name] for name in ("code", "code_verifier", "state", "nonce") if name in values}
    shown = "\n".join(
        [
            *(
                line.getMessage()
                for line in caplog.records
                if line.name.startswith("oidcclient.") or line.name == "oidcclient"
            ),
            *map(repr, (client, session, record, session.access_token(), session.user, client._core.provider, *seen)),
        ]
    )
    assert len(secrets) >= 6
    assert not [secret for secret in secrets if secret and secret in shown]


def test_constructing_touches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Design section 3: no network, no disk, no keyring."""

    def refuse(*_args: object, **_more: object) -> None:
        raise AssertionError("touched")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("builtins.open", refuse)
    client = oidcclient.Client("https://login.example.com", "app", scopes=["openid"])
    assert "login.example.com" in repr(client)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"issuer": "http://login.example.com"}, "issuer"),
        ({"issuer": "http://127.0.0.1:1"}, "issuer"),
        ({"issuer": "https://login.example.com?x=1"}, "issuer"),
        ({"issuer": "https://login.example.com#x"}, "issuer"),
        ({"issuer": "https://u:p@login.example.com"}, "issuer"),
        ({"issuer": ""}, "issuer"),
        ({"client_id": ""}, "client_id"),
        ({"scopes": "openid"}, "scopes"),
        ({"scopes": ["profile"]}, "scope"),
    ],
)
def test_a_bad_setting_is_refused_at_once(arguments: dict[str, object], rule: str) -> None:
    settings = {"issuer": "https://login.example.com", "client_id": "app", **arguments}
    with pytest.raises(oidcclient.UsageError) as refusal:
        oidcclient.Client(**settings)  # type: ignore[arg-type] # wrong on purpose
    assert refusal.value.rule == rule
    assert refusal.value.hint


def test_an_http_issuer_on_loopback_needs_the_named_exception(oidc_provider: Provider) -> None:
    with pytest.raises(oidcclient.UsageError, match="not https") as refusal:
        oidcclient.Client(oidc_provider.issuer, "app")
    assert "allow_http_loopback" in refusal.value.hint
    assert "127.0.0.1" in repr(oidcclient.Client(oidc_provider.issuer, "app", policy=TEST_POLICY))
