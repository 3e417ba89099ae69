"""Proofs of ours at implementations that are not: `jose` and `oauth4webapi` from npm."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from oidcclient_dpop import SigningKey, proof, thumbprint
from oidcclient_dpop.stores import generate
from tests.interop.node import NodeProgram

ALGORITHMS = ("ES256", "ES384", "ES512", "Ed25519", "PS256", "RS256")
ISSUER, AUDIENCE = "https://login.example.com", "https://api.example.com"
URL = f"{AUDIENCE}/files/a%2Fb%20c?x=1&y=%2F#part"
Ask = Callable[..., dict[str, Any]]

signer = ECKey.generate_key("P-256", {"kid": "1", "alg": "ES256"})
key_of = cache(generate)  # an RSA key takes long to make


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Ask about proofs; one process for them all."""
    options = {"jwks": {"keys": [signer.as_dict(private=False)]}}
    with NodeProgram("checker.mjs", tmp_path_factory.mktemp("checker") / "stderr", options) as program:
        yield lambda check, **question: program.ask({"check": check, **question})


def token_for(key: SigningKey) -> str:
    """Return an access token bound to a key (RFC 9068, RFC 9449 section 6.1)."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ann",
        "client_id": "app",
        "jti": "1",
        "iat": now,
        "exp": now + 60,
        "cnf": {"jkt": thumbprint(key.public_jwk())},
    }
    return jwt.encode({"typ": "at+jwt", "alg": "ES256", "kid": "1"}, claims, signer)


def changed(made: str, **claims: Any) -> str:
    """Return a proof whose claims somebody has changed."""
    header, payload, signature = made.split(".")
    said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))) | claims
    return f"{header}.{base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip('=')}.{signature}"


@pytest.mark.parametrize("alg", ALGORITHMS)
@pytest.mark.parametrize("with_token", [True, False], ids=["ath and nonce", "neither"])
def test_jose_verifies_our_proofs(ask: Ask, alg: str, with_token: bool) -> None:
    """RFC 9449 section 4.2; the thumbprint as RFC 7638 has it."""
    key = key_of(alg)
    more = {"access_token": token_for(key), "nonce": "eyJ7S_zG.eyJH0-Z"} if with_token else {}
    told = ask("jose", proof=proof(key, "POST", URL, **more), alg=alg)["good"]
    assert told["jkt"] == thumbprint(key.public_jwk())
    assert (told["header"]["typ"], told["header"]["alg"]) == ("dpop+jwt", alg)
    assert told["header"]["jwk"] == key.public_jwk()
    assert told["payload"].keys() == {"jti", "htm", "htu", "iat", *({"ath", "nonce"} if with_token else ())}
    assert (told["payload"]["htm"], told["payload"]["htu"]) == ("POST", f"{AUDIENCE}/files/a%2Fb%20c")


@pytest.mark.parametrize("alg", ALGORITHMS)
@pytest.mark.parametrize("claims", [{"htm": "GET"}, {"jti": "another"}, {"iat": 1}])
def test_jose_refuses_a_proof_that_was_changed(ask: Ask, alg: str, claims: dict[str, Any]) -> None:
    made = changed(proof(key_of(alg), "POST", URL), **claims)
    assert "signature verification failed" in ask("jose", proof=made, alg=alg)["refused"]


def request(alg: str, **other: Any) -> dict[str, Any]:
    """Return a resource request with a bound token, to be judged by `oauth4webapi`."""
    key = key_of(alg)
    token = token_for(key)
    made = proof(key, "PUT", URL, access_token=token, nonce="n")
    return {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "method": "PUT",
        "url": URL,
        "token": token,
        "proof": made,
        "alg": alg,
        **other,
    }


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_oauth4webapi_takes_a_request_with_our_proof(ask: Ask, alg: str) -> None:
    """RFC 9449 section 4.3."""
    assert ask("oauth4webapi", **request(alg))["good"]["cnf"] == {"jkt": thumbprint(key_of(alg).public_jwk())}


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_oauth4webapi_refuses_a_proof_that_was_changed(ask: Ask, alg: str) -> None:
    good = request(alg)
    refused = ask("oauth4webapi", **good | {"proof": changed(good["proof"], jti="another")})["refused"]
    assert refused == "JWT signature verification failed"


@pytest.mark.parametrize(
    ("other", "words"),
    [({"method": "GET"}, "htm mismatch"), ({"url": f"{AUDIENCE}/files/a/b%20c"}, "htu mismatch")],
    ids=["method", "address"],
)
def test_oauth4webapi_refuses_our_proof_with_another_request(ask: Ask, other: dict[str, Any], words: str) -> None:
    assert words in ask("oauth4webapi", **request("ES256", **other))["refused"]


@pytest.mark.parametrize(("token", "words"), [(None, "(access token hash) claim missing"), ("another", "ath mismatch")])
def test_oauth4webapi_refuses_our_proof_for_another_token(ask: Ask, token: str | None, words: str) -> None:
    other = proof(key_of("ES256"), "PUT", URL, access_token=token)
    assert words in ask("oauth4webapi", **request("ES256", proof=other))["refused"]


def test_oauth4webapi_refuses_our_proof_by_another_key(ask: Ask) -> None:
    """RFC 9449 section 4.3 step 12."""
    token = token_for(generate("ES256"))
    other = {"token": token, "proof": proof(key_of("ES256"), "PUT", URL, access_token=token)}
    assert "confirmation mismatch" in ask("oauth4webapi", **request("ES256", **other))["refused"]
