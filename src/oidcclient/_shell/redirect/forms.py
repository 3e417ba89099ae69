"""`application/x-www-form-urlencoded`, decoded strictly: query strings and form_post bodies."""

from __future__ import annotations

import re

__all__ = ["parse_form"]

FIELDS = 100  # an authorization response has about ten

# RFC 6749 appendix B: a `%` must begin an octet. Any other printable ASCII may stand for itself, for browsers leave
# more characters bare than they should, which harms nobody.
_ENCODED = re.compile(rb"(?:[\x21-\x24\x26-\x7e]|%[0-9A-Fa-f]{2})*")
_OCTET = re.compile(rb"%([0-9A-Fa-f]{2})")


def parse_form(encoded: bytes) -> tuple[tuple[str, str], ...] | None:
    """
    Return names and values in order, or None where any of it is not well-formed.

    Strictly: no half escapes, no bare spaces or bytes above ASCII, no text that is not UTF-8. See RFC 6749 appendix B.
    """
    parts = [part for part in encoded.split(b"&") if part]
    if len(parts) > FIELDS or not _ENCODED.fullmatch(encoded):
        return None
    try:
        return tuple((_decoded(name), _decoded(value)) for name, _, value in (part.partition(b"=") for part in parts))
    except UnicodeDecodeError:
        return None


def _decoded(text: bytes) -> str:
    octets = _OCTET.sub(lambda match: bytes.fromhex(match[1].decode("ascii")), text.replace(b"+", b" "))
    return octets.decode("utf-8")
