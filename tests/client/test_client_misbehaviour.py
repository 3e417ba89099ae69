"""A provider that breaks the rules, in every way the devkit knows: refused with the rule's name, and nothing stored."""

import httpx
import pytest

import oidcclient
from oidcclient_devkit import MISBEHAVIOURS, Keys, Provider
from tests.client.conftest import MakeClient

D, C, I, R, T, O = (  # noqa: E741 - one letter a column keeps the table readable
    oidcclient.DiscoveryRefused,
    oidcclient.CallbackRefused,
    oidcclient.IDTokenRefused,
    oidcclient.ResponseRefused,
    oidcclient.TransportError,
    oidcclient.OAuthError,
)

REFUSED: dict[str, tuple[type[oidcclient.OidcError], str | None]] = {
    "metadata.wrong_issuer": (D, "issuer"),
    "metadata.issuer_with_slash": (D, "issuer"),
    "metadata.http_endpoint": (D, "token_endpoint"),
    "metadata.bad_authorization_endpoint": (D, "authorization_endpoint"),
    "metadata.missing_token_endpoint": (D, "token_endpoint"),
    "metadata.huge": (R, "size"),
    "metadata.wrong_content_type": (D, "content-type"),
    "metadata.not_json": (D, "json"),
    "metadata.not_an_object": (D, "json"),
    "metadata.duplicate_members": (D, "duplicate"),
    "metadata.redirect_to_other_host": (D, None),
    "metadata.redirect_to_http": (D, None),
    "metadata.redirect_loop": (D, "redirect"),
    "jwks.unknown_kid": (I, "kid"),
    "jwks.private": (D, "private key"),
    "jwks.huge": (R, "size"),
    "jwks.empty": (I, "kid"),
    "jwks.stale": (I, "kid"),
    "jwks.wrong_use": (I, "kid"),
    "jwks.not_json": (D, "json"),
    "jwks.redirect_to_other_host": (D, None),
    "par.status_200": (R, "status"),
    "par.missing_request_uri": (R, "request_uri"),
    "par.missing_expires_in": (R, "request_uri"),
    "par.error": (O, "error"),
    "par.too_many_requests": (T, None),
    "par.unavailable": (T, None),
    "par.not_json": (R, "status"),
    "par.huge": (R, "size"),
    "par.redirect": (R, "status"),
    "callback.wrong_iss": (C, "iss"),
    "callback.missing_iss": (C, "iss"),
    "callback.two_iss": (C, "duplicate"),
    "callback.two_codes": (C, "duplicate"),
    "callback.no_code": (C, "code"),
    "callback.wrong_code": (O, "error"),
    "callback.error": (O, "error"),
    "callback.hostile_error": (O, "error"),
    "callback.error_with_wrong_iss": (C, "iss"),
    "callback.code_and_error": (O, "error"),
    "token.type_mac": (R, "token_type"),
    "token.missing_token_type": (R, "token_type"),
    "token.missing_access_token": (R, "access_token"),
    "token.empty_access_token": (R, "access_token"),
    "token.not_json": (R, "json"),
    "token.not_an_object": (R, "json"),
    "token.duplicate_members": (R, "duplicate"),
    "token.huge": (R, "size"),
    "token.escape_sequences": (O, "error"),
    "token.expires_in_negative": (R, "expires_in"),
    "token.redirect": (R, "status"),
    "token.invalid_grant": (O, "error"),
    "token.too_many_requests": (T, None),
    "token.unavailable": (T, None),
    "id_token.absent": (I, "id_token"),
    "id_token.wrong_iss": (I, "iss"),
    "id_token.missing_iss": (I, "iss"),
    "id_token.wrong_aud": (I, "aud"),
    "id_token.missing_aud": (I, "aud"),
    "id_token.untrusted_aud": (I, "aud"),
    "id_token.many_aud_no_azp": (I, "aud"),
    "id_token.wrong_azp": (I, "azp"),
    "id_token.wrong_nonce": (I, "nonce"),
    "id_token.missing_nonce": (I, "nonce"),
    "id_token.wrong_at_hash": (I, "at_hash"),
    "id_token.expired": (I, "exp"),
    "id_token.missing_exp": (I, "exp"),
    "id_token.exp_string": (I, "exp"),
    "id_token.iat_future": (I, "iat"),
    "id_token.iat_past": (I, "iat"),
    "id_token.missing_iat": (I, "iat"),
    "id_token.missing_sub": (I, "sub"),
    "id_token.long_sub": (I, "sub"),
    "id_token.sub_number": (I, "sub"),
    "id_token.missing_auth_time": (I, "auth_time"),
    "id_token.old_auth_time": (I, "auth_time"),
    "id_token.other_acr": (I, "acr"),
    "id_token.missing_acr": (I, "acr"),
    "id_token.alg_none": (I, "alg"),
    "id_token.hs256_public_key": (I, "alg"),
    "id_token.hs256_client_secret": (I, "alg"),
    "id_token.zeroed_signature": (I, "signature"),
    "id_token.no_signature": (I, "signature"),
    "id_token.wrong_key": (I, "signature"),
    "id_token.stale_key": (I, "kid"),
    "id_token.jku_header": (I, None),
    "id_token.jwk_header": (I, None),
    "id_token.x5u_header": (I, None),
    "id_token.crit_header": (I, "crit"),
    "id_token.two_parts": (I, "format"),
    "id_token.encrypted": (I, "format"),
    "id_token.not_a_jwt": (I, "format"),
}
# What a client must live with.
ALLOWED = (
    "metadata.only_rfc8414",
    "metadata.lists_alg_none",
    "metadata.no_pkce",
    "metadata.no_iss_parameter",
    "metadata.unknown_members",
    "jwks.decoys",
    "callback.unknown_parameters",
    "token.type_in_other_case",
    "token.missing_refresh_token",
    "token.missing_scope",
    "token.unknown_members",
    "token.scope_changed",
    "token.expires_in_string",
    "token.expires_in_missing",
    "id_token.aud_list",
    "id_token.missing_at_hash",
    "id_token.unknown_claims",
    "id_token.other_sub",  # nobody else is known yet
)
# A response that is not ours does not end the wait; the provider shows its own page for the other two.
KEPT_WAITING = (
    "callback.wrong_state",
    "callback.missing_state",
    "callback.two_states",
    "callback.fragment",
    "callback.form_post",
    "callback.status_307",  # RFC 9700 section 4.12: what was posted to the provider comes to us
    "par.foreign_request_uri",
    "par.expired_at_once",
)
SLOW = ("metadata.slow", "par.slow", "token.slow")
USERINFO_JSON = {
    "userinfo.other_sub": "sub",
    "userinfo.no_sub": "sub",
    "userinfo.not_json": "content-type",
    "userinfo.huge": "size",
    "userinfo.redirect_to_other_host": "status",
}
USERINFO_SIGNED = {
    "userinfo.other_sub": "sub",
    "userinfo.no_sub": "sub",
    "userinfo.wrong_key": "signature",
    "userinfo.alg_none": "alg",
    "userinfo.no_iss": "iss",
    "userinfo.no_aud": "aud",
    "userinfo.wrong_aud": "aud",
}
REVOKE = ("revoke.error", "revoke.unavailable", "revoke.redirect", "revoke.huge", "revoke.slow")
# What an API answers is the program's business; the status, and how often it is asked. A token it calls invalid is
# renewed once, everything else is left to the program.
API = {
    "api.no_challenge": (401, 1),
    "api.token_refused": (401, 2),
    "api.insufficient_scope": (403, 1),
    "api.step_up": (401, 1),
    "api.unavailable": (503, 1),
}
DEVICE: dict[str, tuple[type[oidcclient.OidcError], str | None]] = {
    "device_authorization.missing_device_code": (R, "device_code"),
    "device_authorization.missing_user_code": (R, "user_code"),
    "device_authorization.missing_verification_uri": (R, "verification_uri"),
    "device_authorization.missing_expires_in": (R, "expires_in"),
    "device_authorization.http_verification_uri": (R, "verification_uri"),
    "device_authorization.bad_verification_uri": (R, "verification_uri"),
    "device_authorization.bad_complete_uri": (R, "verification_uri"),
    "device_authorization.hostile_user_code": (R, "user_code"),
    "device_authorization.error": (O, "error"),
    "device_authorization.too_many_requests": (T, None),
    "device_authorization.unavailable": (T, None),
    "device_authorization.redirect": (R, "status"),
    "device_authorization.not_json": (R, "json"),
    "device_authorization.huge": (R, "size"),
    "device_authorization.slow": (T, None),
}
DEVICE_ALLOWED = ("device_authorization.missing_complete_uri", "device_authorization.old_name")
DEVICE_WAITS = ("token.pending", "token.slow_down")
ELSEWHERE = {  # tests of their own below
    *("jwks.slow", "userinfo.slow", "jwks.no_kid", "metadata.mixed_up"),
    "api.redirect_to_other_host",
}


def test_every_misbehaviour_of_the_devkit_is_met() -> None:
    met = {*REFUSED, *ALLOWED, *KEPT_WAITING, *SLOW, *USERINFO_JSON, *USERINFO_SIGNED, *REVOKE, *API, *ELSEWHERE}
    met |= {*DEVICE, *DEVICE_ALLOWED, *DEVICE_WAITS}
    of_proofs = {name for name in MISBEHAVIOURS if "dpop" in name}  # met by the add-on's tests
    assert set(MISBEHAVIOURS) == met | of_proofs


def options_for(name: str) -> dict[str, object]:
    if "auth_time" in name:
        return {"max_age": 60}
    if "acr" in name:
        return {"claims": {"id_token": {"acr": {"essential": True, "values": ["pwd"]}}}}
    return {}


@pytest.mark.parametrize("name", REFUSED)
def test_a_misbehaving_provider_is_refused_and_nothing_is_stored(
    make_client: MakeClient, oidc_provider: Provider, name: str
) -> None:
    kind, rule = REFUSED[name]
    oidc_provider.misbehave(name)
    oidc_provider.sign_in_as("ann")
    client = make_client()
    with pytest.raises(kind) as refusal:
        client.login(open_browser=oidc_provider.browser(), timeout=20, **options_for(name))  # type: ignore[arg-type] # options vary by row
    assert rule in {None, refusal.value.rule}
    assert refusal.value.hint
    assert "\x1b" not in str(refusal.value)
    assert client.accounts() == ()


@pytest.mark.parametrize("name", ALLOWED)
def test_a_harmless_oddity_does_not_end_the_sign_in(
    make_client: MakeClient, oidc_provider: Provider, name: str
) -> None:
    oidc_provider.misbehave(name)
    oidc_provider.sign_in_as("ann")
    assert make_client().login(open_browser=oidc_provider.browser(), timeout=20).user.sub


@pytest.mark.parametrize("name", KEPT_WAITING)
def test_what_is_not_ours_keeps_the_sign_in_waiting(
    make_client: MakeClient, oidc_provider: Provider, name: str
) -> None:
    """`native-login` rows "Wrong or missing state" and "`error=` without state check"; RFC 8252 section 8.9."""
    oidc_provider.misbehave(name, times=1)
    oidc_provider.sign_in_as(None if name == "callback.status_307" else "ann")
    pending = make_client().start_login(timeout=20)
    first = oidc_provider.browser()
    first(pending.url)
    second = oidc_provider.browser()

    def try_again() -> None:
        first.join()
        assert first.page.status >= 400
        second(pending.url)

    import threading  # noqa: PLC0415 - one test needs it

    threading.Thread(target=try_again).start()
    assert pending.wait().user.sub


@pytest.mark.parametrize("name", SLOW)
def test_a_slow_provider_ends_in_a_clear_error(make_client: MakeClient, oidc_provider: Provider, name: str) -> None:
    oidc_provider.misbehave(name, seconds=3)
    oidc_provider.sign_in_as("ann")
    policy = oidcclient.Policy(allow_http_loopback=True, http_timeout=0.5)
    with pytest.raises(T, match=r"timed out|took longer"):
        make_client(policy=policy).login(open_browser=oidc_provider.browser(), timeout=20)


@pytest.mark.parametrize("times", [1])
def test_keys_that_could_not_be_fetched_ahead_are_fetched_when_needed(
    make_client: MakeClient, oidc_provider: Provider, times: int
) -> None:
    oidc_provider.misbehave("jwks.not_json", times=times)
    oidc_provider.sign_in_as("ann")
    assert make_client().login(open_browser=oidc_provider.browser(), timeout=20).user.sub
    assert oidc_provider.count("jwks") == 1 + times


def test_slow_keys_do_not_end_the_sign_in(make_client: MakeClient, oidc_provider: Provider) -> None:
    oidc_provider.misbehave("jwks.slow", times=1, seconds=2)
    oidc_provider.sign_in_as("ann")
    policy = oidcclient.Policy(allow_http_loopback=True, http_timeout=0.5)
    assert make_client(policy=policy).login(open_browser=oidc_provider.browser(), timeout=20).user.sub


def test_keys_without_ids_do_not_verify_a_token_with_one(make_client: MakeClient, oidc_provider: Provider) -> None:
    """OIDC Core 10.1: with several keys, `kid` is there and fits."""
    oidc_provider.misbehave("jwks.no_kid")
    oidc_provider.sign_in_as("ann")
    with pytest.raises(I) as refusal:
        make_client().login(open_browser=oidc_provider.browser(), timeout=20)
    assert refusal.value.rule == "kid"


@pytest.mark.parametrize(
    ("name", "rule", "signed"),
    [
        *((name, rule, False) for name, rule in USERINFO_JSON.items()),
        *((name, rule, True) for name, rule in USERINFO_SIGNED.items()),
    ],
)
def test_false_userinfo_is_refused(
    make_client: MakeClient, oidc_provider: Provider, name: str, rule: str, *, signed: bool
) -> None:
    """OIDC Core 5.3.2 and 5.3.4."""
    client_id = oidc_provider.client_id
    if signed:
        client_id = "signed-userinfo"
        oidc_provider.add_client(client_id, userinfo_signed_response_alg="RS256")
    oidc_provider.sign_in_as("ann")
    session = make_client(client_id=client_id).login(open_browser=oidc_provider.browser(), timeout=20)
    assert session.userinfo()["sub"] == session.user.sub
    oidc_provider.misbehave(name)
    with pytest.raises(R) as refusal:
        session.userinfo()
    assert refusal.value.rule == rule


def test_slow_userinfo_ends_in_a_clear_error(make_client: MakeClient, oidc_provider: Provider) -> None:
    oidc_provider.sign_in_as("ann")
    policy = oidcclient.Policy(allow_http_loopback=True, http_timeout=0.5)
    session = make_client(policy=policy).login(open_browser=oidc_provider.browser(), timeout=20)
    oidc_provider.misbehave("userinfo.slow", seconds=3)
    with pytest.raises(T):
        session.userinfo()


def test_a_busy_provider_says_when_to_come_back(make_client: MakeClient, oidc_provider: Provider) -> None:
    """RFC 9126 section 2.3: 429 means later, never unpushed."""
    oidc_provider.misbehave("par.too_many_requests", retry_after=7)
    with pytest.raises(T) as refusal:
        make_client().login(open_browser=oidc_provider.browser(), timeout=20)
    assert (refusal.value.status, refusal.value.retry_after) == (429, 7)
    assert oidc_provider.count("authorize") == 0


# Issuers, keys and responses


def test_a_mix_up_of_two_providers_is_noticed(
    make_client: MakeClient, oidc_provider: Provider, oidc_keys: Keys
) -> None:
    """RFC 9700 section 4.4, RFC 9207: the attacker has people sign in elsewhere, and wants the code sent to it."""
    with Provider(keys=oidc_keys) as honest:
        honest.sign_in_as("ann")
        oidc_provider.misbehave("metadata.mixed_up", issuer=honest.issuer)
        client = make_client()
        with pytest.raises(C) as refusal:
            client.login(open_browser=oidc_provider.browser(), timeout=20)
        assert refusal.value.rule == "iss"
        assert honest.count("authorize") == 1
    assert oidc_provider.count("token") == 0
    assert client.accounts() == ()


def test_a_mix_up_where_the_other_provider_sends_no_iss_is_noticed(
    make_client: MakeClient, oidc_provider: Provider, oidc_keys: Keys
) -> None:
    """RFC 9207 section 2.4: the attacker's own metadata says that there is one."""
    with Provider(keys=oidc_keys) as honest:
        honest.sign_in_as("ann")
        honest.misbehave("callback.missing_iss")
        oidc_provider.misbehave("metadata.mixed_up", issuer=honest.issuer)
        with pytest.raises(C) as refusal:
            make_client().login(open_browser=oidc_provider.browser(), timeout=20)
        assert refusal.value.rule == "iss"
    assert oidc_provider.count("token") == 0


def test_stale_keys_cost_one_more_request_and_no_more(make_client: MakeClient, oidc_provider: Provider) -> None:
    """OIDC Core 10.1.1: an unknown `kid` is looked up once more, and not for ever."""
    oidc_provider.sign_in_as("ann")
    oidc_provider.rotate_keys()
    oidc_provider.misbehave("jwks.stale")
    client = make_client()
    for _ in range(2):
        with pytest.raises(I) as refusal:
            client.login(open_browser=oidc_provider.browser(), timeout=20)
        assert refusal.value.rule == "kid"
    assert oidc_provider.count("jwks") <= 4
    oidc_provider.behave()
    assert make_client().login(open_browser=oidc_provider.browser(), timeout=20).user.sub


def test_alg_none_is_refused_though_the_provider_offers_it(make_client: MakeClient, oidc_provider: Provider) -> None:
    """OIDC Core 3.1.3.7 and RFC 8725 section 3.1: the client decides."""
    oidc_provider.misbehave("metadata.lists_alg_none")
    oidc_provider.misbehave("id_token.alg_none")
    oidc_provider.sign_in_as("ann")
    with pytest.raises(I) as refusal:
        make_client().login(open_browser=oidc_provider.browser(), timeout=20)
    assert refusal.value.rule == "alg"


def test_a_strict_client_wants_pkce_announced(make_client: MakeClient, oidc_provider: Provider) -> None:
    """MCP authorization: no sign-in where PKCE is not advertised."""
    oidc_provider.misbehave("metadata.no_pkce")
    policy = oidcclient.Policy(allow_http_loopback=True, require_pkce_advertised=True)
    with pytest.raises(D) as refusal:
        make_client(policy=policy).login(open_browser=oidc_provider.browser(), timeout=20)
    assert refusal.value.rule == "code_challenge_methods_supported"


@pytest.mark.parametrize("value", ["javascript:alert(1)", "https://login.example.com/\n--help", "/relative", "x y"])
def test_a_browser_is_never_opened_with_what_is_no_address(
    make_client: MakeClient, oidc_provider: Provider, value: str
) -> None:
    oidc_provider.misbehave("metadata.bad_authorization_endpoint", value=value)
    opened: list[str] = []
    with pytest.raises(D):
        make_client().login(open_browser=opened.append, timeout=20)
    assert opened == []


def test_a_response_without_iss_is_taken_where_none_was_promised(
    make_client: MakeClient, oidc_provider: Provider
) -> None:
    """RFC 9207 section 3: absent metadata means that there may be none; section 2.4: one that is there is compared."""
    oidc_provider.misbehave("metadata.no_iss_parameter")
    oidc_provider.sign_in_as("ann")
    oidc_provider.misbehave("callback.missing_iss", times=1)
    assert make_client().login(open_browser=oidc_provider.browser(), timeout=20).user.sub
    oidc_provider.misbehave("callback.wrong_iss", times=1)
    with pytest.raises(C):
        make_client().login(open_browser=oidc_provider.browser(), timeout=20)


def test_what_an_attacker_writes_into_an_error_is_shown_as_text(
    make_client: MakeClient, oidc_provider: Provider
) -> None:
    oidc_provider.misbehave("callback.hostile_error")
    oidc_provider.sign_in_as("ann")
    browser = oidc_provider.browser()
    with pytest.raises(O) as refusal:
        make_client().login(open_browser=browser, timeout=20)
    browser.join()
    for text in (browser.page.text, str(refusal.value), repr(refusal.value)):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "<script>" not in browser.page.text


# After the sign-in


def test_a_refresh_without_a_new_refresh_token_keeps_the_old_one(
    make_client: MakeClient, oidc_provider: Provider
) -> None:
    """RFC 6749 section 6."""
    oidc_provider.sign_in_as("ann")
    client = make_client(scopes=["openid", "offline_access"])
    session = client.login(open_browser=oidc_provider.browser(), timeout=20)
    oidc_provider.misbehave("token.missing_refresh_token", times=1)
    session.refresh()
    stored = session._core.store.load(session.key)
    assert stored is not None
    assert stored.refresh_token


@pytest.mark.parametrize("name", REVOKE)
def test_a_session_ends_here_whatever_the_provider_answers(
    make_client: MakeClient, oidc_provider: Provider, name: str
) -> None:
    """RFC 7009 section 2.2.1: a failure there does not keep anybody signed in here."""
    oidc_provider.sign_in_as("ann")
    policy = oidcclient.Policy(allow_http_loopback=True, http_timeout=0.5)
    client = make_client(policy=policy)
    session = client.login(open_browser=oidc_provider.browser(), timeout=20)
    oidc_provider.misbehave(name, **({"seconds": 3} if name.endswith("slow") else {}))
    session.logout()
    assert client.accounts() == ()
    assert oidc_provider.count("revoke") >= 1


@pytest.mark.parametrize("name", API)
def test_a_refusal_of_an_api_is_handed_to_the_program_and_not_repeated(
    make_client: MakeClient, oidc_provider: Provider, name: str
) -> None:
    """Only `invalid_token` is a reason to renew the token (RFC 6750 section 3.1), and that once."""
    status, requests = API[name]
    oidc_provider.sign_in_as("ann")
    client = make_client(scopes=["openid", "profile", "offline_access"])
    session = client.login(open_browser=oidc_provider.browser(), timeout=20)
    oidc_provider.misbehave(name)
    tokens = oidc_provider.count("token")
    with httpx.Client(auth=session.auth(resource=oidc_provider.api), trust_env=False) as api:
        assert api.get(f"{oidc_provider.api}/me").status_code == status
        assert oidc_provider.count("api") == requests
        assert oidc_provider.count("token") - tokens == requests - 1
        assert api.get(f"{oidc_provider.api}/me").status_code == status
    assert oidc_provider.count("api") == requests + 1  # it is not renewed again and again
    assert client.accounts()


@pytest.mark.parametrize("follow", [True, False])
def test_a_token_does_not_follow_a_redirect_to_another_host(
    make_client: MakeClient, oidc_provider: Provider, oidc_keys: Keys, *, follow: bool
) -> None:
    """RFC 6750 section 5.2."""
    oidc_provider.sign_in_as("ann")
    session = make_client().login(open_browser=oidc_provider.browser(), timeout=20)
    with Provider(keys=oidc_keys) as other:
        oidc_provider.misbehave("api.redirect_to_other_host", location=f"{other.api}/me")
        with httpx.Client(
            auth=session.auth(resource=oidc_provider.api), trust_env=False, follow_redirects=follow
        ) as api:
            answer = api.get(f"{oidc_provider.api}/me")
        assert answer.status_code == (401 if follow else 302)
        assert all(request.header("authorization") is None for request in other.requests)
        with session.http(oidc_provider.api, trust_env=False, follow_redirects=follow) as api:
            assert api.get("/me").status_code == (401 if follow else 302)
        assert all(request.header("authorization") is None for request in other.requests)


# Another device


@pytest.mark.parametrize("name", DEVICE)
def test_what_no_person_should_be_shown_is_refused(make_client: MakeClient, oidc_provider: Provider, name: str) -> None:
    """RFC 8628 section 3.2; the page and the code go to a terminal and to a browser."""
    kind, rule = DEVICE[name]
    oidc_provider.misbehave(name, **({"seconds": 3} if name.endswith("slow") else {}))
    shown: list[oidcclient.DeviceCode] = []
    policy = oidcclient.Policy(allow_http_loopback=True, http_timeout=0.5)
    with pytest.raises(kind) as refusal:
        make_client(policy=policy).login(via=oidcclient.Device(show=shown.append), timeout=20)
    assert rule in {None, refusal.value.rule}
    assert "\x1b" not in str(refusal.value)
    assert shown == []
    assert oidc_provider.count("token") == 0


@pytest.mark.parametrize("name", DEVICE_ALLOWED)
def test_an_oddity_of_the_device_page_is_no_reason_to_fail(
    make_client: MakeClient, oidc_provider: Provider, name: str
) -> None:
    oidc_provider.set_device_codes(interval=0)
    oidc_provider.misbehave(name)
    via = oidcclient.Device(show=lambda code: oidc_provider.approve_device(code.user_code))
    assert make_client().login(via=via, timeout=20).user.sub


@pytest.mark.parametrize("name", DEVICE_WAITS)
def test_a_poll_that_never_ends_does(make_client: MakeClient, oidc_provider: Provider, name: str) -> None:
    """RFC 8628 section 3.5: after `slow_down` there are five seconds more between two polls."""
    oidc_provider.set_device_codes(interval=0)
    oidc_provider.misbehave(name)
    via = oidcclient.Device(show=lambda code: oidc_provider.approve_device(code.user_code))
    with pytest.raises(oidcclient.LoginTimedOut):
        make_client().login(via=via, timeout=1.5)
    assert oidc_provider.count("token") == 1
