"""
One DPoP proof, as each library makes it: with `ath`, `nonce` and a token of 800 characters, signed by an ES256 key.

Each function runs in a process of its own (see peers.py), with the library alone; it returns the call that makes a
proof. What has no DPoP of its own is used as a program would that makes its proofs with it.
"""

import base64
import hashlib
import json
import time
import uuid
import warnings
from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any

METHOD, URL = "GET", "https://api.example.com/v1/things"
TOKEN = "eyJhbGciOiJFUzI1NiJ9." + "a" * 700 + "." + "b" * 86
NONCE = "n-0S6_WzA2Mj"

MakesProof = Callable[[], object]


def ours() -> MakesProof:
    """Return what a hook does for each request."""
    proofs, software = import_module("oidcclient_dpop.proofs"), import_module("oidcclient_dpop.stores.software")
    make = proofs.ProofMaker(software.generate("ES256")).make
    return lambda: make(METHOD, URL, now=time.time(), access_token=TOKEN, nonce=NONCE)


def signature() -> MakesProof:
    """Return the signature alone, of as many bytes as ours has."""
    ec, hashes = cryptography()
    sign, algorithm = ec.generate_private_key(ec.SECP256R1()).sign, ec.ECDSA(hashes.SHA256())
    message = str(ours()()).rpartition(".")[0].encode()
    return lambda: sign(message, algorithm)


def cryptography() -> tuple[Any, Any]:
    """Return the modules of elliptic curves and of hashes."""
    primitives = "cryptography.hazmat.primitives"
    return import_module(f"{primitives}.asymmetric.ec"), import_module(f"{primitives}.hashes")


def _hash_of_token() -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(TOKEN.encode()).digest()).rstrip(b"=").decode()


def _claims() -> dict[str, object]:
    """Return the claims, made anew for each proof, as a program does that has only a JWT library."""
    return {
        "jti": str(uuid.uuid4()),
        "htm": METHOD,
        "htu": URL,
        "iat": int(time.time()),
        "ath": _hash_of_token(),
        "nonce": NONCE,
    }


def pyjwt() -> MakesProof:
    """Return PyJWT's `encode`."""
    jwt, (ec, _) = import_module("jwt"), cryptography()
    key = ec.generate_private_key(ec.SECP256R1())
    jwk = import_module("jwt.algorithms").ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    headers = {"typ": "dpop+jwt", "jwk": jwk}
    return lambda: jwt.encode(_claims(), key, algorithm="ES256", headers=headers)


def _joserfc_key() -> tuple[Any, dict[str, object]]:
    key = import_module("joserfc.jwk").ECKey.generate_key("P-256")
    return key, {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)}


def joserfc_jws() -> MakesProof:
    """Return joserfc's `serialize_compact`."""
    jws, (key, header) = import_module("joserfc.jws"), _joserfc_key()
    return lambda: jws.serialize_compact(
        header, json.dumps(_claims(), separators=(",", ":")), key, algorithms=["ES256"]
    )


def joserfc_jwt() -> MakesProof:
    """Return joserfc's `encode`."""
    jwt, (key, header) = import_module("joserfc.jwt"), _joserfc_key()
    return lambda: jwt.encode(header, _claims(), key, algorithms=["ES256"])


def authlib() -> MakesProof:
    """Return the `encode` of Authlib's own JOSE."""
    with warnings.catch_warnings(record=True):  # it says of itself that joserfc takes its place
        jose = import_module("authlib.jose")
    key = jose.ECKey.generate_key("P-256", is_private=True)
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(is_private=False)}
    encode = jose.JsonWebToken(["ES256"]).encode
    return lambda: encode(header, _claims(), key)


def pydpop() -> MakesProof:
    """Return pydpop's `generate_proof`."""
    library = import_module("pydpop")
    key = library.generate_key()
    return lambda: library.generate_proof(private_key=key, htm=METHOD, htu=URL, access_token=TOKEN, nonce=NONCE)


def atproto_oauth() -> MakesProof:
    """Return atproto-oauth's `create_proof`."""
    manager = import_module("atproto_oauth.dpop").DPoPManager
    key = manager.generate_keypair()
    return lambda: manager.create_proof(METHOD, URL, key, NONCE, TOKEN)


def atproto_oauth_py() -> MakesProof:
    """Return atproto-oauth-py's `make_dpop_proof`."""
    library = import_module("atproto_oauth.dpop")
    key = library.generate_dpop_key()
    jwk = library.public_jwk(library.key_to_jwk(key))
    return lambda: library.make_dpop_proof(key, jwk, METHOD, URL, NONCE, TOKEN)


def idpyoidc() -> MakesProof:
    """Return idpyoidc's `dpop_header`."""
    library = import_module("idpyoidc.client.oauth2.add_on.dpop")
    context = SimpleNamespace(add_on={"dpop": {"algs_supported": ["ES256"]}}, provider_info={})
    where = {"endpoint_url": URL, "token": TOKEN, "nonce": NONCE}
    return lambda: library.dpop_header(context, "userinfo_endpoint", METHOD, **where)


def requests_oauth2client() -> MakesProof:
    """Return requests_oauth2client's `proof`, which is given the hash of the token."""
    key = import_module("requests_oauth2client").DPoPKey.generate()
    return lambda: str(key.proof(htm=METHOD, htu=URL, ath=_hash_of_token(), nonce=NONCE))
