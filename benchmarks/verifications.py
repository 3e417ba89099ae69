"""
One DPoP proof, as each library verifies it: ES256, with `ath` and a token of 800 characters.

Each function runs in a process of its own (see peers.py) and returns the call that verifies a proof. Ours does all of
RFC 9449 section 4.3, each time with another proof, and remembers it. What has no verification of its own is used as a
program would that verifies with it; the same proof is verified again and again, and none of the others remembers it.
"""

import base64
import hashlib
import json
import time
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from benchmarks import proofs
from benchmarks.peers import CALLS
from benchmarks.proofs import METHOD, TOKEN, URL

Verifies = Callable[[], object]

WINDOW_S = 3_600  # seconds; the proofs are made before they are verified, and this may take long
ATH = base64.urlsafe_b64encode(hashlib.sha256(TOKEN.encode()).digest()).rstrip(b"=").decode()


def _in_turn(made: list[tuple[str, str]], *, new_keys: bool = False) -> Verifies:
    """Return our whole check, of one proof after the other, each with the thumbprint it must have."""
    server = import_module("oidcclient_dpop.server")
    verifier = server.ProofVerifier(past=WINDOW_S)

    def endless() -> Iterator[tuple[str, str, Any, Any]]:
        while True:
            memory = server.MemoryReplayCache()  # else each is refused when its turn comes again
            rules = server.ProofVerifier(past=WINDOW_S) if new_keys else verifier  # else it knows them by then
            for proof, jkt in made:
                yield proof, jkt, rules, memory

    turns = endless()

    def verify() -> None:
        proof, jkt, rules, memory = next(turns)
        now = time.time()
        found = rules.verify(method=METHOD, url=URL, proof_headers=[proof], access_token=TOKEN, jkt=jkt, now=now)
        memory.use(found, now=now)

    return verify


def _proofs_of_ours(number: int) -> list[tuple[str, str]]:
    library, software = import_module("oidcclient_dpop.proofs"), import_module("oidcclient_dpop.stores.software")
    key = software.generate("ES256")
    make, jkt = library.ProofMaker(key).make, library.thumbprint(key.public_jwk())
    return [(make(METHOD, URL, now=time.time(), access_token=TOKEN), jkt) for _ in range(number)]


def known_key() -> Verifies:
    """Return our check where the key was seen before."""
    return _in_turn(_proofs_of_ours(CALLS))


def new_key() -> Verifies:
    """Return our check where it was not."""
    return _in_turn([proof for _ in range(CALLS) for proof in _proofs_of_ours(1)], new_keys=True)


def signature() -> Verifies:
    """Return the check of the signature alone, by a key that is there, of a proof of ours."""
    ec, hashes = proofs.cryptography()
    key, algorithm = ec.generate_private_key(ec.SECP256R1()), ec.ECDSA(hashes.SHA256())
    message = _proofs_of_ours(1)[0][0].rpartition(".")[0].encode()
    found, verify = key.sign(message, algorithm), key.public_key().verify
    return lambda: verify(found, message, algorithm)


def _check(header: Any, claims: Any) -> None:
    """Compare what a program compares that has only a JWT library."""
    if header["typ"] != "dpop+jwt" or claims["htm"] != METHOD or claims["htu"] != URL or claims["ath"] != ATH:
        raise ValueError("a wrong proof")
    if abs(time.time() - claims["iat"]) > WINDOW_S:
        raise ValueError("an old proof")


def pydpop() -> Verifies:
    """Return pydpop's `verify_proof`."""
    verify, proof = import_module("pydpop").verify_proof, proofs.pydpop()()
    where = {"htm": METHOD, "htu": URL, "access_token": TOKEN, "expected_nonce": proofs.NONCE}
    return lambda: verify(proof=proof, clock_skew=WINDOW_S, **where)


def authlib() -> Verifies:
    """Return the `deserialize_compact` of Authlib's own JOSE."""
    proof = proofs.authlib()()
    with warnings.catch_warnings(record=True):  # it says of itself that joserfc takes its place
        jose = import_module("authlib.jose")
    library = jose.JsonWebSignature(["ES256"])

    def verify() -> str:
        text = proof.decode() if isinstance(proof, bytes) else str(proof)
        header = json.loads(base64.urlsafe_b64decode(text.split(".", 1)[0] + "==="))
        key = jose.ECKey.import_key(header["jwk"])
        _check(header, json.loads(library.deserialize_compact(text, key)["payload"]))
        return str(key.thumbprint())

    return verify


def joserfc() -> Verifies:
    """Return joserfc's `deserialize_compact`."""
    jws, keys, proof = import_module("joserfc.jws"), import_module("joserfc.jwk"), str(proofs.joserfc_jws()())

    def verify() -> str:
        header = jws.extract_compact(proof.encode()).headers()
        key = keys.ECKey.import_key(header["jwk"])
        _check(header, json.loads(jws.deserialize_compact(proof, key, algorithms=["ES256"]).payload))
        return str(key.thumbprint())

    return verify


def pyjwt() -> Verifies:
    """Return PyJWT's `decode`; it has no thumbprint."""
    jwt, proof = import_module("jwt"), proofs.pyjwt()()

    def verify() -> None:
        header = jwt.get_unverified_header(proof)
        key = jwt.PyJWK(header["jwk"], algorithm="ES256").key
        _check(header, jwt.decode(proof, key, algorithms=["ES256"]))

    return verify


def requests_oauth2client() -> Verifies:
    """Return requests_oauth2client's `validate_dpop_proof`."""
    validate, proof = import_module("requests_oauth2client").validate_dpop_proof, proofs.requests_oauth2client()()
    where = {"htm": METHOD, "htu": URL, "ath": ATH, "nonce": proofs.NONCE, "alg": "ES256"}
    return lambda: validate(proof, leeway=WINDOW_S, **where)


def axa() -> Verifies:
    """Return axa-fr-oidc's `_validate_dpop`, whose memory for jtis is emptied each time."""
    jwskate, client = import_module("jwskate"), import_module("requests_oauth2client")
    library = import_module("axa_fr_oidc.oidc.oidc_authentication")
    key = client.DPoPKey.generate()
    claims = {"sub": "s", "cnf": {"jkt": key.dpop_jkt}}
    token = str(jwskate.Jwt.sign(claims, key=jwskate.Jwk.generate(alg="ES256"), alg="ES256"))
    ath = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
    proof = str(key.proof(htm=METHOD, htu=URL, ath=ath))
    checks = library.OidcAuthentication(
        issuer="https://as.example", scopes=[], api_audience=None, service=None, memory_cache=None
    )

    def verify() -> None:
        checks.used_jti.clear()
        found = checks._validate_dpop(proof, "/v1/things", METHOD, token)  # noqa: SLF001 - what it calls for a request
        if not found.success:
            raise ValueError(found.error)

    return verify


def idpyoidc() -> Verifies:
    """Return idpyoidc's `verify_header`, and the comparisons and the thumbprint that its callers make."""
    library, keys = import_module("idpyoidc.server.oauth2.add_on.dpop"), import_module("cryptojwt.jwk.jwk")
    proof = proofs.idpyoidc()()["dpop"]  # type: ignore[index]  # a header field

    def verify() -> object:
        found = library.DPoPProof().verify_header(proof)
        if found["htu"] != URL or found["htm"] != METHOD:
            raise ValueError("a wrong proof")
        return (found.key or keys.key_from_jwk_dict(found["jwk"])).thumbprint("SHA-256")

    return verify
