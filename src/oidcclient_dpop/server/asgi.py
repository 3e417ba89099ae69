"""
Protecting an ASGI application: any server, any framework, on asyncio or trio.

The request's claims are in its scope: `verified_request(scope)`. WebSocket handshakes are checked as the GET requests
that they are (RFC 6455 section 4.1), with the address of the API, https; a page in a browser cannot make one, since it
cannot set headers there. `lifespan` and whatever else servers send goes through.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any
from urllib.parse import quote

from .resource.answers import AccessRefused, Answer, Headers, merged
from .resource.credentials import ApiRequest
from .resource.needs import ANY_TOKEN, Needs, Route, needs_of
from .resource.resource import ProtectedResource
from .resource.verified import VerifiedRequest

__all__ = ["KEY", "DPoPMiddleware", "api_request", "verified_request"]

KEY = "oidcclient_dpop"
"""Where a scope holds its `VerifiedRequest`."""

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_DENIAL = "websocket.http.response"  # the extension with which a handshake gets a whole answer
_UNRESERVED = "/:@!$&'()*+,;=~-._"  # RFC 3986 section 3.3: what a path has unencoded


def verified_request(scope: Scope) -> VerifiedRequest:
    """
    Return who may do what in this request.

    Raises:
        LookupError: Nobody checked it: its route is open to all, or there is no middleware.
    """
    found = scope.get(KEY)
    if not isinstance(found, VerifiedRequest):
        raise LookupError("this request was not checked")  # noqa: TRY004 - it is missing, not of a wrong type
    return found


def api_request(scope: Scope) -> ApiRequest:
    """Return what is looked at of a request."""
    authorization, proofs = [], []
    for name, value in scope["headers"]:  # names are in lower case, says ASGI
        if name == b"authorization":
            authorization.append(value.decode("latin-1"))
        elif name == b"dpop":
            proofs.append(value.decode("latin-1"))
    # ASGI: raw_path may be missing; then what the client had encoded can only be guessed.
    raw_path = scope.get("raw_path")
    return ApiRequest(
        scope.get("method", "GET"),  # a WebSocket's has none
        quote(scope["path"], safe=_UNRESERVED) if raw_path is None else raw_path.decode("latin-1"),
        tuple(authorization),
        tuple(proofs),
        scope["query_string"].decode("latin-1"),
    )


class DPoPMiddleware:
    """
    Lets only good requests through to an application, and answers the others.

    It also serves the API's metadata (RFC 9728), answers browsers' preflights if the resource has `cors`, and puts the
    nonce on every answer if it has `nonces`. An `AccessRefused` that the application raises becomes its answer.

    Args:
        app: The application.
        resource: What decides.
        routes: What requests need, by path; the first that covers a request counts.
        default: What all others need; None lets them through, for applications that check for themselves, as with
            `oidcclient_dpop.server.fastapi`.
    """

    def __init__(
        self,
        app: App,
        resource: ProtectedResource,
        *,
        routes: Sequence[Route] = (),
        default: Needs | None = ANY_TOKEN,
    ) -> None:
        self._app = app
        self._resource = resource
        self._routes = tuple(routes)
        self._default = default

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        origin, preflight = _page(scope)
        reply = _Reply(send, self._resource, scope, origin)
        request = api_request(scope)
        answer = None
        if scope["type"] == "http":
            answer = self._resource.own_answer(request, origin=origin, preflight=preflight)
        if answer is not None:
            await reply.answer(answer)
            return
        verified = None
        try:
            needs = needs_of(self._routes, self._default, request.method, _path(scope))
            if needs is not None:
                verified = await self._resource.check_async(request, needs)
            await self._app({**scope, KEY: verified}, receive, reply.send)
        except AccessRefused as refused:
            if reply.started:
                raise
            if scope["type"] == "websocket" and verified is None:
                await receive()  # websocket.connect
            await reply.answer(refused.answer)


class _Reply:
    """One answer on its way to the client."""

    def __init__(self, send: Send, resource: ProtectedResource, scope: Scope, origin: str | None) -> None:
        self._send = send
        self._resource = resource
        self._websocket = scope["type"] == "websocket"
        self._denial = _DENIAL in (scope.get("extensions") or {})
        self._origin = origin
        self.started = False

    async def send(self, message: Message) -> None:
        """Send the application's answer, with what all answers carry."""
        if not self.started:
            self.started = True
            if "headers" in message or message["type"] != "websocket.close":
                headers = (*self._resource.nonce_headers(), *self._resource.page_headers(self._origin))
                message = {**message, "headers": _with(message.get("headers", ()), headers)}
        await self._send(message)

    async def answer(self, answer: Answer) -> None:
        """Send an answer in the application's place."""
        if self._websocket and not self._denial:
            await self._send({"type": "websocket.close", "code": 1008})  # before it was accepted: the server says 403
            return
        kind = _DENIAL if self._websocket else "http.response"
        headers = _with(_encoded(answer.headers), self._resource.page_headers(self._origin))
        await self._send({"type": f"{kind}.start", "status": answer.status, "headers": headers})
        await self._send({"type": f"{kind}.body", "body": answer.body})


def _with(headers: Any, more: Headers) -> list[tuple[bytes, bytes]]:
    return list(headers) if not more else _encoded(merged(_decoded(headers), more))


def _decoded(headers: Any) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def _encoded(headers: Sequence[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def _page(scope: Scope) -> tuple[str | None, bool]:
    """Return the origin of the page a request comes from, and whether it may be a preflight."""
    origin, preflight = None, False
    for name, value in scope["headers"]:
        if name == b"origin":
            origin = value.decode("latin-1")
        elif name == b"access-control-request-method":
            preflight = True
    return origin, preflight


def _path(scope: Scope) -> str:
    """Return the path as the application's routes see it: decoded, and without where it is mounted."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    return path[len(root) :] or "/" if path == root or path.startswith(f"{root}/") else path
