"""Nonces (RFC 9449 sections 8 and 9)."""

import json
import math
from typing import Any

import pytest

from oidcclient_dpop.server import USE_DPOP_NONCE, NonceIssuer, ProofRefused, ProofVerifier, Rule, VerifiedProof
from tests.dpop_server.proofs import ClientKey, b64, claims_of, header_of, prove, seal

SECRET = b"s" * 32
NOW = 1_700_000_000.0
URL = "https://api.example.com/"
NQCHAR = {chr(code) for code in (0x21, *range(0x23, 0x5C), *range(0x5D, 0x7F))}  # section 8.1


def refuses(issuer: NonceIssuer, nonce: str, now: float = NOW) -> bool:
    try:
        issuer.check(nonce, now=now)
    except ProofRefused as error:
        assert (error.rule, error.error) == (Rule.NONCE, USE_DPOP_NONCE)  # noqa: PT017 - both ways are looked at
        return True
    return False


def test_a_nonce_is_made_of_the_characters_the_rfc_allows() -> None:
    issuer = NonceIssuer(SECRET)
    nonces = {issuer.issue(now=NOW + 60 * number) for number in range(50)}
    assert len(nonces) == 50
    assert all(len(nonce) == 32 and set(nonce) <= NQCHAR for nonce in nonces)


def test_a_nonce_is_good_for_some_minutes() -> None:
    issuer = NonceIssuer(SECRET)
    nonce = issuer.issue(now=NOW)
    assert not any(refuses(issuer, nonce, NOW + later) for later in (0, 1, 60, 119))
    assert refuses(issuer, nonce, NOW + 186)


def test_how_long_can_be_chosen() -> None:
    issuer = NonceIssuer(SECRET, rotation=10, kept=0, skew=0)
    nonce = issuer.issue(now=NOW)
    assert issuer.issue(now=NOW + 9) == nonce
    assert issuer.issue(now=NOW + 10) != nonce
    assert not refuses(issuer, nonce, NOW + 9)
    assert refuses(issuer, nonce, NOW + 10)


@pytest.mark.parametrize("skew", [0, 3, 25])
def test_a_worker_takes_the_nonces_of_one_whose_clock_differs(skew: float) -> None:
    """And none from further off: the clocks of servers are not those of clients."""
    issuer = NonceIssuer(SECRET, rotation=10, kept=1, skew=skew)
    nonce = issuer.issue(now=NOW)  # NOW starts a slice
    assert not refuses(issuer, nonce, NOW - skew), "made by a worker that is ahead"
    assert refuses(issuer, nonce, NOW - skew - 0.5)
    assert not refuses(issuer, nonce, NOW + 19.5 + skew), "made by one that is behind"
    assert refuses(issuer, nonce, NOW + 20 + skew)


@pytest.mark.parametrize("rotation", [10, 7.5])
def test_until_when_a_nonce_is_accepted_is_told_exactly(rotation: float) -> None:
    """For this long a proof with it must be remembered."""
    issuer = NonceIssuer(SECRET, rotation=rotation, kept=1, skew=2)
    nonce = issuer.issue(now=NOW + 3)
    until = issuer.check(nonce, now=NOW + 3)
    assert issuer.check(nonce, now=until - 0.001) == until
    assert refuses(issuer, nonce, until)


def test_workers_that_share_the_secret_share_the_nonces() -> None:
    assert not refuses(NonceIssuer(SECRET), NonceIssuer(SECRET).issue(now=NOW))
    assert refuses(NonceIssuer(b"t" * 32), NonceIssuer(SECRET).issue(now=NOW))


def test_a_secret_can_be_replaced() -> None:
    old, new = NonceIssuer(SECRET), NonceIssuer(b"t" * 32, previous=[SECRET])
    assert not refuses(new, old.issue(now=NOW))
    assert not refuses(new, new.issue(now=NOW))
    assert refuses(old, new.issue(now=NOW))


def test_a_nonce_of_another_server_is_none_here() -> None:
    """Section 9: nonces are kept per server."""
    assert refuses(NonceIssuer(SECRET, purpose="api"), NonceIssuer(SECRET, purpose="provider").issue(now=NOW))


@pytest.mark.parametrize("nonce", ["", "x", "x" * 32, "é", "\ud800", "A" * 8_000])
def test_made_up_nonces_are_refused(nonce: str) -> None:
    assert refuses(NonceIssuer(SECRET), nonce)


@pytest.mark.parametrize(
    "settings",
    [{"secret": b"short"}, {"previous": [b"short"]}, {"rotation": 0}, {"kept": -1}, {"skew": -1}],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        NonceIssuer(**{"secret": SECRET, **settings})


# In proofs: section 4.3 step 10, section 11.3


def check(key: ClientKey, nonce: str | None, **settings: Any) -> ProofRefused | None:
    verifier = ProofVerifier(**settings)
    proof = prove(key, "GET", URL, iat=NOW, nonce=nonce)
    try:
        assert verifier.verify(method="GET", url=URL, proof_headers=[proof], now=NOW).nonce == nonce
    except ProofRefused as error:
        return error
    return None


def test_without_nonces_the_claim_is_left_alone(key: ClientKey) -> None:
    assert check(key, None) is None
    assert check(key, "whatever") is None


@pytest.mark.parametrize("required", [False, True])
def test_a_nonce_is_one_of_the_servers(key: ClientKey, required: bool) -> None:
    issuer = NonceIssuer(SECRET)
    settings = {"nonces": issuer, "nonce_required": required}
    assert check(key, issuer.issue(now=NOW), **settings) is None
    wrong = check(key, "whatever", **settings)
    assert wrong is not None
    assert (wrong.rule, wrong.error) == (Rule.NONCE, USE_DPOP_NONCE)
    missing = check(key, None, **settings)
    assert (missing is not None) is required
    if missing is not None:
        assert (missing.rule, missing.error) == (Rule.NONCE, USE_DPOP_NONCE)


def proved(key: ClientKey, iat: float, nonce: str | None, **settings: Any) -> VerifiedProof | Rule:
    rules = ProofVerifier(nonces=NonceIssuer(SECRET, rotation=60, kept=1, skew=0), server_skew=0, **settings)
    proof = prove(key, "GET", URL, iat=NOW + iat, nonce=nonce)
    try:
        return rules.verify(method="GET", url=URL, proof_headers=[proof], now=NOW)
    except ProofRefused as error:
        return error.rule


def test_what_a_proof_showed_does_not_show_its_nonce(key: ClientKey) -> None:
    nonce = NonceIssuer(SECRET).issue(now=NOW)
    found = proved(key, 0, nonce)
    assert isinstance(found, VerifiedProof)
    assert found.nonce == nonce
    assert key.jkt in repr(found)
    assert nonce not in repr(found)


def test_with_a_nonce_the_clock_of_the_client_may_be_further_off(key: ClientKey) -> None:
    """Section 11.1: the nonce shows by itself that the proof is new."""
    nonce = NonceIssuer(SECRET).issue(now=NOW)
    for iat in (-61, 11):
        assert proved(key, iat, nonce) is Rule.IAT, "unless it is asked for, it may not"
        assert proved(key, iat, None, skew_with_nonce=300) is Rule.IAT
        assert proved(key, iat, "made-up", skew_with_nonce=300) is Rule.NONCE
    for iat in (-300, -61, 11, 300):
        assert isinstance(proved(key, iat, nonce, skew_with_nonce=300), VerifiedProof)
        assert isinstance(proved(key, iat * 1e6, nonce, skew_with_nonce=math.inf), VerifiedProof)
    for iat in (-301, 301):
        assert proved(key, iat, nonce, skew_with_nonce=300) is Rule.IAT
    for iat in (-60, 10):
        assert isinstance(proved(key, iat, nonce, skew_with_nonce=0), VerifiedProof), "nor is it less than without"


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" * 400, "-" + "1" * 400])
def test_an_iat_is_a_time_even_where_only_the_nonce_counts(key: ClientKey, number: str) -> None:
    claims = claims_of("GET", URL, iat=0, nonce=NonceIssuer(SECRET).issue(now=NOW))
    proof = seal(key, header_of(key), b64(json.dumps(claims).replace('"iat": 0', f'"iat": {number}').encode()))
    rules = ProofVerifier(nonces=NonceIssuer(SECRET), skew_with_nonce=math.inf)
    with pytest.raises(ProofRefused) as caught:
        rules.verify(method="GET", url=URL, proof_headers=[proof], now=NOW)
    assert caught.value.rule is Rule.IAT


@pytest.mark.parametrize(
    ("iat", "skew", "until"), [(0, None, 60), (-30, None, 30), (0, 600, 100), (-590, 600, 10), (-1e6, math.inf, 100)]
)
def test_a_proof_is_remembered_while_both_its_iat_and_its_nonce_are_accepted(
    key: ClientKey, iat: float, skew: float | None, until: float
) -> None:
    issuer = NonceIssuer(SECRET, rotation=60, kept=1, skew=0)
    now_in_slice = NOW % 60
    assert now_in_slice == 20, "so that the nonce, with the next slice, has 100 seconds left"
    proof = proved(key, iat, issuer.issue(now=NOW), skew_with_nonce=skew)
    assert isinstance(proof, VerifiedProof)
    assert proof.expires_at == NOW + until


def test_a_nonce_is_asked_for_only_with_a_proof_that_is_right_so_far(key: ClientKey) -> None:
    """Section 4.3: step 10 comes after the signature, the method and the address."""
    verifier = ProofVerifier(nonces=NonceIssuer(SECRET), nonce_required=True)
    with pytest.raises(ProofRefused) as caught:
        verifier.verify(method="POST", url=URL, proof_headers=[prove(key, "GET", URL, iat=NOW)], now=NOW)
    assert caught.value.rule is Rule.HTM
