"""Compact JWS, made part by part so that a misbehaving provider can make bad ones too."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.jws import JWSRegistry

from .keys import SigningKey

_HASHES: Mapping[str, Callable[[bytes], Any]] = {
    "256": hashlib.sha256,
    "384": hashlib.sha384,
    "512": hashlib.sha512,
    "dsa": hashlib.sha512,  # EdDSA and Ed25519 hash with SHA-512 themselves (RFC 8032 section 5.1)
    "519": hashlib.sha512,
}


def b64(data: bytes) -> str:
    """Encode as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """Decode base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def signing_input(header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """Return the two parts that are signed."""
    return f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"


def sign(header: Mapping[str, Any], claims: Mapping[str, Any], key: SigningKey) -> str:
    """Sign with the key's one algorithm, whatever the header says."""
    text = signing_input(header, claims)
    return f"{text}.{b64(JWSRegistry.algorithms[key.alg].sign(text.encode(), key.key))}"


def sign_hs256(header: Mapping[str, Any], claims: Mapping[str, Any], secret: bytes) -> str:
    """Sign with a shared secret."""
    text = signing_input(header, claims)
    return f"{text}.{b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def header_for(key: SigningKey, typ: str | None = None) -> dict[str, Any]:
    """Return the header that names the key."""
    header = {"alg": key.alg, "kid": key.kid}
    return header if typ is None else {**header, "typ": typ}


def half_hash(value: str, alg: str) -> str:
    """Return the at_hash of an access token (OIDC Core section 3.1.3.6)."""
    digest: bytes = _HASHES[alg[-3:].lower()](value.encode()).digest()
    return b64(digest[: len(digest) // 2])


class BadToken(Exception):
    """The token is malformed, or its signature does not verify."""


def read(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims without believing them.

    Raises:
        BadToken: if it is no compact JWS with JSON objects in it.
    """
    try:
        header, claims = (json.loads(unb64(part)) for part in token.split(".")[:2])
    except (ValueError, RecursionError) as error:
        raise BadToken("not a JWT") from error
    if not isinstance(header, dict) or not isinstance(claims, dict) or token.count(".") != 2:  # noqa: PLR2004 - three parts, RFC 7515 section 7.1
        raise BadToken("not a signed JWT")
    return header, claims


def verify(
    token: str, keys: Callable[[dict[str, Any]], list[Key]], algorithms: Collection[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of a token that one of the keys signed with an allowed algorithm.

    Raises:
        BadToken: in any other case.
    """
    header, claims = read(token)
    alg = header.get("alg")
    if alg not in algorithms or "crit" in header:
        raise BadToken("the algorithm or a critical header is not allowed")
    text, _, signature = token.rpartition(".")
    if not any(_verifies(text, signature, str(alg), key) for key in keys(header)):
        raise BadToken("the signature does not verify")
    return header, claims


def _verifies(text: str, signature: str, alg: str, key: Key) -> bool:
    try:
        return JWSRegistry.algorithms[alg].verify(text.encode(), unb64(signature), key)
    except (JoseError, ValueError):
        return False  # a key of another kind, or no base64
