"""Which redirect addresses a client may register, and which one a request may use."""

import re
from urllib.parse import urlsplit

_LOOPBACK = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]|localhost))(?::([0-9]{1,5}))?((?:[/?][^#]*)?)")
_MAX_PORT = 65535


def check_registrable(uri: str, *, native: bool) -> None:
    """Refuse a redirect address that no client should register.

    Raises:
        ValueError: with the reason.

    See RFC 8252 sections 7.1 and 8.4, RFC 9700 section 2.6.
    """
    parts = urlsplit(uri)
    if not parts.scheme or "#" in uri:
        raise ValueError(f"a redirect address is absolute and has no fragment: {uri}")
    if parts.scheme == "https":
        return
    if parts.scheme == "http":
        if not _LOOPBACK.fullmatch(uri):
            raise ValueError(f"http is for loopback addresses only: {uri}")
        return
    if not native or "." not in parts.scheme:
        # RFC 8252 section 8.4: a private-use scheme is a reversed domain name.
        raise ValueError(f"a private-use scheme is for native apps and holds a dot: {uri}")


def matches(registered: str, requested: str, *, any_port: bool) -> bool:
    """Compare by the exact string; a native app's loopback port may differ.

    See RFC 8252 section 7.3, RFC 9700 sections 2.1 and 4.1.3.
    """
    if registered == requested:
        return True
    if not any_port:
        return False
    known, asked = _LOOPBACK.fullmatch(registered), _LOOPBACK.fullmatch(requested)
    if known is None or asked is None:
        return False
    port = asked[2]
    return known[1] == asked[1] and known[3] == asked[3] and (port is None or 0 < int(port) <= _MAX_PORT)


def origin_source(uri: str) -> str:
    """Return the CSP source that allows a form to end at this address."""
    parts = urlsplit(uri)
    if parts.scheme not in {"http", "https"} or parts.netloc.startswith("["):
        return f"{parts.scheme}:"  # CSP has no grammar for IPv6 hosts
    return f"{parts.scheme}://{parts.netloc}"
