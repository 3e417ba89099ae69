"""Whatever is sent, it is verified or refused with the one documented error."""

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oidcclient_dpop.server import ALGORITHMS, NonceIssuer, ProofRefused, ProofVerifier, VerifiedProof
from tests.dpop_server.proofs import ClientKey, b64, claims_of, header_of, new_key, prove, seal

NOW = 1_700_000_000.0
URL = "https://api.example.com/v1"
TOKEN = "an-access-token"
KEY = new_key()
VERIFIER = ProofVerifier(algorithms=ALGORITHMS, nonces=NonceIssuer(b"s" * 32))

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
SEGMENT = (
    st.text("ABCabc123-_=+/. ,", max_size=24)
    | st.binary(max_size=24).map(b64)
    | JSON.map(json.dumps).map(lambda text: b64(text.encode()))
)
HEADER = st.text(max_size=40) | st.lists(SEGMENT, min_size=1, max_size=5).map(".".join)
MEMBERS = ["typ", "alg", "jwk", "kid", "crit", "b64"]
CLAIMS = ["jti", "htm", "htu", "iat", "nonce", "ath", "exp"]


def outcome(values: list[str], **changes: Any) -> VerifiedProof | None:
    request: dict[str, Any] = {"method": "GET", "url": URL, "proof_headers": values, "now": NOW} | changes
    try:
        return VERIFIER.verify(**request)
    except ProofRefused as error:
        assert str(error)  # noqa: PT017 - either is right
        return None


@given(st.lists(HEADER, max_size=3))
def test_header_fields(values: list[str]) -> None:
    assert outcome(values) is None


@given(HEADER, st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_requests(header: str, method: str, url: str, token: str) -> None:
    good = prove(KEY, method, url, token, iat=NOW) if token.isascii() and url.isprintable() else header
    outcome([good], method=method, url=url, access_token=token, jkt=KEY.jkt)


@given(st.data())
def test_one_character_of_a_good_proof(data: st.DataObject) -> None:
    proof = prove(KEY, "GET", URL, TOKEN, iat=NOW)
    place = data.draw(st.integers(0, len(proof) - 1))
    char = data.draw(st.sampled_from("Aa0_-.=, é\n"))
    spoiled = proof[:place] + char + proof[place + 1 :]
    found = outcome([spoiled], access_token=TOKEN, jkt=KEY.jkt)
    assert (found is not None) == (spoiled == proof)


@given(st.dictionaries(st.sampled_from(MEMBERS), JSON, min_size=1, max_size=3))
def test_headers_that_are_signed_well(members: dict[str, Any]) -> None:
    harmless = set(members) <= {"kid"} or ("b64" in members and "crit" not in members and len(members) == 1)
    found = outcome([seal(KEY, header_of(KEY) | members, claims_of("GET", URL, iat=NOW))])
    if found is not None:
        assert harmless or not set(members) & {"typ", "alg", "jwk", "crit"}


@given(st.dictionaries(st.sampled_from(CLAIMS), JSON, min_size=1, max_size=3))
def test_claims_that_are_signed_well(claims: dict[str, Any]) -> None:
    found = outcome([seal(KEY, header_of(KEY), claims_of("GET", URL, iat=NOW) | claims)])
    if found is not None:
        assert not set(claims) & {"htm", "htu", "iat", "nonce"}
        assert found.jkt == KEY.jkt


@given(
    st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "n", "e"]), JSON | SEGMENT, max_size=6),
    st.sampled_from(ALGORITHMS),
)
def test_keys(jwk: dict[str, Any], alg: str) -> None:
    key = ClientKey(alg, {}, lambda _: b"x" * 64)
    assert outcome([seal(key, header_of(key, jwk=jwk), claims_of("GET", URL, iat=NOW))]) is None


@given(st.one_of(JSON))
def test_confirmations(jkt: Any) -> None:
    """The `cnf` of a token is whatever was in it."""
    assert outcome([prove(KEY, "GET", URL, TOKEN, iat=NOW)], access_token=TOKEN, jkt=jkt) is None


def test_the_good_proof_of_these_tests_is_good() -> None:
    make: Callable[[], str] = lambda: prove(KEY, "GET", URL, TOKEN, iat=NOW)  # noqa: E731 - made twice
    assert outcome([make()], access_token=TOKEN, jkt=KEY.jkt) is not None
    assert outcome([make()]) is not None
