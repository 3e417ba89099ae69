"""Compact JWS and its parts (RFC 7515), read strictly."""

from __future__ import annotations

import hashlib
import hmac
import json
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from typing import Any

from .errors import ProofRefused, Rule

MAX_PROOF = 8_192  # characters; HTTP servers take no longer fields either
MAX_JTI = 128  # characters; RFC 9449 section 11.1: guards the memory for replays

# RFC 4648 section 5. What only the other alphabet has, and padding, becomes what neither has.
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/   ")
_TO_URL = bytes.maketrans(b"+/", b"-_")
# By the length modulo 4: what is missing, and what the last character can be if no bit of it is left over. No encoding
# leaves 1.
_ENDS = (
    (b"", bytes(range(256))),
    (b"", b""),
    (b"==", b"AQgw"),
    (b"=", b"AEIMQUYcgkosw048"),
)


def decode(text: str) -> bytes:
    """
    Decode base64url as RFC 7515 section 2 writes it: no padding, no other characters, no stray bits.

    Raises:
        ValueError: It is anything else.
    """
    return decode_segment(text.encode("ascii"))


def decode_segment(segment: bytes) -> bytes:
    """
    Decode base64url that is bytes.

    Raises:
        ValueError: It is anything else.
    """
    plain = segment.translate(_FROM_URL)
    padding, last = _ENDS[len(plain) % 4]
    if plain and plain[-1] not in last:
        raise ValueError("not base64url")
    return a2b_base64(plain + padding, strict_mode=True)


def encode(data: bytes) -> str:
    """Encode as base64url without padding."""
    return b2a_base64(data, newline=False).translate(_TO_URL, b"=").decode()


def token_hash(access_token: str) -> str:
    """Return the `ath` of an access token (RFC 9449 section 4.2)."""
    return encode(hashlib.sha256(access_token.encode("ascii")).digest())


def same(sent: str, ours: str) -> bool:
    """Compare what was sent with a hash, a thumbprint or a nonce of ours, in constant time."""
    return sent.isascii() and hmac.compare_digest(sent, ours)  # ours is ASCII


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):  # RFC 7515 section 4, RFC 7519 section 4
        raise ValueError("a member twice")
    return members


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")  # RFC 8259 section 6; Python reads NaN and Infinity


_WHITESPACE = " \t\n\r"  # RFC 8259 section 2
_JSON = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def read_object(segment: bytes) -> dict[str, Any]:
    """
    Read a segment that holds a JSON object.

    Raises:
        ProofRefused: It holds anything else.
    """
    try:
        text = decode_segment(segment).decode("utf-8").strip(_WHITESPACE)
        value, end = _JSON.raw_decode(text)
    except (ValueError, RecursionError) as error:
        raise _malformed() from error
    if end != len(text) or not isinstance(value, dict):
        raise _malformed()
    return value


def _malformed() -> ProofRefused:
    return ProofRefused(Rule.JWT, "The proof is no well-formed JWT")


def take_apart(compact: str) -> tuple[bytes, bytes, bytes, bytes]:
    """
    Take a compact JWS apart (RFC 7515 section 7.1).

    Returns: Its header and its payload, still encoded; the signature; and what that is over (section 5.2 step 8). Of
        more than three parts the payload has too many, and is no base64url.

    Raises:
        ValueError: It has fewer parts, or the last is no base64url.
    """
    signed, _, signature = compact.encode("ascii").rpartition(b".")
    header, dot, payload = signed.partition(b".")
    if not dot:
        raise ValueError("no three parts")
    return header, payload, decode_segment(signature), signed


def split(proof_headers: Sequence[str]) -> tuple[bytes, bytes, bytes, bytes]:
    """Take the one proof apart."""
    if not proof_headers:
        raise ProofRefused(Rule.HEADER, "There is no DPoP header")
    # RFC 9449 section 4.3 step 1. RFC 9110 section 5.3: two fields may arrive joined by a comma.
    if len(proof_headers) > 1 or "," in proof_headers[0]:
        raise ProofRefused(Rule.HEADER, "There is more than one DPoP header")
    # Step 2: a single, well-formed JWT.
    if len(proof_headers[0]) > MAX_PROOF:
        raise ProofRefused(Rule.JWT, f"The proof is longer than {MAX_PROOF} characters")
    try:
        return take_apart(proof_headers[0])
    except ValueError as error:
        raise _malformed() from error


Claims = tuple[str, str, str, float, str | None, str | None]
"""The jti, htm, htu, iat, nonce and ath of a proof, of the right types."""

_NUMBERS = {int, float}  # and not bool


def read_claims(segment: bytes) -> Claims:
    """Read the payload (RFC 9449 section 4.3 step 3, with the types of section 4.2)."""
    value = read_object(segment)
    jti, htm, htu, iat = value.get("jti"), value.get("htm"), value.get("htu"), value.get("iat")
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI:
        raise ProofRefused(Rule.CLAIMS, f"The jti is a text of 1 to {MAX_JTI} characters")
    if not isinstance(htm, str) or not isinstance(htu, str):
        raise ProofRefused(Rule.CLAIMS, "The htm and the htu are texts")
    if type(iat) not in _NUMBERS:
        raise ProofRefused(Rule.CLAIMS, "The iat is a number")
    nonce, ath = value.get("nonce"), value.get("ath")
    if not isinstance(nonce, str) and "nonce" in value:
        raise ProofRefused(Rule.CLAIMS, "The nonce is a text, if it is there")
    if not isinstance(ath, str) and "ath" in value:
        raise ProofRefused(Rule.CLAIMS, "The ath is a text, if it is there")
    return jti, htm, htu, iat, nonce, ath  # type: ignore[return-value]  # iat is a number by now
