"""Tokens taken apart for people to look at. Nothing here verifies: `oidcclient.protocol` does that."""

from __future__ import annotations

import json
import math
import time
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any, Literal

from .output import duration, plain

__all__ = ["TIMES", "Taken", "claim_words", "end_of", "kind_words", "take_apart", "time_words"]

Kind = Literal["jwt", "encrypted", "opaque"]
SIGNED_PARTS, ENCRYPTED_PARTS = 3, 5  # RFC 7515 section 7.1, RFC 7516 section 7.1
TIMES = ("exp", "iat", "nbf", "auth_time", "updated_at")  # RFC 7519 section 4.1, OIDC Core 2 and 5.1
YEARS, MILLENNIA = 1e10, 1e11  # seconds from 1970; what is further away is no date but a mistake
# By `typ`, in lower case and without `application/` (RFC 7515 section 4.1.9).
KNOWN_TYPES = {
    "at+jwt": "an access token (RFC 9068)",
    "logout+jwt": "a logout token (OIDC Back-Channel Logout)",
    "oauth-authz-req+jwt": "a request object (RFC 9101)",
    "client-authentication+jwt": "a client assertion",
    "token-introspection+jwt": "an introspection answer (RFC 9701)",
    "entity-statement+jwt": "an entity statement (OpenID Federation)",
}


class Taken:
    """
    A token taken apart.

    Args:
        kind: `"jwt"` is signed or unsecured, `"encrypted"` can be read only by whom it is for, `"opaque"` is no JWT.
        header: Its header, where it has one.
        claims: Its claims, where they can be read.
    """

    def __init__(
        self, kind: Kind, header: Mapping[str, Any] | None = None, claims: Mapping[str, Any] | None = None
    ) -> None:
        self.kind = kind
        self.header = header
        self.claims = claims

    @property
    def typ(self) -> str:
        """Its `typ`, in lower case; empty where it has none."""
        typ = (self.header or {}).get("typ")
        return typ.lower().removeprefix("application/") if isinstance(typ, str) else ""


def take_apart(token: str) -> Taken:
    """Take a token apart."""
    parts = token.split(".")
    header = _object(parts[0])
    if header is None:
        return Taken("opaque")
    if len(parts) == ENCRYPTED_PARTS:
        return Taken("encrypted", header)
    claims = _object(parts[1]) if len(parts) == SIGNED_PARTS else None
    return Taken("opaque") if claims is None else Taken("jwt", header, claims)


def _object(part: str) -> dict[str, Any] | None:
    try:
        text = urlsafe_b64decode(part + "=" * (-len(part) % 4))
        found = json.loads(text, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _finite(text: str) -> float:
    """Read a number; NaN and infinities are none in JSON, whatever Python says (RFC 8259 section 6)."""
    if not math.isfinite(number := float(text)):
        raise ValueError
    return number


def kind_words(taken: Taken) -> str:
    """Return what a token seems to be, in words."""
    if taken.kind == "opaque":
        return "no JWT: only the server that issued it can tell what is in it"
    if taken.kind == "encrypted":
        return "an encrypted JWT: only whoever it is for can read it (RFC 7516)"
    what = KNOWN_TYPES.get(taken.typ) or _guessed(taken.claims or {})
    return f"{what}, {_signature_words((taken.header or {}).get('alg'))}"


def _guessed(claims: Mapping[str, Any]) -> str:
    looks_like_one = {"iss", "sub", "aud", "exp", "iat"} <= claims.keys()  # all required: OIDC Core 2
    if looks_like_one and {"nonce", "at_hash", "auth_time"} & claims.keys():
        return "an ID Token by its looks"
    return "a JWT"


def _signature_words(alg: object) -> str:
    if not isinstance(alg, str):
        return "which names no algorithm"
    return "not signed at all (alg is none)" if alg.lower() == "none" else f"signed with {plain(alg)}"


def claim_words(name: str, value: object, now: float | None = None) -> str:
    """Return a claim's value for a person; times get words beside the number."""
    shown = plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    moment = _number(value) if name in TIMES else None
    return shown if moment is None else f"{shown} ({time_words(moment, now)})"


def end_of(taken: Taken) -> float | None:
    """Return when a token ends, in Unix seconds, as far as it says so."""
    return _number((taken.claims or {}).get("exp"))


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def time_words(moment: float, now: float | None = None) -> str:
    """Return a moment in words: `in 5 minutes, 2030-01-01 12:00:00 UTC`."""
    if not -YEARS < moment < MILLENNIA:
        return "no date"
    ahead = moment - (time.time() if now is None else now)
    date = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(moment))
    return f"in {duration(ahead)}, {date}" if ahead > 0 else f"{duration(-ahead)} ago, {date}"
