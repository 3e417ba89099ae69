"""RFC 9449 section 4.3: each rule with a proof that breaks it, and the proofs of the RFC itself."""

import json
import math
import pickle
import subprocess
import sys
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey

from oidcclient_dpop import server
from oidcclient_dpop.server import NonceIssuer, ProofVerifier, Rule
from tests.dpop_server.proofs import ClientKey, ath, b64, claims_of, header_of, new_key, seal
from tests.dpop_server.verifying import NOW, URL, good, refused, verify

TOKEN = "an-access-token"  # only its hash matters

RFC_KEY = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRj"
    "QyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
)
RFC_TOKEN_PROOF = (  # section 4.1, figure 2
    f"{RFC_KEY}.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2"
    "VuIiwiaWF0IjoxNTYyMjYyNjE2fQ"
    ".2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)
RFC_RESOURCE_PROOF = (  # section 7.1, figure 12
    f"{RFC_KEY}.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm"
    "90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9"
    ".2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)
RFC_JKT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"  # section 6.1
RFC_TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"


def test_the_proof_of_the_rfc_for_a_token_request() -> None:
    proof = ProofVerifier().verify(
        method="POST", url="https://server.example.com/token", proof_headers=[RFC_TOKEN_PROOF], now=1562262616
    )
    assert (proof.jti, proof.iat, proof.nonce, proof.jkt) == ("-BwC3ESc6acc2lTc", 1562262616, None, RFC_JKT)
    assert set(proof.jwk) == {"kty", "crv", "x", "y"}


def test_the_proof_of_the_rfc_for_a_resource() -> None:
    proof = ProofVerifier().verify(
        method="GET",
        url="https://resource.example.org/protectedresource",
        proof_headers=[RFC_RESOURCE_PROOF],
        access_token=RFC_TOKEN,
        jkt=RFC_JKT,
        now=1562262618,
    )
    assert proof.jti == "e1j3V_bKic8-LAEB"


@pytest.mark.parametrize(("alg", "crv"), [("ES256", "P-256"), ("Ed25519", "Ed25519")])
def test_a_proof_by_another_library(alg: str, crv: str) -> None:
    made = ECKey.generate_key(crv) if alg == "ES256" else OKPKey.generate_key(crv)  # type: ignore[arg-type]  # a literal
    header = {"typ": "dpop+jwt", "alg": alg, "jwk": made.as_dict(private=False)}
    registry = jws.JWSRegistry(algorithms=[alg], strict_check_header=False)
    payload = json.dumps(claims_of("GET", URL, iat=NOW)).encode()
    token = jws.serialize_compact(header, payload, made, algorithms=[alg], registry=registry)
    assert verify(token).jkt == made.thumbprint()


def test_what_a_verified_proof_tells(key: ClientKey) -> None:
    proof = verify(good(key, jti="x", nonce="n", htu="HTTPS://API.example.com:443/v1/./things", iat=NOW - 3.5))
    assert (proof.jkt, proof.jti, proof.nonce, proof.htu) == (key.jkt, "x", "n", URL)
    assert (proof.iat, proof.expires_at, dict(proof.jwk)) == (NOW - 3.5, NOW - 3.5 + 65, dict(key.jwk))
    with pytest.raises(TypeError):
        proof.jwk["kty"] = "x"  # type: ignore[index]  # it is the one that the verifier remembers


# Steps 4 to 7


@pytest.mark.parametrize("typ", [None, "JWT", "at+jwt", "DPoP+JWT", "application/dpop+jwt", "dpop+jwt ", ["dpop+jwt"]])
def test_another_typ_is_refused(key: ClientKey, typ: Any) -> None:
    """Section 11.5: no other JWT is taken for a proof."""
    assert refused(seal(key, header_of(key, typ=typ), claims_of("GET", URL, iat=NOW))).rule is Rule.TYP


@pytest.mark.parametrize("alg", [None, "none", "None", "HS256", "es256", "RSA-OAEP", "RS256", "ES256K", 5, ["ES256"]])
def test_another_alg_is_refused(key: ClientKey, alg: Any) -> None:
    assert refused(seal(key, header_of(key, alg=alg), claims_of("GET", URL, iat=NOW))).rule is Rule.ALG


def test_a_signature_must_verify(key: ClientKey) -> None:
    proof = good(key)
    text, _, signature = proof.rpartition(".")
    for spoiled in ("", "AAAA", "A" * 86, signature[:-2], signature + "AAAA"):
        assert refused(f"{text}.{spoiled}").rule is Rule.SIGNATURE
    for spoiled in ("=", "é", "A", signature[:-1] + "B", signature + "=="):
        assert refused(f"{text}.{spoiled}").rule is Rule.JWT
    assert refused(seal(ClientKey("ES256", key.jwk, new_key().sign), header_of(key), claims_of("GET", URL))).rule is (
        Rule.SIGNATURE
    )


def test_a_signature_is_written_in_one_way(key: ClientKey) -> None:
    """RFC 7518 section 3.4: R and S have their full size, zeros and all, and no more."""
    for before, after in ((b"\0", b""), (b"", b"\0")):
        longer = ClientKey("ES256", key.jwk, lambda text: (raw := key.sign(text))[:32] + before + raw[32:] + after)  # noqa: B023 - called at once
        assert refused(good(longer)).rule is Rule.SIGNATURE

    def short(text: bytes) -> bytes:
        while (raw := key.sign(text))[32]:
            pass
        return raw[:32] + raw[33:]

    assert refused(good(ClientKey("ES256", key.jwk, short))).rule is Rule.SIGNATURE


def test_a_signature_in_der_is_refused(key: ClientKey) -> None:
    """RFC 7518 section 3.4."""
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature  # noqa: PLC0415 - for this one

    def sign(message: bytes) -> bytes:
        raw = key.sign(message)
        return encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))

    assert refused(good(ClientKey("ES256", key.jwk, sign))).rule is Rule.SIGNATURE


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_a_private_key_is_refused_before_its_signature(key: ClientKey, member: str) -> None:
    header = header_of(key, jwk={**key.jwk, member: "x"})
    proof = seal(key, header, claims_of("GET", URL, iat=NOW))
    assert refused(proof).rule is Rule.PRIVATE_KEY
    assert refused(proof[:-4] + "AAAA").rule is Rule.PRIVATE_KEY


def test_members_that_do_no_harm_are_ignored(key: ClientKey) -> None:
    header = header_of(key, jwk={**key.jwk, "kid": "x", "use": "sig", "x5u": "https://x"}, kid="y", jku="https://x")
    proof = verify(seal(key, header, claims_of("GET", URL, iat=NOW)))
    assert dict(proof.jwk) == dict(key.jwk)
    assert proof.jkt == key.jkt


# Steps 8 and 9


@pytest.mark.parametrize("htm", ["get", "HEAD", "POST", "GET ", ""])
def test_another_method_is_refused(key: ClientKey, htm: str) -> None:
    assert refused(good(key, htm=htm)).rule is Rule.HTM


def test_another_address_is_refused(key: ClientKey) -> None:
    for htu in ("https://api.example.com/v1/thing", "https://other.example/v1/things", "https://api.example.com", ""):
        assert refused(good(key, htu=htu)).rule is Rule.HTU


@pytest.mark.parametrize("ending", ["?", "?a=b", "#", "#top"])
def test_a_query_belongs_to_the_request_and_not_to_the_htu(key: ClientKey, ending: str) -> None:
    """Section 4.2."""
    assert verify(good(key), url=f"{URL}{ending}").htu == URL
    assert refused(good(key, htu=f"{URL}{ending}"), url=f"{URL}{ending}").rule is Rule.HTU


# Steps 10 and 11: nonces have a module of their own


@pytest.mark.parametrize(("iat", "fits"), [(-60, True), (-61, False), (10, True), (11, False), (-0.5, True)])
def test_a_proof_is_fresh(key: ClientKey, iat: float, fits: bool) -> None:
    """Section 11.1; the window is that of FAPI 2.0 section 5.3.2.1."""
    if fits:
        assert verify(good(key, iat=NOW + iat)).iat == NOW + iat
    else:
        assert refused(good(key, iat=NOW + iat)).rule is Rule.IAT


def test_the_window_can_be_chosen(key: ClientKey) -> None:
    rules = ProofVerifier(past=5, future=0, server_skew=0)
    assert verify(good(key, iat=NOW - 5), rules=rules).expires_at == NOW
    assert refused(good(key, iat=NOW - 6), rules=rules).rule is Rule.IAT
    assert refused(good(key, iat=NOW + 1), rules=rules).rule is Rule.IAT


def test_a_time_beyond_all_numbers_is_refused(key: ClientKey) -> None:
    for number in (b"1e400", b"-1e400", b"1" * 4_000):
        claims = claims_of("GET", URL, iat=0)
        text = json.dumps(claims).replace('"iat": 0', f'"iat": {number.decode()}')
        assert refused(seal(key, header_of(key), b64(text.encode()))).rule is Rule.IAT


# Step 12


def test_a_token_goes_with_its_hash_and_its_key(key: ClientKey) -> None:
    assert verify(good(key, TOKEN), access_token=TOKEN, jkt=key.jkt).jkt == key.jkt
    for proof in (good(key), good(key, "another-token"), good(key, ath=ath(TOKEN) + "="), good(key, ath="\ud800")):
        assert refused(proof, access_token=TOKEN, jkt=key.jkt).rule is Rule.ATH
    for proof in (good(key), good(key, TOKEN)):
        assert refused(proof, access_token="not ASCII: é", jkt=key.jkt).rule is Rule.ATH


@pytest.mark.parametrize("jkt", ["", "x", RFC_JKT, None, 5, ["x"], "é", "\ud800"])
def test_a_token_of_another_key_or_of_none_is_refused(key: ClientKey, jkt: Any) -> None:
    """A token without cnf.jkt must not open the door by leaving the comparison out."""
    assert refused(good(key, TOKEN), access_token=TOKEN, jkt=jkt).rule is Rule.JKT


def test_a_key_is_compared_without_a_token_too(key: ClientKey) -> None:
    assert verify(good(key), jkt=key.jkt).jkt == key.jkt
    assert refused(good(key), jkt=RFC_JKT).rule is Rule.JKT


# The verifier itself


@pytest.mark.parametrize(
    "settings",
    [
        {"algorithms": ["HS256"]},
        {"algorithms": ["none"]},
        {"algorithms": []},
        {"past": -1},
        {"future": -1},
        {"past": math.nan},
        {"past": math.inf},
        {"future": math.inf},
        {"server_skew": -1},
        {"nonce_required": True},
        {"skew_with_nonce": 60},
        {"skew_with_nonce": -1, "nonces": NonceIssuer(b"s" * 32)},
        {"skew_with_nonce": math.nan, "nonces": NonceIssuer(b"s" * 32)},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        ProofVerifier(**settings)


def test_refusals_tell_the_rule_and_no_secret(key: ClientKey) -> None:
    error = refused(good(key, TOKEN, htm="PUT"), access_token=TOKEN, jkt=key.jkt)
    assert (error.rule, str(error.rule), error.error) == (Rule.HTM, "htm", "invalid_dpop_proof")
    assert TOKEN not in str(error)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - what was just written
    assert (again.rule, again.error, str(again)) == (error.rule, error.error, str(error))


def test_the_steps_come_in_the_order_of_the_rfc(key: ClientKey) -> None:
    """Section 4.3: a proof with all faults is refused for the first, and when that is mended for the next."""
    rules = ProofVerifier(nonces=NonceIssuer(b"s" * 32))
    header = header_of(key, typ="JWT", alg="HS256", jwk={**key.jwk, "d": "x"})
    claims = {"jti": 5, "htm": "PUT", "htu": "https://other.example/", "iat": 0, "nonce": "x", "ath": "x"}
    good_claims = claims_of("GET", URL, TOKEN, iat=NOW, nonce=NonceIssuer(b"s" * 32).issue(now=NOW))
    seen = []

    def look(signer: ClientKey = key, values: int = 1, jkt: str = RFC_JKT) -> None:
        proof = seal(signer, header, claims)
        seen.append(refused(*[proof] * values, rules=rules, access_token=TOKEN, jkt=jkt).rule)

    look(values=2)
    look()
    for part_, name in ((claims, "jti"), (header, "typ"), (header, "alg"), (header, "jwk")):
        part_[name] = (good_claims if part_ is claims else header_of(key))[name]
        look(ClientKey("ES256", key.jwk, new_key().sign))
    look()
    for name in ("htm", "htu", "nonce", "iat", "ath"):
        claims[name] = good_claims[name]
        look()
    expected = "header claims typ alg private_key signature htm htu nonce iat ath jkt"
    assert [str(rule) for rule in seen] == expected.split()
    assert verify(seal(key, header, claims), rules=rules, access_token=TOKEN, jkt=key.jkt).jkt == key.jkt


def test_names_that_are_not_there_are_missed_and_all_others_are_listed() -> None:
    with pytest.raises(AttributeError, match="Nonesuch"):
        server.Nonesuch  # noqa: B018 - looked up
    assert set(server.__all__) <= set(dir(server))


def test_importing_loads_no_client_and_no_cryptography() -> None:
    heavy = ("httpx", "keyring", "authlib", "joserfc", "oidcclient", "cryptography", "anyio", "redis")
    script = f"import sys, oidcclient_dpop.server; sys.exit(' '.join(m for m in {heavy} if m in sys.modules) or None)"
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
