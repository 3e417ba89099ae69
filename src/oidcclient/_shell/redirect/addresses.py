"""Our own addresses: built once from the socket that is bound, then used byte for byte."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

__all__ = ["host_addresses", "is_safe_to_open", "origin"]

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LITERALS = {"127.0.0.1": (), "::1": (), "localhost": ("127.0.0.1", "::1")}
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
# RFC 3986 section 2: the characters of a URI, so no control character, space, quote or backslash reaches a header
_URI = re.compile(r"[A-Za-z0-9:/?#\[\]@!$&'()*+,;=._~%-]+")


def origin(scheme: str, host: str, port: int) -> str:
    """Return `scheme://host:port` with the port always there and no slash after it."""
    return f"{scheme}://{_bracketed(host)}:{port}"


def host_addresses(scheme: str, host: str, port: int, path: str) -> tuple[tuple[str, str], ...]:
    """
    Return each value of `Host` that is ours, with the redirect URI as it reads for who came by that name.

    Those are the name we advertised and, for `localhost`, the literals that are bound with it. Browsers leave out the
    default port of a scheme (RFC 9110 section 7.2).
    """
    found: list[tuple[str, str]] = []
    for name in (host, *_LITERALS[host]):
        redirect_uri = origin(scheme, name, port) + path
        found.append((f"{_bracketed(name)}:{port}", redirect_uri))
        if port == _DEFAULT_PORTS[scheme]:
            found.append((_bracketed(name), redirect_uri))
    return tuple(found)


def is_safe_to_open(address: str) -> bool:
    """Tell whether a browser may be sent to `address`: https, or http on loopback (OIDC Core section 3.1.2.1)."""
    if not _URI.fullmatch(address):
        return False
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK))


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
