"""httpx transports of the command: the way to a host, and a fence around a token."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpx

from oidcclient import UsageError
from oidcclient.protocol import TokenBase, is_loopback

__all__ = ["Fenced", "Routes", "context_for"]


def context_for(ca_bundle: str | None) -> ssl.SSLContext | bool:
    """
    Return what checks certificates.

    Args:
        ca_bundle: A PEM file with the certificate authorities to trust; None for the usual ones.

    Raises:
        UsageError: The file cannot be used.
    """
    if ca_bundle is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca_bundle)
    except OSError as error:
        raise UsageError(
            f"the certificate authorities in {ca_bundle} cannot be read ({type(error).__name__})",
            rule="ca_bundle",
            hint="Name a PEM file: ca_bundle in the profile.",
        ) from None


class Routes(httpx.BaseTransport):
    """
    Send each request by the proxy that the environment names for it; nothing on loopback goes through one.

    Args:
        ca_bundle: As for `context_for`.
    """

    def __init__(self, ca_bundle: str | None) -> None:
        self._ca_bundle = ca_bundle
        self._routes: dict[str | None, httpx.HTTPTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return the answer."""
        proxy = _proxy(request.url)
        if proxy not in self._routes:
            self._routes[proxy] = httpx.HTTPTransport(verify=context_for(self._ca_bundle), proxy=proxy)
        return self._routes[proxy].handle_request(request)

    def close(self) -> None:
        """Close all connections."""
        for route in self._routes.values():
            route.close()


class Fenced(httpx.BaseTransport):
    """
    Put a token on requests under a base, and on no others: redirects too are looked at one by one.

    Args:
        inner: What sends.
        base: The base address.
        token: The token.
    """

    def __init__(self, inner: httpx.BaseTransport, base: str, token: str) -> None:
        self._inner = inner
        self._base = TokenBase.parse(base)
        self._token = token

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return the answer."""
        request.headers.pop("Authorization", None)
        if self._base.covers(str(request.url)):
            request.headers["Authorization"] = f"Bearer {self._token}"
        return self._inner.handle_request(request)

    def close(self) -> None:
        """Close all connections."""
        self._inner.close()


def _proxy(url: httpx.URL) -> str | None:
    if is_loopback(url.host) or proxy_bypass(url.host):
        return None
    proxies: dict[str, Any] = getproxies()
    return proxies.get(url.scheme) or proxies.get("all")
