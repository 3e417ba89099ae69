"""A provider that breaks the rules, in every way the devkit knows: refused with the rule's name, and nothing stored."""

import pytest

import oidcclient
from oidcclient_devkit import MISBEHAVIOURS, Provider
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
    "jwks.not_json": (D, "json"),
    "jwks.redirect_to_other_host": (D, None),
    "par.status_200": (R, "status"),
    "par.missing_request_uri": (R, "request_uri"),
    "par.missing_expires_in": (R, "request_uri"),
    "par.error": (O, "error"),
    "par.too_many_requests": (T, None),
    "par.unavailable": (T, None),
    "par.not_json": (R, "status"),
    "callback.wrong_iss": (C, "iss"),
    "callback.missing_iss": (C, "iss"),
    "callback.two_iss": (C, "duplicate"),
    "callback.two_codes": (C, "duplicate"),
    "callback.no_code": (C, "code"),
    "callback.wrong_code": (O, "error"),
    "callback.error": (O, "error"),
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
    "jwks.decoys",
    "callback.unknown_parameters",
    "token.scope_changed",
    "token.expires_in_string",
    "token.expires_in_missing",
    "id_token.aud_list",
    "id_token.other_sub",  # nobody else is known yet
)
# A response that is not ours does not end the wait; the provider shows its own page for the other two.
KEPT_WAITING = (
    "callback.wrong_state",
    "callback.missing_state",
    "callback.two_states",
    "par.foreign_request_uri",
    "par.expired_at_once",
)
SLOW = ("metadata.slow", "par.slow", "token.slow")
USERINFO_JSON = {
    "userinfo.other_sub": "sub",
    "userinfo.no_sub": "sub",
    "userinfo.not_json": "content-type",
    "userinfo.huge": "size",
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
ELSEWHERE = {"jwks.slow", "userinfo.slow", "jwks.no_kid"}  # tests of their own below


def test_every_misbehaviour_of_the_devkit_is_met() -> None:
    met = {*REFUSED, *ALLOWED, *KEPT_WAITING, *SLOW, *USERINFO_JSON, *USERINFO_SIGNED, *ELSEWHERE}
    of_proofs = {name for name in MISBEHAVIOURS if "dpop" in name}  # met by the add-on's tests
    assert set(MISBEHAVIOURS) - met - of_proofs == set()


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
    oidc_provider.sign_in_as("ann")
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
