"""Which addresses of a provider may be used."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urljoin, urlsplit

from oidcclient._words.errors import DiscoveryRefused, UsageError
from oidcclient._words.policy import Policy

__all__ = ["check_endpoint", "check_issuer", "is_loopback", "origin", "redirect_target"]

LONGEST_ADDRESS = 8192  # characters; the request line limit of common servers
_PLAIN = re.compile(r"[\x21-\x7e]+")  # RFC 3986: no spaces, no control characters, nothing outside ASCII


def is_loopback(host: str | None) -> bool:
    """Tell whether a host names this machine: 127.0.0.0/8, ::1 or localhost (RFC 8252 section 7.3)."""
    if host is None:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_plain(text: str) -> bool:
    """Tell whether a text holds nothing but the characters of an address."""
    return bool(_PLAIN.fullmatch(text)) and "\\" not in text


def _split(address: str) -> SplitResult | None:
    if len(address) > LONGEST_ADDRESS or not is_plain(address):
        return None
    try:
        parts = urlsplit(address)
        _ = parts.port  # ValueError where it is no number
    except ValueError:
        return None
    return parts


def _fault(address: object, *, http_loopback: bool, query: bool) -> str | None:
    """Return what is wrong with an address, or None."""
    parts = _split(address) if isinstance(address, str) else None
    if parts is None or not parts.hostname:
        return "is not an absolute URL"
    if parts.username is not None or parts.password is not None:
        return "holds a user name or password"
    if "#" in str(address):
        return "holds a fragment"
    if "?" in str(address) and not query:
        return "holds a query"
    if parts.scheme == "https" or (parts.scheme == "http" and http_loopback and is_loopback(parts.hostname)):
        return None
    return "is not https"


def check_issuer(issuer: str, policy: Policy) -> None:
    """
    Refuse an issuer identifier that is no https URL without query and fragment (OIDC Core 2, RFC 8414 section 2).

    Raises:
        UsageError: It is not one, or it is http and `policy.allow_http_loopback` does not cover it.
    """
    fault = _fault(issuer, http_loopback=policy.allow_http_loopback, query=False)
    if fault:
        hint = "Give the issuer as the provider's documentation spells it, starting with https://."
        if fault == "is not https" and is_loopback((_split(issuer) or urlsplit("")).hostname):
            hint = "For a test provider on this machine, pass policy=Policy(allow_http_loopback=True)."
        raise UsageError(f"the issuer {fault}", rule="issuer", section="RFC 8414 section 2", received=issuer, hint=hint)


def check_endpoint(name: str, address: object, *, issuer: str, policy: Policy) -> str:
    """
    Return an endpoint of the provider, or refuse it: all must be https (RFC 8414 section 2, OIDC Discovery 3).

    The one exception is an issuer that is itself http on loopback, allowed by `policy.allow_http_loopback`: its
    endpoints may be there too.

    Raises:
        DiscoveryRefused: The address is not one that may be used.
    """
    http_loopback = policy.allow_http_loopback and issuer.startswith("http:")
    fault = _fault(address, http_loopback=http_loopback, query=True)
    if fault or not isinstance(address, str):
        raise DiscoveryRefused(
            f"the provider's {name} {fault}",
            rule=name,
            section="RFC 8414 section 2",
            expected="an https address",
            received=address,
        )
    return address


def origin(address: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of an address, the default port filled in (RFC 6454 section 4)."""
    parts = urlsplit(address)
    return parts.scheme, (parts.hostname or ""), parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def redirect_target(name: str, address: str, location: str | None, *, issuer: str, policy: Policy) -> str:
    """
    Return where a redirect of a metadata request leads, if it may be followed: never to another scheme.

    Raises:
        DiscoveryRefused: There is no target, or it may not be used.
    """
    try:
        target = urljoin(address, location or "")
        stays = urlsplit(target).scheme == urlsplit(address).scheme
    except ValueError:  # "https://[": no address at all
        target, stays = "", False
    if not location or not stays:
        raise DiscoveryRefused(
            f"the provider's {name} redirects to another scheme or nowhere",
            rule="redirect",
            section="RFC 8414 section 6.1",
            received=location,
        )
    return check_endpoint(name, target, issuer=issuer, policy=policy)
