"""Which addresses may be handed to a program of this machine."""

from __future__ import annotations

import re

from oidcclient._words.errors import RemoteError, UsageError

__all__ = ["MAX_ADDRESS_CHARACTERS", "check_openable"]

MAX_ADDRESS_CHARACTERS = 16_384  # far above any real request; Windows allows 32,767 for a whole command line

# RFC 3986 section 2: unreserved, reserved, and "%" only before two hexadecimal digits. So no space, no quote, no
# backslash, no control character, no byte outside ASCII, and no %PATH%.
_URI = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")
# Section 3.2, less the userinfo ("user@") and less percent-encoded host names: no two readers can differ on the host.
_HTTP = re.compile(r"(https?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?=[/?#]|\Z)", re.IGNORECASE)
_LOOPBACK = frozenset({"127.0.0.1", "[::1]", "localhost"})  # RFC 8252 sections 7.3 and 8.3


def check_openable(address: str) -> None:
    """
    Refuse an address that no browser should be started with.

    The authorization endpoint is the provider's word: it must be https (RFC 6749 section 3.1), http only on loopback,
    and consist of the characters of an address alone, so that it can be no option and no command.

    Raises:
        UsageError: It is no text at all.
        RemoteError: It is an address to stay away from. The error holds no part of it.
    """
    if not isinstance(address, str) or not address:
        raise UsageError("the address to open must be a non-empty str", rule="address")
    if len(address) > MAX_ADDRESS_CHARACTERS:
        raise _refused("length", f"at most {MAX_ADDRESS_CHARACTERS} characters", "RFC 9110 section 4.1")
    if not _URI.fullmatch(address):
        raise _refused("characters", "the characters of RFC 3986 only", "RFC 3986 section 2")
    match = _HTTP.match(address)
    if match is None:
        raise _refused("form", "https://host, without a user name", "RFC 3986 section 3.2")
    scheme, host = match[1].lower(), match[2].lower()
    if scheme == "http" and host not in _LOOPBACK:
        raise _refused("https", "https, or http on loopback", "RFC 6749 section 3.1")


def _refused(rule: str, expected: str, section: str) -> RemoteError:
    return RemoteError(
        f"the address to open in the browser is refused: it must be {expected}",
        rule=rule,
        section=section,
        expected=expected,
    )
