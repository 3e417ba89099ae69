"""
Protecting an ASGI application: any server, any framework, on asyncio or trio.

The request's claims are in its scope: `verified_request(scope)`. WebSocket handshakes are checked as the GET requests
that they are (RFC 6455 section 4.1), with the address of the API, https; a page in a browser cannot make one, since it
cannot set headers there. `lifespan` and whatever else servers send goes through.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from typing import Any
from urllib.parse import quote

from .resource.answers import AccessRefused, Answer, Headers, merged
from .resource.credentials import ApiRequest
from .resource.needs import ANY_TOKEN, Needs, Route
from .resource.resource import ProtectedResource
from .resource.verified import VerifiedRequest

__all__ = ["KEY", "THROUGH", "DPoPMiddleware", "api_request", "verified_request"]

KEY = "oidcclient_dpop"
"""Where a scope holds its `VerifiedRequest`."""
THROUGH = "oidcclient_dpop.through"
"""Where it holds the `ProtectedResource` whose middleware it came through, and Starlette's application around that."""

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_STARTS = {"http.response.start", "websocket.accept", "websocket.http.response.start", "websocket.close"}
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
    return _read(scope)[0]


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
        kind = scope["type"]
        if kind not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        request, origin, preflight = _read(scope)
        reply = _Reply(send, self._resource, scope, origin)
        root: str = scope.get("root_path", "").rstrip("/")
        if kind == "http":
            answer = self._resource.own_answer(_at_root(request, root), origin=origin, preflight=preflight)
            if answer is not None:
                await reply.answer(answer)
                return
        verified = None
        try:
            needs = self._resource.needs_of(request, _path(scope["path"], root), self._routes, self._default)
            if needs is not None:
                verified = await self._resource.check_async(request, needs)
            through = self._resource, scope.get("app")
            await self._app({**scope, KEY: verified, THROUGH: through}, receive, reply.send)
        except AccessRefused as refused:
            if reply.started:
                raise
            if kind == "websocket" and verified is None:
                await receive()  # websocket.connect
            await reply.answer(refused.answer)


class _Reply:
    """One answer on its way to the client."""

    __slots__ = ("_origin", "_resource", "_scope", "_send", "started")

    def __init__(self, send: Send, resource: ProtectedResource, scope: Scope, origin: str | None) -> None:
        self._send = send
        self._resource = resource
        self._scope = scope
        self._origin = origin
        self.started = False

    def send(self, message: Message) -> Awaitable[None]:
        """Send the application's answer, with what all answers carry."""
        if not self.started and message["type"] in _STARTS:
            self.started = True
            more = (*self._resource.nonce_headers(), *self._resource.page_headers(self._origin))
            if more and message["type"] != "websocket.close":
                message = {**message, "headers": _with(message.get("headers", ()), more)}
        return self._send(message)

    async def answer(self, answer: Answer) -> None:
        """Send an answer in the application's place."""
        kind = "http.response"
        if self._scope["type"] == "websocket":
            kind = _DENIAL
            if _DENIAL not in (self._scope.get("extensions") or {}):
                await self._send({"type": "websocket.close", "code": 1008})  # not accepted yet: the server says 403
                return
        headers = _encoded(merged(answer.headers, self._resource.page_headers(self._origin)))
        await self._send({"type": f"{kind}.start", "status": answer.status, "headers": headers})
        await self._send({"type": f"{kind}.body", "body": answer.body})


def _with(headers: Iterable[tuple[bytes, bytes]], more: Headers) -> list[tuple[bytes, bytes]]:
    return _encoded(merged([(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers], more))


def _encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def _read(scope: Scope) -> tuple[ApiRequest, str | None, bool]:
    """Return a request, the origin of the page it comes from, and whether it may be a preflight."""
    authorization: tuple[str, ...] = ()
    proofs: tuple[str, ...] = ()
    origin, preflight = None, False
    for name, value in scope["headers"]:  # names are in lower case, says ASGI
        if name == b"dpop":
            proofs += (value.decode("latin-1"),)
        elif name == b"authorization":
            authorization += (value.decode("latin-1"),)
        elif name == b"origin":
            origin = value.decode("latin-1")
        elif name == b"access-control-request-method":
            preflight = True
    # ASGI: raw_path may be missing; then what the client had encoded can only be guessed.
    raw_path = scope.get("raw_path")
    path = quote(scope["path"], safe=_UNRESERVED) if raw_path is None else raw_path.decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    method = scope.get("method", "GET")  # a WebSocket's has none
    return ApiRequest(method, path, authorization, proofs, query), origin, preflight


def _at_root(request: ApiRequest, root: str) -> ApiRequest:
    """Take off what a server puts before each path: the metadata is at the root (RFC 9728 section 3.1)."""
    return request._replace(raw_path=request.raw_path.removeprefix(root)) if root else request


def _path(path: str, root: str) -> str:
    """Return the path as the application's routes see it: decoded, and without where it is mounted."""
    if not root:
        return path
    return path[len(root) :] or "/" if path == root or path.startswith(f"{root}/") else path
