"""Proofs to the letter of RFC 9449 section 4.2, and what is learnt of servers (sections 8 and 9)."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidcclient_dpop import ProofMaker, constants, proof, thumbprint
from oidcclient_dpop.nonces import Servers
from oidcclient_dpop.proofs import target_uri
from oidcclient_dpop.server import ProofVerifier, normal_uri
from oidcclient_dpop.stores import SoftwareKey, generate

API = "https://api.example.com"
NOW = 1_790_000_000.0
MEMBERS = {"ES256": {"kty", "crv", "x", "y"}, "Ed25519": {"kty", "crv", "x"}, "PS256": {"kty", "n", "e"}}


@pytest.fixture(scope="module")
def key() -> SoftwareKey:
    return generate("ES256")


def parts(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, claims, _ = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in text.split("."))
    return json.loads(header), json.loads(claims)


@pytest.mark.parametrize("alg", MEMBERS)
def test_the_header_has_the_type_the_algorithm_and_the_least_public_key(alg: str) -> None:
    made = generate(alg)
    header, _ = parts(proof(made, "GET", API))
    assert set(header) == {"typ", "alg", "jwk"}
    assert header["typ"] == "dpop+jwt"
    assert header["alg"] == alg
    assert set(header["jwk"]) == MEMBERS[alg]
    assert header["jwk"] == made.public_jwk()


def test_a_proof_for_a_token_request_has_four_claims(key: SoftwareKey) -> None:
    _, claims = parts(ProofMaker(key).make("POST", f"{API}/token", now=NOW + 0.9))
    assert set(claims) == {"jti", "htm", "htu", "iat"}
    assert claims["iat"] == int(NOW)
    assert isinstance(claims["iat"], int)


def test_a_proof_for_an_api_has_the_hash_of_the_token_and_the_nonce(key: SoftwareKey) -> None:
    """The example of RFC 9449 section 7.1."""
    token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
    _, claims = parts(proof(key, "GET", API, access_token=token, nonce="eyJ7S_zG.eyJH0-Z.HX4w-7v"))
    assert claims["ath"] == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
    assert claims["nonce"] == "eyJ7S_zG.eyJH0-Z.HX4w-7v"


def test_the_hash_is_the_tokens_own_though_many_tokens_are_used(key: SoftwareKey) -> None:
    maker = ProofMaker(key)
    for number in [*range(20), *range(20)]:
        _, claims = parts(maker.make("GET", API, now=NOW, access_token=f"token-{number}"))
        digest = hashlib.sha256(f"token-{number}".encode()).digest()
        assert claims["ath"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def test_every_proof_has_a_jti_of_its_own_with_128_random_bits(key: SoftwareKey) -> None:
    maker = ProofMaker(key)
    seen = {parts(maker.make("GET", API, now=NOW))[1]["jti"] for _ in range(200)}
    assert len(seen) == 200
    assert all(len(bytes.fromhex(jti)) == 16 for jti in seen)


@pytest.mark.parametrize("method", ["GET", "POST", "get", "PROPFIND", "M-SEARCH", "X!#$%&'*+.^_`|~"])
def test_the_method_is_named_as_it_is_sent(key: SoftwareKey, method: str) -> None:
    """RFC 9110 section 9.1: the case counts."""
    assert parts(proof(key, method, API))[1]["htm"] == method


@pytest.mark.parametrize(
    ("url", "htu"),
    [
        ("https://api.example.com/a?b=c#d", "https://api.example.com/a"),
        ("https://api.example.com/a#d?b", "https://api.example.com/a"),
        ("https://api.example.com/a%2Fb%20c?x=%2F", "https://api.example.com/a%2Fb%20c"),
        ("https://api.example.com", "https://api.example.com/"),
        ("https://api.example.com?a=b", "https://api.example.com/"),
        ("HTTPS://API.Example.COM:443/A", "https://api.example.com/A"),
        ("https://api.example.com:8443/a", "https://api.example.com:8443/a"),
        ("http://127.0.0.1:80/a", "http://127.0.0.1/a"),
        ("http://[::1]:8080/a", "http://[::1]:8080/a"),
        ("https://user:password@api.example.com/a", "https://api.example.com/a"),
        ("https://api.example.com/a@b:443", "https://api.example.com/a@b:443"),
        ("https://api.example.com//a", "https://api.example.com//a"),
    ],
)
def test_the_address_is_named_as_it_is_encoded_without_query_and_fragment(url: str, htu: str) -> None:
    assert target_uri(url) == htu


IN_A_PATH = st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='?#"<>\\^`{|}')


@given(path=st.text(IN_A_PATH, max_size=30))
def test_what_a_proof_names_is_what_a_verifier_takes_for_the_address(path: str) -> None:
    """Section 4.3 step 9, whatever the path."""
    url = f"{API}/{path}"
    assert normal_uri(target_uri(url)) == normal_uri(url)


@given(
    method=st.text(st.sampled_from("!#$%&'*+-.^_`|~GETPOSTgetpost019"), min_size=1, max_size=12),
    token=st.none() | st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60),
)
def test_every_proof_is_accepted_by_a_verifier(key: SoftwareKey, method: str, token: str | None) -> None:
    made = proof(key, method, f"{API}/a?b", access_token=token)
    ProofVerifier().verify(
        method=method,
        url=f"{API}/a",
        proof_headers=[made],
        access_token=token,
        jkt=thumbprint(key.public_jwk()),
        now=parts(made)[1]["iat"],
    )


def test_the_thumbprint_is_that_of_the_standards_example() -> None:
    """RFC 7638 section 3.1; RFC 8037 appendix A.3."""
    rsa = {
        "kty": "RSA",
        "e": "AQAB",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJE"
        "CPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2Q"
        "vzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6"
        "WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    }
    assert thumbprint(rsa) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    ed25519 = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert thumbprint(ed25519) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_names_of_the_standard_are_there_for_programs_with_their_own_http() -> None:
    assert {name: getattr(constants, name) for name in constants.__all__} == {
        "AUTHORIZATION_SCHEME": "DPoP",
        "INVALID_DPOP_PROOF": "invalid_dpop_proof",
        "JKT_PARAMETER": "dpop_jkt",
        "NONCE_HEADER": "DPoP-Nonce",
        "PROOF_HEADER": "DPoP",
        "PROOF_TYPE": "dpop+jwt",
        "SIGNING_ALGORITHMS": "dpop_signing_alg_values_supported",
        "TOKEN_TYPE": "DPoP",
        "USE_DPOP_NONCE": "use_dpop_nonce",
    }


def test_a_proof_maker_shows_its_thumbprint_alone(key: SoftwareKey) -> None:
    assert repr(ProofMaker(key)) == f"ProofMaker(jkt={thumbprint(key.public_jwk())!r})"


# -- what is learnt of servers


@pytest.mark.parametrize(
    "given_",
    [(), ("",), ("a b",), ('a"b',), ("a\\b",), ("a\x7fb",), ("é",), ("x" * 1025,), ("one", "two"), ("same", "same")],
)
def test_a_nonce_of_other_characters_or_too_long_or_more_than_one_is_not_taken(given_: tuple[str, ...]) -> None:
    """Sections 8 and 8.1: NQCHAR, one header. What was known before stays."""
    servers = Servers()
    servers.learn(API, ("good",))
    assert servers.learn(API, given_) is None
    assert servers.nonce(API) == "good"


def test_an_answer_without_a_nonce_clears_nothing_and_a_new_one_replaces() -> None:
    """Section 8.2."""
    servers = Servers()
    assert servers.learn(API, ("first",)) == "first"
    servers.learn(API, ())
    assert servers.nonce(API) == "first"
    assert servers.learn(API, ("!#[]~second",)) == "!#[]~second"
    assert servers.nonce(API) == "!#[]~second"


def test_servers_never_share_a_nonce_nor_a_clock() -> None:
    """Section 9: by origin; scheme, host and port tell them apart, the path does not."""
    servers = Servers()
    origins = {
        Servers.origin(url)
        for url in (
            "https://one.example.com/a",
            "https://one.example.com:443/b?c",
            "https://ONE.example.com/",
            "https://one.example.com:8443/",
            "http://one.example.com/",
            "https://two.example.com/",
        )
    }
    assert len(origins) == 4
    for number, origin in enumerate(origins):
        servers.learn(origin, (f"nonce-{number}",))
        servers.set_offset(origin, number)
    assert {servers.nonce(origin) for origin in origins} == {f"nonce-{number}" for number in range(4)}
    assert servers.nonce("https://three.example.com:443") is None
    assert servers.offset("https://three.example.com:443") == 0


def test_a_hundred_servers_are_remembered_and_the_one_used_longest_ago_is_forgotten() -> None:
    servers = Servers()
    for number in range(100):
        servers.learn(f"https://{number}", (f"n{number}",))
    servers.learn("https://0", ("again",))
    servers.learn("https://100", ("new",))
    assert servers.nonce("https://0") == "again"
    assert servers.nonce("https://1") is None
    assert servers.nonce("https://100") == "new"


def test_threads_learn_without_losing_the_bound() -> None:
    servers = Servers()

    def learn(start: int) -> None:
        for number in range(start, start + 300):
            servers.learn(f"https://{number}", ("nonce",))
            servers.set_offset(f"https://{number}", 1.0)

    threads = [threading.Thread(target=learn, args=(start,)) for start in range(0, 1200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(servers._nonces) == len(servers._offsets) == 100
