"""`session.http(resource=)`: a ready httpx client that signs every hop, so that redirects within the API work."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from oidcclient._words.errors import UsageError
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


class _Routes:
    """Which proxy leads where: the one given, or those that the environment names; loopback never goes through one."""

    def __init__(self, proxy: Any, *, trust_env: bool) -> None:
        self._proxy = proxy
        self._trust_env = trust_env

    def to(self, url: httpx.URL) -> Any:
        host = urlsplit(str(url)).hostname or ""
        if is_loopback(host):
            return None
        if self._proxy is not None or not self._trust_env or proxy_bypass(host):
            return self._proxy
        proxies = getproxies()
        return proxies.get(url.scheme) or proxies.get("all")


def _strip(request: httpx.Request) -> None:
    for name in _CREDENTIALS:
        request.headers.pop(name, None)


class _SigningTransport(httpx.BaseTransport):
    """Sign each request that lies under the base; let others pass without any credential."""

    def __init__(self, auth: Any, base: TokenBase, options: _Options) -> None:
        self._auth = auth
        self._base = base
        self._given: httpx.BaseTransport | None = options.inner
        self._options = options.transport
        self._choose = options.routes
        self._routes: dict[Any, httpx.BaseTransport] = {}

    def _inner(self, url: httpx.URL) -> httpx.BaseTransport:
        if self._given is not None:
            return self._given
        route = self._choose.to(url)
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
                response.close()  # unread: it may be without end

    def close(self) -> None:
        for transport in (*self._routes.values(), *([self._given] if self._given else [])):
            transport.close()


class _AsyncSigningTransport(httpx.AsyncBaseTransport):
    """The async twin."""

    def __init__(self, auth: Any, base: TokenBase, options: _Options) -> None:
        self._auth = auth
        self._base = base
        self._given: httpx.AsyncBaseTransport | None = options.inner
        self._options = options.transport
        self._choose = options.routes
        self._routes: dict[Any, httpx.AsyncBaseTransport] = {}

    def _inner(self, url: httpx.URL) -> httpx.AsyncBaseTransport:
        if self._given is not None:
            return self._given
        route = self._choose.to(url)
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
                await response.aclose()  # unread: it may be without end

    async def aclose(self) -> None:
        for transport in (*self._routes.values(), *([self._given] if self._given else [])):
            await transport.aclose()


_TRANSPORT_OPTIONS = ("verify", "http1", "http2", "limits", "local_address", "retries")


_NOT_OURS = ("auth", "mounts")  # what would go around the signing


@dataclass(frozen=True, slots=True)
class _Options:
    """What a program passes, sorted: its own transport, what a transport takes, what a client takes."""

    inner: Any
    transport: dict[str, Any]
    client: dict[str, Any]
    routes: _Routes

    @classmethod
    def sort(cls, options: dict[str, Any]) -> _Options:
        """
        Sort the options.

        Raises:
            UsageError: One of them would let requests go out unsigned.
        """
        refused = [name for name in _NOT_OURS if name in options]
        if refused:
            raise UsageError(
                f"session.http() takes no {' and no '.join(refused)}",
                rule=refused[0],
                hint="It signs every request itself; for a client of your own use session.auth(resource=...).",
            )
        rest = dict(options)
        routes = _Routes(rest.pop("proxy", None), trust_env=rest.get("trust_env", True))
        inner = rest.pop("transport", None)
        transport = {name: rest.pop(name) for name in _TRANSPORT_OPTIONS if name in rest}
        return cls(inner, transport, rest, routes)


def signed_client(auth: Any, base: TokenBase, options: dict[str, Any]) -> httpx.Client:
    """
    Return an httpx client for an API: its base address is set, every hop is signed, redirects are followed.

    Args:
        auth: What `auth_for` returned.
        base: The API's base address.
        options: Further arguments of `httpx.Client`.

    Raises:
        UsageError: One of them would let requests go out unsigned.
    """
    sorted_options = _Options.sort(options)
    settings = {"base_url": base.url, "follow_redirects": True, **sorted_options.client, "auth": _Guard(auth)}
    return httpx.Client(transport=_SigningTransport(auth, base, sorted_options), **settings)


def signed_async_client(auth: Any, base: TokenBase, options: dict[str, Any]) -> httpx.AsyncClient:
    """
    Return an async httpx client for an API: its base address is set, every hop is signed, redirects are followed.

    Args:
        auth: What `auth_for` returned.
        base: The API's base address.
        options: Further arguments of `httpx.AsyncClient`.

    Raises:
        UsageError: One of them would let requests go out unsigned.
    """
    sorted_options = _Options.sort(options)
    settings = {"base_url": base.url, "follow_redirects": True, **sorted_options.client, "auth": _Guard(auth)}
    return httpx.AsyncClient(transport=_AsyncSigningTransport(auth, base, sorted_options), **settings)
