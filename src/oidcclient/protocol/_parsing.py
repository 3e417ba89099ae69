"""Bytes from the network to values: JSON objects and forms, once, with limits."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import NoReturn, TypeGuard
from urllib.parse import urlencode

from oidcclient._words.errors import OAuthError, OidcError, ResponseRefused, TransportError, printable
from oidcclient._words.http import HttpResponse
from oidcclient._words.values import Json

__all__ = [
    "b64url_decode",
    "b64url_encode",
    "finite",
    "form_body",
    "json_object",
    "parse_error",
    "retry_after",
    "text_member",
]

DEEPEST = 64  # levels; real documents have five, and what is deeper could exhaust whoever prints it
FARTHEST_TIME = 1e15  # seconds, some 30 million years; infinity is beyond it and NaN is not below it
JSON_TYPES = ("application/json",)
_TOO_MANY, _UNAVAILABLE, _SERVER_ERRORS = 429, 503, 500


class _DuplicateMemberError(ValueError):
    """A JSON object names one member twice."""


def _members(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _DuplicateMemberError
    return members


def _no_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")


def _deeper(value: Json, levels: int) -> bool:
    """Tell whether a value nests deeper than that; without recursion, which is what deep nesting attacks."""
    level = [value]
    for _ in range(levels):
        level = [
            item
            for part in level
            if isinstance(part, dict | list)
            for item in (part.values() if isinstance(part, dict) else part)
        ]
    return bool(level)


def _strict_json(body: bytes) -> tuple[Json, str | None]:
    """
    Return a value, or the rule that its text breaks.

    A parser's exception holds the text itself, secrets included. It ends here, so that none stands behind an error.
    """
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_members, parse_constant=_no_constant)
        # a lone surrogate or an infinite number (1e400) could not be written anywhere later
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except _DuplicateMemberError:
        return None, "duplicate"
    except (ValueError, RecursionError):  # UnicodeError and JSONDecodeError are ValueErrors
        return None, "json"
    return (None, "json") if _deeper(value, DEEPEST) else (value, None)


def json_object(body: bytes, what: str, error: type[OidcError] = ResponseRefused) -> dict[str, Json]:
    """
    Parse a JSON object strictly: UTF-8, no member twice, no lone surrogates, no NaN, no bottomless nesting.

    Args:
        body: The bytes; the caller has limited their number.
        what: What it is, for the message.
        error: The class to raise.

    Raises:
        OidcError: Of the class given. See RFC 8259 sections 4 and 8; RFC 6749 section 3.2 for duplicates.
    """
    value, broken = _strict_json(body)
    if broken == "duplicate":
        raise error(f"{what} names a member twice", rule="duplicate", section="RFC 8259 section 4")
    if broken:
        raise error(f"{what} is not valid JSON", rule="json", section="RFC 8259")
    if not isinstance(value, dict):
        raise error(f"{what} is not a JSON object", rule="json", section="RFC 8259 section 4")
    return value


def text_member(members: Mapping[str, Json], name: str, what: str, error: type[OidcError]) -> str | None:
    """
    Return a member that must be a non-empty string where it is present.

    Raises:
        OidcError: Of the class given.
    """
    value = members.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise error(f"{name} in {what} is not a string", rule=name, received=type(value).__name__)
    return value


def form_body(parameters: Mapping[str, str] | list[tuple[str, str]]) -> bytes:
    """Encode parameters as `application/x-www-form-urlencoded` (RFC 6749 appendix B)."""
    return urlencode(parameters).encode("ascii")


def b64url_encode(data: bytes) -> str:
    """Encode bytes as base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def b64url_decode(text: str) -> bytes:
    """
    Decode base64url without padding, strictly (RFC 7515 section 2).

    Raises:
        ValueError: The text is not that, or not in its only canonical form.
    """
    try:
        data = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        data = None  # the exception holds the text, which may be secret: none is chained
    if data is None or b64url_encode(data) != text:
        raise ValueError("not base64url, or not in its canonical form")
    return data


def retry_after(response: HttpResponse) -> float | None:
    """Return how long a busy server asks to wait, in seconds (RFC 9110 section 10.2.3); a date is not understood."""
    value = (response.header("retry-after") or "").strip()
    return float(value) if value.isascii() and value.isdigit() and len(value) < 8 else None  # noqa: PLR2004 - 115 days


def parse_error(response: HttpResponse, what: str) -> OidcError:
    """
    Make the error that an unsuccessful answer of a provider means (RFC 6749 section 5.2).

    429 and 5xx without an `error` of their own are the wire's: try again. Never shows the body.
    """
    busy = response.status in {_TOO_MANY, _UNAVAILABLE}
    try:
        members = json_object(response.body, what)
        code = text_member(members, "error", what, ResponseRefused)
        described = {
            name: value if isinstance(value := members.get(name), str) else None
            for name in ("error_description", "error_uri")
        }
    except ResponseRefused:
        code, described = None, {}
    if code and not busy:
        return OAuthError(code, status=response.status, **described)
    if busy or response.status >= _SERVER_ERRORS:
        return TransportError(
            f"{what}: the server answered {response.status}",
            status=response.status,
            retry_after=retry_after(response),
            hint="The provider is busy or broken: try again in a moment.",
        )
    return ResponseRefused(
        f"{what}: the server answered {response.status} without an OAuth error",
        rule="status",
        section="RFC 6749 section 5.2",
        received=f"{response.status} {printable(response.media_type, 60)}",
    )


def finite(value: Json) -> TypeGuard[int | float]:
    """Tell whether a JSON value is a number that a clock can use; `true` is not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < FARTHEST_TIME
