"""What browsers need to call an API from pages of other origins (the Fetch standard's CORS protocol)."""

from __future__ import annotations

from collections.abc import Collection

from .answers import Answer, Headers

__all__ = ["EXPOSED", "Cors"]

EXPOSED = "DPoP-Nonce, WWW-Authenticate"  # RFC 9449 sections 7.1 and 8: else a page cannot read them
_NEEDED = ("Authorization", "DPoP")


class Cors:
    """
    Lets pages of some origins call the API.

    Cookies are never allowed: a token is sent by the page itself.

    Args:
        origins: The origins, for example `https://app.example.com`; or `*` for all.
        headers: Further request headers that pages may send.
        methods: What pages may use.
        max_age: How long a browser may remember that, in seconds.
    """

    def __init__(
        self,
        origins: Collection[str],
        *,
        headers: Collection[str] = ("Content-Type",),
        methods: Collection[str] = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
        max_age: int = 600,
    ) -> None:
        self._any = "*" in origins
        self._origins = frozenset(origins)
        self._allowed = ", ".join(dict.fromkeys((*_NEEDED, *headers)))
        self._methods = ", ".join(methods)
        self._max_age = str(max_age)

    def headers(self, origin: str | None) -> Headers:
        """Return what every answer to a page needs."""
        vary = () if self._any else (("Vary", "Origin"),)  # else a cache hands one page's answer to another
        if origin is None or not self._allows(origin):
            return vary
        allowed = "*" if self._any else origin
        return (*vary, ("Access-Control-Allow-Origin", allowed), ("Access-Control-Expose-Headers", EXPOSED))

    def preflight(self, origin: str) -> Answer:
        """Return the answer to a browser that asks beforehand, without a token; `headers` belong to it too."""
        if not self._allows(origin):
            return Answer(204, ())
        return Answer(
            204,
            (
                ("Access-Control-Allow-Methods", self._methods),
                ("Access-Control-Allow-Headers", self._allowed),
                ("Access-Control-Max-Age", self._max_age),
            ),
        )

    def _allows(self, origin: str) -> bool:
        return self._any or origin in self._origins
