"""Comparing addresses (RFC 3986 section 6.2)."""

from __future__ import annotations

import re

from .errors import ProofRefused, Rule

_DEFAULT_PORTS = {"http": 80, "https": 443}
# RFC 3986 appendix B, for http and https only.
_URI = re.compile(r"(https?)://([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?", re.ASCII | re.IGNORECASE)
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::([0-9]{0,5}))?", re.ASCII)
_ALLOWED = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*")  # RFC 3986 section 2
_ENCODED = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")  # section 2.3
# What is in its normal form at a glance, as most addresses are: one look instead of five.
_NORMAL = re.compile(
    r"https?://[a-z0-9.-]+(?::(?!0|80/|443/)[0-9]{1,5})?(?=/)"
    r"(?:/[A-Za-z0-9_~!$&'()*+,;=:@-][A-Za-z0-9._~!$&'()*+,;=:@-]*)*/?",
    re.ASCII,
)


def normal_uri(uri: str) -> str:
    """
    Return a URI in its normal form, without query and fragment.

    Syntax-based (RFC 3986 section 6.2.2): case of scheme, host and percent-encodings, no encoding that is not needed,
    no dot segments; scheme-based (6.2.3): no default port, no empty path.

    Raises:
        ProofRefused: It is no http or https URI, or names a user (RFC 9110 section 4.2.4).
    """
    return uri if _NORMAL.fullmatch(uri) else _normalised(uri)


def _normalised(uri: str) -> str:
    found = _URI.fullmatch(uri) if _ALLOWED.fullmatch(uri) else None
    if found is None:
        raise ProofRefused(Rule.HTU, "The address is no http or https URI")
    scheme, authority, path = found[1].lower(), found[2], found[3]
    host, port = _host_and_port(scheme, authority)
    return f"{scheme}://{host}{port}{_without_dots(_normal_encoding(path)) or '/'}"


def _host_and_port(scheme: str, authority: str) -> tuple[str, str]:
    if "@" in authority:
        raise ProofRefused(Rule.HTU, "The address names a user")
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise ProofRefused(Rule.HTU, "The address has no host")
    host = _normal_encoding(found[1]).lower()
    port = int(found[2] or _DEFAULT_PORTS[scheme])
    return host, "" if port == _DEFAULT_PORTS[scheme] else f":{port}"


def _normal_encoding(text: str) -> str:
    """Section 6.2.2.1 and 6.2.2.2: `%7e` is `~`, `%2f` is `%2F`."""

    def one(found: re.Match[str]) -> str:
        char = chr(int(found[1], 16))
        return char if char in _UNRESERVED else found[0].upper()

    return _ENCODED.sub(one, text)


def _without_dots(path: str) -> str:
    """Section 5.2.4, for a path that is empty or starts with a slash."""
    segments = path.split("/")[1:]
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments and segments[-1] in {".", ".."}:
        kept.append("")
    return "".join(f"/{segment}" for segment in kept)
