"""Compact JWS and its parts (RFC 7515), read strictly."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .errors import ProofRefused, Rule

MAX_PROOF = 8_192  # characters; HTTP servers take no longer fields either
MAX_JTI = 128  # characters; RFC 9449 section 11.1: guards the memory for replays
PARTS = 3  # RFC 7515 section 7.1


def decode(text: str) -> bytes:
    """
    Decode base64url as RFC 7515 section 2 writes it: no padding, no other characters, no stray bits.

    Raises:
        ValueError: It is anything else.
    """
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode(data) != text:  # Python's decoder skips what it does not know
        raise ValueError("not base64url")
    return data


def encode(data: bytes) -> str:
    """Encode as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token_hash(access_token: str) -> str:
    """Return the `ath` of an access token (RFC 9449 section 4.2)."""
    return encode(hashlib.sha256(access_token.encode("ascii")).digest())


def same(left: str, right: str) -> bool:
    """Compare in constant time, whatever the characters are."""
    return hmac.compare_digest(left.encode("utf-8", "surrogatepass"), right.encode("utf-8", "surrogatepass"))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):  # RFC 7515 section 4, RFC 7519 section 4
        raise ValueError("a member twice")
    return members


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")  # RFC 8259 section 6; Python reads NaN and Infinity


_JSON = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def read_object(segment: str) -> dict[str, Any]:
    """
    Read a segment that holds a JSON object.

    Raises:
        ProofRefused: It holds anything else.
    """
    try:
        value = _JSON.decode(decode(segment).decode("utf-8"))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ProofRefused(Rule.JWT, "The proof is no well-formed JWT")
    return value


@dataclass(frozen=True, slots=True)
class Compact:
    """The three segments of a JWT as they came."""

    header: str = field(repr=False)
    payload: str = field(repr=False)
    signature: str = field(repr=False)

    @property
    def signed(self) -> bytes:
        """What the signature is over (RFC 7515 section 5.2 step 8)."""
        return f"{self.header}.{self.payload}".encode("ascii")


def split(proof_headers: Sequence[str]) -> Compact:
    """Take the one proof apart."""
    if not proof_headers:
        raise ProofRefused(Rule.HEADER, "There is no DPoP header")
    # RFC 9449 section 4.3 step 1. RFC 9110 section 5.3: two fields may arrive joined by a comma.
    if len(proof_headers) > 1 or "," in proof_headers[0]:
        raise ProofRefused(Rule.HEADER, "There is more than one DPoP header")
    # Step 2: a single, well-formed JWT.
    proof = proof_headers[0]
    if len(proof) > MAX_PROOF:
        raise ProofRefused(Rule.JWT, f"The proof is longer than {MAX_PROOF} characters")
    parts = proof.split(".")
    if len(parts) != PARTS or not proof.isascii():
        raise ProofRefused(Rule.JWT, "The proof is no well-formed JWT")
    return Compact(*parts)


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a proof, of the right types."""

    jti: str
    htm: str
    htu: str
    iat: float | int
    nonce: str | None
    ath: str | None


def read_claims(segment: str) -> Claims:
    """Read the payload (RFC 9449 section 4.3 step 3, with the types of section 4.2)."""
    value = read_object(segment)
    jti, iat = value.get("jti"), value.get("iat")
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI:
        raise ProofRefused(Rule.CLAIMS, f"The jti is a text of 1 to {MAX_JTI} characters")
    if not isinstance(iat, int | float) or isinstance(iat, bool):
        raise ProofRefused(Rule.CLAIMS, "The iat is a number")
    for name in ("htm", "htu"):
        if not isinstance(value.get(name), str):
            raise ProofRefused(Rule.CLAIMS, f"The {name} is a text")
    for name in ("nonce", "ath"):
        if not isinstance(value.get(name, ""), str):
            raise ProofRefused(Rule.CLAIMS, f"The {name} is a text, if it is there")
    return Claims(jti, value["htm"], value["htu"], iat, value.get("nonce"), value.get("ath"))
