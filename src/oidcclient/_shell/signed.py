"""`session.http(resource=)`: a ready httpx client that signs every hop, so that redirects within the API work."""

from __future__ import annotations

import contextlib
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from oidcclient.protocol import TokenBase, is_loopback

__all__ = ["signed_async_client", "signed_client"]

_CREDENTIALS = ("authorization", "dpop", "proxy-authorization")


class _Guard(httpx.Auth):
    """Refuse, before anything is sent, an address that the token is not for. Runs once per call, not per hop."""

    def __init__(self, auth: Any) -> None:
        self._check = auth.check

    def auth_flow(self, request: httpx.Request) -> Any:
        self._check(str(request.url))
        yield request


def _route(url: httpx.URL) -> str | None:
    """Return the proxy for an address, as the environment names it; loopback never goes through one."""
    host = urlsplit(str(url)).hostname or ""
    if is_loopback(host) or proxy_bypass(host):
        return None
    proxies = getproxies()
    return proxies.get(url.scheme) or proxies.get("all")


def _strip(request: httpx.Request) -> None:
    for name in _CREDENTIALS:
        request.headers.pop(name, None)


class _SigningTransport(httpx.BaseTransport):
    """Sign each request that lies under the base; let others pass without any credential."""

    def __init__(self, auth: Any, base: TokenBase, inner: httpx.BaseTransport | None, options: dict[str, Any]) -> None:
        self._auth = auth
        self._base = base
        self._given = inner
        self._options = options
        self._routes: dict[str | None, httpx.BaseTransport] = {}

    def _inner(self, url: httpx.URL) -> httpx.BaseTransport:
        if self._given is not None:
            return self._given
        route = _route(url)
        if route not in self._routes:
            self._routes[route] = httpx.HTTPTransport(proxy=route, **self._options)
        return self._routes[route]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        _strip(request)
        inner = self._inner(request.url)
        if not self._base.covers(str(request.url)):
            return inner.handle_request(request)
        with contextlib.closing(self._auth.sync_auth_flow(request)) as flow:
            outgoing = next(flow)
            while True:
                response = inner.handle_request(outgoing)
                response.request = outgoing
                try:
                    outgoing = flow.send(response)
                except StopIteration:
                    return response
                response.read()
                response.close()

    def close(self) -> None:
        for transport in (*self._routes.values(), *([self._given] if self._given else [])):
            transport.close()


class _AsyncSigningTransport(httpx.AsyncBaseTransport):
    """The async twin."""

    def __init__(
        self, auth: Any, base: TokenBase, inner: httpx.AsyncBaseTransport | None, options: dict[str, Any]
    ) -> None:
        self._auth = auth
        self._base = base
        self._given = inner
        self._options = options
        self._routes: dict[str | None, httpx.AsyncBaseTransport] = {}

    def _inner(self, url: httpx.URL) -> httpx.AsyncBaseTransport:
        if self._given is not None:
            return self._given
        route = _route(url)
        if route not in self._routes:
            self._routes[route] = httpx.AsyncHTTPTransport(proxy=route, **self._options)
        return self._routes[route]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        _strip(request)
        inner = self._inner(request.url)
        if not self._base.covers(str(request.url)):
            return await inner.handle_async_request(request)
        async with contextlib.aclosing(self._auth.async_auth_flow(request)) as flow:
            outgoing = await anext(flow)
            while True:
                response = await inner.handle_async_request(outgoing)
                response.request = outgoing
                try:
                    outgoing = await flow.asend(response)
                except StopAsyncIteration:
                    return response
                await response.aread()
                await response.aclose()

    async def aclose(self) -> None:
        for transport in (*self._routes.values(), *([self._given] if self._given else [])):
            await transport.aclose()


_TRANSPORT_OPTIONS = ("verify", "http1", "http2", "limits", "local_address", "retries")


def _split(options: dict[str, Any]) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """Tell apart what a transport takes from what a client takes."""
    inner = options.pop("transport", None)
    transport = {name: options.pop(name) for name in _TRANSPORT_OPTIONS if name in options}
    return inner, transport, options


def signed_client(auth: Any, base: TokenBase, options: dict[str, Any]) -> httpx.Client:
    """
    Return an httpx client for an API: its base address is set, every hop is signed, redirects are followed.

    Args:
        auth: What `auth_for` returned.
        base: The API's base address.
        options: Further arguments of `httpx.Client`.
    """
    inner, transport, rest = _split(dict(options))
    settings = {"base_url": base.url, "follow_redirects": True, **rest, "auth": _Guard(auth)}
    return httpx.Client(transport=_SigningTransport(auth, base, inner, transport), **settings)


def signed_async_client(auth: Any, base: TokenBase, options: dict[str, Any]) -> httpx.AsyncClient:
    """
    Return an async httpx client for an API: its base address is set, every hop is signed, redirects are followed.

    Args:
        auth: What `auth_for` returned.
        base: The API's base address.
        options: Further arguments of `httpx.AsyncClient`.
    """
    inner, transport, rest = _split(dict(options))
    settings = {"base_url": base.url, "follow_redirects": True, **rest, "auth": _Guard(auth)}
    return httpx.AsyncClient(transport=_AsyncSigningTransport(auth, base, inner, transport), **settings)
