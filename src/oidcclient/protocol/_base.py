"""Whether an address lies under a base: where a token may go."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from oidcclient._words.errors import UsageError

from ._addresses import LONGEST_ADDRESS, is_loopback, origin

__all__ = ["TokenBase"]

# A server may decode these before it looks at the path, and then "/api/%2e%2e/admin" is not under "/api".
# Some drop what follows a semicolon before they resolve dots, and behind a proxy a path may be decoded twice.
_DISGUISED = re.compile(r"(?i)(?:^|/)(?:\.|%2e){1,2}(?=;|%3b|/|$)|%2f|%5c|%25(?:2e|2f|5c|3b)|\\")


@dataclass(frozen=True, slots=True)
class TokenBase:
    """
    The addresses that a token may be sent to: the same origin, and a path that begins with the base's segments.

    Args:
        url: The base as given.
        origin: Its scheme, host and port.
        path: Its path, ending in `/`.
    """

    url: str
    origin: tuple[str, str, int | None]
    path: str

    @classmethod
    def parse(cls, url: str) -> TokenBase:
        """
        Read a base address.

        Raises:
            UsageError: It is not https, or http on loopback; or it has a query or fragment.
        """
        try:
            parts = urlsplit(url if len(url) <= LONGEST_ADDRESS else "")
            found = origin(url)
        except ValueError:
            parts, found = urlsplit(""), ("", "", None)
        secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
        plain = not (parts.query or parts.fragment or parts.username or parts.password or _DISGUISED.search(parts.path))
        if not parts.hostname or not secure or not plain:
            raise UsageError(
                "resource must be the https address of an API, without query or fragment",
                rule="resource",
                section="RFC 6750 section 5.3",
                received=url.partition("?")[0],
                hint="Pass the API's base address; http is accepted on loopback only.",
            )
        return cls(url, found, parts.path if parts.path.endswith("/") else parts.path + "/")

    def covers(self, url: str) -> bool:
        """Tell whether a token may be sent to an address."""
        try:
            parts = urlsplit(url)
            same = origin(url) == self.origin
        except ValueError:
            return False
        if not same:
            return False
        if self.path == "/":
            return True  # all of the origin: however a path is read, it does not leave it
        if _DISGUISED.search(parts.path):
            return False
        return (parts.path or "/").startswith(self.path) or parts.path == self.path[:-1]
