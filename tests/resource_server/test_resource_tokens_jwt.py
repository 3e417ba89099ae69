"""JWT access tokens (RFC 9068)."""

import asyncio
import hashlib
import hmac
import pickle
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import oidcclient
from oidcclient_dpop.server import JWT_ALGORITHMS, CheckedToken, InvalidAccessToken, JWTAccessTokens
from tests.dpop_server.proofs import ClientKey, b64, new_key, part, prove, seal
from tests.resource_server.lab import API, ISSUER, KID, access_token, jwks

NOW = time.time()


def rules(signer: ClientKey, **settings: Any) -> JWTAccessTokens:
    return JWTAccessTokens(ISSUER, settings.pop("audience", API), jwks=jwks(signer), **settings)


def reason(tokens: JWTAccessTokens, token: str, now: float = NOW) -> str:
    with pytest.raises(InvalidAccessToken) as caught:
        tokens.check(token, now=now)
    return caught.value.reason


def test_a_good_token_is_taken(signer: ClientKey) -> None:
    checked = rules(signer).check(access_token(signer, scope="a b", cnf={"jkt": "k"}), now=NOW)
    assert checked.scopes == {"a", "b"}
    assert (checked.jkt, checked.bound) == ("k", True)
    assert checked.claims["sub"] == "ann"
    assert checked.expires_at == checked.claims["exp"]
    assert "ann" not in repr(checked)


def test_claims_cannot_be_changed_afterwards(signer: ClientKey) -> None:
    checked = rules(signer).check(access_token(signer), now=NOW)
    with pytest.raises(TypeError):
        checked.claims["scope"] = "admin"  # type: ignore[index] # that is the point


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "AT+JWT"])
def test_both_spellings_of_the_type_are_taken(signer: ClientKey, typ: str) -> None:
    rules(signer).check(access_token(signer, {"typ": typ}), now=NOW)


@pytest.mark.parametrize(
    "typ", [None, "JWT", "jwt", "dpop+jwt", "logout+jwt", "at+jwt ", "application/jwt", 5, ["at+jwt"]]
)
def test_any_other_type_is_refused(signer: ClientKey, typ: Any) -> None:
    """RFC 9068 section 4."""
    assert reason(rules(signer), access_token(signer, {"typ": typ})) == "typ"


@pytest.mark.parametrize("typ", [None, "JWT"])
def test_an_untyped_token_needs_the_named_exception(signer: ClientKey, typ: str | None) -> None:
    tokens = rules(signer, untyped=True)
    tokens.check(access_token(signer, {"typ": typ}, sub=None), now=NOW)
    tokens.check(access_token(signer), now=NOW)
    for other in ("dpop+jwt", "logout+jwt", 5):
        assert reason(tokens, access_token(signer, {"typ": other})) == "typ"


def test_a_proof_is_no_access_token(signer: ClientKey) -> None:
    """RFC 9449 section 11.5."""
    assert reason(rules(signer), prove(signer, "GET", API)) == "typ"


@pytest.mark.parametrize("alg", ["none", "None", "HS256", "ES256K", "ES384", "RS256", None, 5])
def test_an_algorithm_that_is_not_allowed_is_refused(signer: ClientKey, alg: Any) -> None:
    """RFC 8725 section 3.1."""
    assert reason(rules(signer, algorithms=["ES256"]), access_token(signer, {"alg": alg})) == "alg"


def test_a_token_without_a_signature_is_refused(signer: ClientKey) -> None:
    header, claims, _ = access_token(signer, {"alg": "none"}).split(".")
    assert reason(rules(signer), f"{header}.{claims}.") == "alg"


def test_the_public_key_is_no_secret_to_sign_with(signer: ClientKey) -> None:
    header, claims, _ = access_token(signer, {"alg": "HS256"}).split(".")
    for secret in (signer.jwk["x"], part(dict(signer.jwk))):
        mac = hmac.digest(secret.encode(), f"{header}.{claims}".encode(), hashlib.sha256)
        assert reason(rules(signer), f"{header}.{claims}.{b64(mac)}") == "alg"


@pytest.mark.parametrize("algorithms", [["none"], ["HS256"], ["ES256", "HS512"], ["ES256K"], []])
def test_no_mac_can_ever_be_allowed(signer: ClientKey, algorithms: list[str]) -> None:
    with pytest.raises(ValueError, match="algorithms"):
        rules(signer, algorithms=algorithms)


@pytest.mark.parametrize("alg", JWT_ALGORITHMS)
def test_every_algorithm_that_can_be_allowed_works(alg: str) -> None:
    signer = new_key(alg)
    rules(signer).check(access_token(signer), now=NOW)


def test_a_signature_by_another_key_is_refused(signer: ClientKey) -> None:
    assert reason(rules(signer), access_token(new_key())) == "signature"


def test_a_changed_claim_is_refused(signer: ClientKey) -> None:
    header, _, signature = access_token(signer).split(".")
    _, claims, _ = access_token(signer, sub="bob").split(".")
    tokens = rules(signer)
    tokens.check(access_token(signer), now=NOW)  # its header is known from now on
    assert reason(tokens, f"{header}.{claims}.{signature}") == "signature"


def test_a_key_that_nobody_knows_is_refused(signer: ClientKey) -> None:
    assert reason(rules(signer), access_token(signer, {"kid": "other"})) == "kid"


def test_a_token_may_name_no_key_where_there_is_one(signer: ClientKey) -> None:
    rules(signer).check(access_token(signer, {"kid": None}), now=NOW)


def test_a_token_must_name_its_key_where_there_are_several(signer: ClientKey) -> None:
    tokens = JWTAccessTokens(ISSUER, API, jwks=jwks(signer, new_key()))
    assert reason(tokens, access_token(signer, {"kid": None})) == "kid"


def test_keys_of_one_name_are_all_tried(signer: ClientKey) -> None:
    other, stranger = new_key(), new_key()
    same_name = [{**key.jwk, "kid": KID} for key in (signer, other)]
    tokens = JWTAccessTokens(ISSUER, API, jwks={"keys": same_name}, cached=0)
    for key in (other, signer, other, signer):  # the header that all their tokens have is no key's own
        tokens.check(access_token(key), now=NOW)
    assert reason(JWTAccessTokens(ISSUER, API, jwks={"keys": same_name}), access_token(stranger)) == "signature"


def test_keys_in_the_header_are_never_looked_at(signer: ClientKey) -> None:
    stranger = new_key()
    header = {"jwk": dict(stranger.jwk), "jku": "https://evil.example.com/jwks", "kid": "stranger"}
    assert reason(rules(signer), access_token(stranger, header)) == "kid"


def test_a_key_that_cannot_be_read_verifies_nothing(signer: ClientKey) -> None:
    broken = {**signer.jwk, "x": signer.jwk["y"], "kid": KID}
    tokens = JWTAccessTokens(ISSUER, API, jwks={"keys": [broken]})
    assert reason(tokens, access_token(signer)) == "kid"


def test_critical_headers_are_refused(signer: ClientKey) -> None:
    """RFC 7515 section 4.1.11."""
    assert reason(rules(signer), access_token(signer, {"crit": ["x"], "x": 1})) == "format"
    assert reason(rules(signer), access_token(signer, {"kid": 5})) == "format"


@pytest.mark.parametrize(
    ("claims", "failed"),
    [
        ({"iss": "https://login.example.com/"}, "iss"),
        ({"iss": None}, "iss"),
        ({"iss": 5}, "iss"),
        ({"aud": "https://other.example.com"}, "aud"),
        ({"aud": f"{API}/"}, "aud"),
        ({"aud": []}, "aud"),
        ({"aud": None}, "aud"),
        ({"aud": 5}, "aud"),
        ({"aud": {API: 1}}, "aud"),
        ({"aud": [API, 5]}, "aud"),
        ({"exp": None}, "exp"),
        ({"exp": "soon"}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": 1}, "exp"),
        ({"exp": 1e300}, "exp"),
        ({"nbf": NOW + 3600}, "nbf"),
        ({"nbf": "now"}, "nbf"),
        ({"sub": None}, "sub"),
        ({"sub": 5}, "sub"),
        ({"scope": ["profile"]}, "scope"),
        ({"cnf": "jkt"}, "cnf"),
        ({"cnf": {"jkt": 5}}, "cnf"),
        ({"cnf": {"jkt": None}}, "cnf"),
    ],
)
def test_a_claim_that_does_not_fit_is_refused(signer: ClientKey, claims: dict[str, Any], failed: str) -> None:
    """RFC 9068 section 4."""
    assert reason(rules(signer), access_token(signer, **claims)) == failed


@pytest.mark.parametrize("claims", [{"aud": ["x", API]}, {"nbf": NOW - 5}, {"scope": None}, {"exp": NOW + 0.5}])
def test_a_claim_that_fits_is_taken(signer: ClientKey, claims: dict[str, Any]) -> None:
    rules(signer).check(access_token(signer, **claims), now=NOW)


def test_an_api_may_go_by_several_names(signer: ClientKey) -> None:
    tokens = rules(signer, audience=["api-1", API])
    tokens.check(access_token(signer, aud="api-1"), now=NOW)


@pytest.mark.parametrize("audience", ["", [], [API, ""]])
def test_an_api_without_a_name_is_a_mistake(signer: ClientKey, audience: Any) -> None:
    with pytest.raises(ValueError, match="audience"):
        rules(signer, audience=audience)


def test_clocks_may_differ_a_little(signer: ClientKey) -> None:
    tokens = rules(signer, cached=0)
    token = access_token(signer, exp=NOW, nbf=NOW)
    tokens.check(token, now=NOW + 59)
    tokens.check(token, now=NOW - 59)
    assert reason(tokens, token, NOW + 60) == "exp"
    assert reason(tokens, token, NOW - 61) == "nbf"
    strict = rules(signer, policy=oidcclient.Policy(clock_skew=0))
    assert reason(strict, token, NOW) == "exp"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "....",
        "é.b.c",
        "a" * 20_000,
        "e30.e30.e30",
        "bnVsbA.bnVsbA.",
        "e30=.e30.e30",
    ],
)
def test_what_is_no_signed_jwt_is_refused(signer: ClientKey, token: str) -> None:
    assert reason(rules(signer), token) in {"format", "typ"}


def test_a_signature_or_a_body_that_is_no_base64url_is_refused(signer: ClientKey) -> None:
    header, claims, signature = access_token(signer).split(".")
    assert reason(rules(signer), f"{header}.{claims}.{signature}=") == "format"
    for body in ("bnVsbA", "e30x", "W10", b64(b"\xff{}"), b64(b"{"), b64(b"{} x"), b64(b"[" * 5000)):
        sealed = seal(signer, {"typ": "at+jwt", "alg": signer.alg, "kid": KID}, body)
        assert reason(rules(signer), sealed) == "format"


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_garbage_is_refused_and_nothing_else_happens(one: str, two: str, three: str) -> None:
    tokens = JWTAccessTokens(ISSUER, API, jwks={"keys": []})
    for token in (f"{one}.{two}.{three}", one, f"{b64(one.encode('utf-8', 'replace'))}.{two}.{three}"):
        with pytest.raises(InvalidAccessToken):
            tokens.check(token, now=NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["iss", "aud", "exp", "nbf", "sub", "scope", "cnf"]), JSON))
def test_signed_garbage_is_refused_or_checked(signer: ClientKey, claims: dict[str, Any]) -> None:
    token = seal(signer, {"typ": "at+jwt", "alg": signer.alg, "kid": KID}, claims)
    with pytest.raises(InvalidAccessToken):  # hypothesis never guesses issuer and audience
        rules(signer).check(token, now=NOW)


def test_settings_that_contradict_are_a_mistake(signer: ClientKey) -> None:
    with pytest.raises(ValueError, match="not both"):
        rules(signer, jwks_uri=f"{ISSUER}/jwks")
    with pytest.raises(oidcclient.UsageError):
        JWTAccessTokens("http://login.example.com", API)
    with pytest.raises(oidcclient.UsageError):
        JWTAccessTokens("http://127.0.0.1:1", API)
    with pytest.raises(ValueError, match="cached"):
        rules(signer, cached=-1)


# Remembering


def test_a_token_is_checked_once_and_never_remembered_beyond_its_end(signer: ClientKey) -> None:
    tokens = rules(signer, policy=oidcclient.Policy(clock_skew=0))
    token = access_token(signer, exp=int(NOW) + 30)
    first = tokens.check(token, now=NOW)
    assert tokens.check(token, now=NOW + 1) is first
    assert reason(tokens, token, NOW + 30) == "exp"


def test_a_token_is_checked_again_after_a_while_and_when_the_clock_was_set_back(signer: ClientKey) -> None:
    tokens = rules(signer, cached_for=10)
    token = access_token(signer)
    first = tokens.check(token, now=NOW)
    assert tokens.check(token, now=NOW + 9) is first
    second = tokens.check(token, now=NOW + 10)
    assert second is not first
    assert tokens.check(token, now=NOW - 5) is not second


@pytest.mark.parametrize("settings", [{"cached": 0}, {"cached_for": 0}])
def test_remembering_can_be_switched_off(signer: ClientKey, settings: dict[str, int]) -> None:
    tokens, token = rules(signer, **settings), access_token(signer)
    assert tokens.check(token, now=NOW) is not tokens.check(token, now=NOW)


def test_no_more_tokens_are_remembered_than_was_said(signer: ClientKey) -> None:
    tokens = rules(signer, cached=2)
    first = access_token(signer, jti="0")
    one = tokens.check(first, now=NOW)
    for number in range(1, 4):
        tokens.check(access_token(signer, jti=str(number)), now=NOW)
    assert len(tokens._cache) == 2
    assert tokens.check(first, now=NOW) is not one


def test_refused_tokens_are_not_remembered_nor_is_any_text_of_a_good_one(signer: ClientKey) -> None:
    tokens, token = rules(signer), access_token(signer)
    tokens.check(token, now=NOW)
    assert reason(tokens, access_token(signer, exp=1)) == "exp"
    assert [len(known) for known in tokens._cache._known] == [32]


def test_headers_made_up_by_strangers_fill_no_memory(signer: ClientKey) -> None:
    tokens, stranger = rules(signer), new_key()
    for number in range(5):
        assert reason(tokens, access_token(stranger, {"x": number})) == "signature"
    known = asyncio.run(_known(tokens))
    assert not known
    for number in range(300):
        tokens.check(access_token(signer, {"x": number}), now=NOW)
    assert len(asyncio.run(_known(tokens))) == 256


async def _known(tokens: JWTAccessTokens) -> dict[bytes, Any]:
    return tokens._keys._known.by_header  # type: ignore[union-attr] # they are there


def test_the_same_on_an_event_loop(signer: ClientKey) -> None:
    tokens, token = rules(signer), access_token(signer)

    async def main() -> CheckedToken:
        with pytest.raises(InvalidAccessToken):
            await tokens.check_async(access_token(signer, exp=1), now=NOW)
        first = await tokens.check_async(token, now=NOW)
        assert await tokens.check_async(token, now=NOW) is first
        return first

    assert asyncio.run(main()).claims["sub"] == "ann"


def test_an_error_survives_pickling() -> None:
    again = pickle.loads(pickle.dumps(InvalidAccessToken("exp", "too late")))  # noqa: S301 - our own
    assert (again.reason, str(again)) == ("exp", "too late")
