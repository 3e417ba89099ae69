"""The ID Token: each rule of OIDC Core 3.1.3.7 broken alone, and nothing else wrong with the token."""

import hashlib
from typing import Any

import pytest

from oidcclient import IDTokenRefused, Policy
from oidcclient.protocol import IDToken, allowed_algorithms, parse_id_token, verify_id_token
from tests.protocol.examples import (
    ACCESS_TOKEN,
    CLIENT_ID,
    ISSUER,
    NONCE,
    NOW,
    POLICY,
    claims,
    expected,
    keys,
    metadata,
    refused,
)
from tests.protocol.signing import ALGORITHMS, b64, hmac_signed, signer, unsigned

SKEW, LONGEST = POLICY.clock_skew, POLICY.id_token_max_age


def verified(token: str, *algorithms: str, **wanted: Any) -> IDToken:
    allowed = algorithms or allowed_algorithms(metadata(), POLICY)
    return verify_id_token(
        token, parse_id_token(token), keys(*algorithms), allowed=allowed, expected=expected(**wanted)
    )


def accepted(changes: dict[str, Any] | None = None, **wanted: Any) -> IDToken:
    return verified(signer().sign(claims(**(changes or {}))), **wanted)


def refusal(rule: str, section: str, changes: dict[str, Any], **wanted: Any) -> IDTokenRefused:
    with refused(IDTokenRefused, rule, f"OIDC Core {section}") as caught:
        accepted(changes, **wanted)
    error = caught[0]
    assert isinstance(error, IDTokenRefused)
    return error


def test_a_good_id_token_is_accepted_and_unknown_claims_are_kept() -> None:
    """OIDC Core section 2."""
    token = accepted({"x_colour": {"blue": [1]}})
    assert (token.sub, token.algorithm) == ("ann", "ES256")
    assert token.claims["x_colour"] == {"blue": [1]}
    assert token.raw.startswith("eyJ")
    assert "eyJ" not in repr(token)
    assert NONCE not in repr(token)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_of_the_policy_is_verified(algorithm: str) -> None:
    """OIDC Core section 3.1.3.7 steps 6 and 7."""
    assert verified(signer(algorithm).sign(claims()), algorithm).algorithm == algorithm


def test_the_signature_is_checked_before_any_claim() -> None:
    """OIDC Core section 3.1.3.7 step 6: always, the token endpoint's TLS is not relied on."""
    thief = signer(which=1)
    with refused(IDTokenRefused, "signature", "OIDC Core 3.1.3.7 step 6"):
        verified(thief.sign(claims(iss="https://evil.example"), kid=signer().kid))


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES256K", "RS512"])
def test_an_id_token_with_an_algorithm_that_is_not_allowed_is_refused(algorithm: str) -> None:
    """OIDC Core sections 2, 3.1.3.7 steps 7 and 8, and 10.1; RFC 8725 section 3.1."""
    with refused(IDTokenRefused, "alg", "RFC 8725 section 3.1"):
        verified(unsigned(claims(), algorithm))


def test_an_id_token_signed_with_the_public_key_as_hmac_secret_is_refused() -> None:
    """OIDC Core section 10.1: no MAC for a public client."""
    with refused(IDTokenRefused, "alg"):
        verified(hmac_signed({"alg": "HS256"}, claims(), signer("RS256").public_pem()))


def test_the_providers_list_narrows_ours_and_never_widens_it() -> None:
    """RFC 8725 section 3.1."""
    listed = metadata(id_token_signing_alg_values_supported=["none", "HS256", "ES256", "made-up"])
    assert allowed_algorithms(listed, POLICY) == ("ES256",)
    assert allowed_algorithms(metadata(id_token_signing_alg_values_supported=...), POLICY) == POLICY.id_token_algorithms
    assert allowed_algorithms(metadata(), Policy(id_token_algorithms=("ES256", "Ed25519"))) == ("ES256",)


@pytest.mark.parametrize("typ", [None, "JWT", "jwt", "application/jwt"])
def test_the_type_of_an_id_token_may_be_jwt_or_absent(typ: str | None) -> None:
    verified(signer().sign(claims(), typ=typ))


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "dpop+jwt", "logout+jwt", "AT+JWT"])
def test_a_jwt_explicitly_typed_as_something_else_is_no_id_token(typ: str) -> None:
    """RFC 8725 section 3.11; RFC 9068 section 5 on access tokens taken for ID Tokens."""
    with refused(IDTokenRefused, "typ", "RFC 8725 section 3.11"):
        verified(signer().sign(claims(), typ=typ))


def test_a_proof_is_no_id_token() -> None:
    """RFC 9449 section 11.5."""
    proof = signer(which=1).sign({"jti": "a", "htm": "POST"}, typ="dpop+jwt", kid=None, jwk=signer(which=1).jwk())
    with refused(IDTokenRefused):
        verified(proof)


# -- step 2


@pytest.mark.parametrize("iss", [..., None, f"{ISSUER}/", "https://evil.example", ISSUER.upper(), [ISSUER], 5, {}, ""])
def test_an_id_token_of_another_issuer_is_refused(iss: object) -> None:
    """OIDC Core section 3.1.3.7 step 2, OIDC Discovery section 4.3."""
    refusal("iss", "3.1.3.7 step 2", {"iss": iss})


TEMPLATE = "https://login.example.com/{tenantid}/v2.0"


def test_a_templated_issuer_must_carry_its_own_tenant() -> None:
    """OIDC Core section 3.1.3.7 step 2, with the exception that `Policy.templated_issuer` names."""
    policy = Policy(templated_issuer=TEMPLATE)
    issued = {"iss": "https://login.example.com/t-1/v2.0", "tid": "t-1"}
    assert accepted(issued, policy=policy).sub == "ann"
    for changes in ({"tid": "t-2"}, {"tid": ...}, {"tid": ""}, {"tid": 5}, {"tid": "t-1/v2.0"}):
        refusal("iss", "3.1.3.7 step 2", {**issued, **changes}, policy=policy)
    refusal("iss", "3.1.3.7 step 2", issued)
    refusal("iss", "3.1.3.7 step 2", {"iss": "https://login.example.com//v2.0", "tid": ""}, policy=policy)


def test_a_tenant_that_would_reach_into_the_path_is_refused() -> None:
    issued = {"iss": "https://login.example.com/a/b/v2.0", "tid": "a/b"}
    refusal("iss", "3.1.3.7 step 2", issued, policy=Policy(templated_issuer=TEMPLATE))


# -- steps 3, 4 and 5


@pytest.mark.parametrize(
    "aud",
    [
        ...,
        None,
        "other-app",
        [],
        ["other-app"],
        5,
        [5],
        [CLIENT_ID, 5],
        [CLIENT_ID, ["x"]],
        {CLIENT_ID: 1},
        f"{CLIENT_ID}x",
        [[CLIENT_ID]],
    ],
)
def test_an_id_token_for_another_audience_is_refused(aud: object) -> None:
    """OIDC Core section 3.1.3.7 step 3."""
    refusal("aud", "3.1.3.7 step 3", {"aud": aud, "azp": CLIENT_ID})


def test_an_id_token_with_a_further_audience_that_is_not_trusted_is_refused() -> None:
    """OIDC Core section 3.1.3.7 step 3."""
    refusal("aud", "3.1.3.7 step 3", {"aud": [CLIENT_ID, "stranger"], "azp": CLIENT_ID})


def test_a_further_audience_may_be_trusted_by_name() -> None:
    policy = Policy(trusted_audiences=("https://api.example.com",))
    accepted({"aud": [CLIENT_ID, "https://api.example.com"], "azp": CLIENT_ID}, policy=policy)
    accepted({"aud": [CLIENT_ID]})


def test_an_id_token_with_several_audiences_needs_azp() -> None:
    """OIDC Core section 3.1.3.7 step 4."""
    policy = Policy(trusted_audiences=("api",))
    refusal("azp", "3.1.3.7 step 5", {"aud": [CLIENT_ID, "api"]}, policy=policy)


@pytest.mark.parametrize("azp", ["other-app", "", 5, [CLIENT_ID], {}])
def test_an_id_token_issued_to_another_party_is_refused(azp: object) -> None:
    """OIDC Core section 3.1.3.7 step 5."""
    refusal("azp", "3.1.3.7 step 5", {"azp": azp})


def test_azp_may_be_ours_or_absent_with_one_audience() -> None:
    accepted({"azp": CLIENT_ID})
    accepted({"azp": None})


# -- steps 9 and 10

NO_TIME: list[object] = [..., None, "1800000000", True, [], {}, 1e15, -1e15]


@pytest.mark.parametrize("exp", [*NO_TIME, 0, NOW - SKEW, NOW - SKEW - 1])
def test_an_expired_id_token_is_refused(exp: object) -> None:
    """OIDC Core section 3.1.3.7 step 9."""
    refusal("exp", "3.1.3.7 step 9", {"exp": exp})


def test_an_id_token_within_the_skew_is_accepted() -> None:
    """OIDC Core section 3.1.3.7 step 9: a few minutes at most; ours is a minute unless the policy says otherwise."""
    accepted({"exp": NOW - SKEW + 1})
    refusal("exp", "3.1.3.7 step 9", {"exp": NOW - 1}, policy=Policy(clock_skew=0))
    assert SKEW <= 60


@pytest.mark.parametrize("iat", [*NO_TIME, NOW + SKEW + 1, NOW - LONGEST - SKEW - 1, 0])
def test_an_id_token_issued_in_the_future_or_too_long_ago_is_refused(iat: object) -> None:
    """OIDC Core section 3.1.3.7 step 10."""
    error = refusal("iat", "3.1.3.7 step 10", {"iat": iat})
    if isinstance(iat, float) and abs(iat) < 1e15:
        assert "clock" in error.hint


@pytest.mark.parametrize("iat", [NOW + SKEW, NOW - LONGEST - SKEW, NOW])
def test_an_id_token_of_a_reasonable_age_is_accepted(iat: float) -> None:
    accepted({"iat": iat})


# -- step 11


@pytest.mark.parametrize("nonce", [..., None, "", "other", NONCE[:-1], f"{NONCE}x", 5, [NONCE], {}, True])
def test_an_id_token_with_another_nonce_or_none_is_refused(nonce: object) -> None:
    """OIDC Core section 3.1.3.7 step 11."""
    refusal("nonce", "3.1.3.7 step 11", {"nonce": nonce})


def test_where_no_nonce_was_sent_none_is_looked_for() -> None:
    """OIDC Core section 3.1.3.7 step 11: for those who build requests of their own; our flow always sends one."""
    accepted({"nonce": ...}, nonce=None)


# -- steps 12 and 13


@pytest.mark.parametrize("acr", [..., None, "", "weak", 5, ["strong"]])
def test_an_essential_acr_that_is_missing_or_another_is_refused(acr: object) -> None:
    """OIDC Core sections 3.1.3.7 step 12 and 5.5.1.1."""
    refusal("acr", "5.5.1.1", {"acr": acr}, essential_acr=("strong", "stronger"))


def test_an_essential_acr_that_is_there_is_accepted() -> None:
    accepted({"acr": "stronger"}, essential_acr=("strong", "stronger"))
    accepted({"acr": "anything"}, essential_acr=())
    refusal("acr", "5.5.1.1", {}, essential_acr=())
    accepted({"acr": "weak"})


MAX_AGE = 300


@pytest.mark.parametrize("when", [*NO_TIME, 0, NOW - MAX_AGE - SKEW - 11, NOW + SKEW + 1])
def test_after_max_age_a_missing_or_too_old_auth_time_is_refused(when: object) -> None:
    """OIDC Core section 3.1.3.7 step 13; section 2 has the provider send auth_time."""
    refusal("auth_time", "3.1.3.7 step 13", {"auth_time": when}, max_age=MAX_AGE)


def test_a_recent_auth_time_is_accepted() -> None:
    accepted({"auth_time": NOW - MAX_AGE - SKEW}, max_age=MAX_AGE)
    accepted({"auth_time": NOW}, max_age=0)
    refusal("auth_time", "3.1.3.7 step 13", {"auth_time": NOW - SKEW - 11}, max_age=0)
    accepted({"auth_time": 1})


# -- section 2 and 3.1.3.8


@pytest.mark.parametrize("sub", [..., None, "", "a" * 256, "\N{LATIN SMALL LETTER E WITH ACUTE}", 5, ["ann"], True])
def test_an_id_token_that_does_not_say_who_signed_in_is_refused(sub: object) -> None:
    """OIDC Core section 2: at most 255 ASCII characters."""
    refusal("sub", "2", {"sub": sub})


def test_a_sub_of_255_characters_is_accepted_as_it_is_written() -> None:
    """OIDC Core section 2: compared with case."""
    assert accepted({"sub": "A" * 255}).sub == "A" * 255


def at_hash(algorithm: str, token: str = ACCESS_TOKEN) -> str:
    name = {"256": "sha256", "384": "sha384"}.get(algorithm[-3:], "sha512")
    digest = hashlib.new(name, token.encode()).digest()
    return b64(digest[: len(digest) // 2])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_at_hash_of_our_access_token_is_accepted(algorithm: str) -> None:
    """OIDC Core section 3.1.3.8."""
    verified(signer(algorithm).sign(claims(at_hash=at_hash(algorithm))), algorithm)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_at_hash_of_another_access_token_is_refused(algorithm: str) -> None:
    """OIDC Core section 3.1.3.8: checked where present."""
    with refused(IDTokenRefused, "at_hash", "OIDC Core 3.1.3.8"):
        verified(signer(algorithm).sign(claims(at_hash=at_hash(algorithm, "other"))), algorithm)


@pytest.mark.parametrize("value", [None, "", 5, [], {}, at_hash("ES256") + "=", hashlib.sha256(b"x").hexdigest()])
def test_an_at_hash_of_another_form_is_refused(value: object) -> None:
    """OIDC Core section 3.1.3.8."""
    refusal("at_hash", "3.1.3.8", {"at_hash": value})


def test_without_an_access_token_there_is_no_at_hash_to_check() -> None:
    accepted({"at_hash": "other"}, access_token=None)


def test_what_is_expected_shows_no_secret() -> None:
    assert NONCE not in repr(expected())
    assert ACCESS_TOKEN not in repr(expected())
