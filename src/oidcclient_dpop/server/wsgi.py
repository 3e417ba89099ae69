"""
Protecting a WSGI application (PEP 3333).

The request's claims are in its environ: `verified_request(environ)`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from .resource.answers import AccessRefused, Answer, Headers, merged
from .resource.credentials import ApiRequest
from .resource.needs import ANY_TOKEN, Needs, Route
from .resource.resource import ProtectedResource
from .resource.verified import VerifiedRequest

__all__ = ["KEY", "DPoPMiddleware", "api_request", "verified_request"]

KEY = "oidcclient_dpop.request"
"""Where an environ holds its `VerifiedRequest`; PEP 3333 takes a name without a dot for one of CGI's texts."""

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
App = Callable[[Environ, StartResponse], Iterable[bytes]]

_UNRESERVED = "/:@!$&'()*+,;=~-._"  # RFC 3986 section 3.3: what a path has unencoded


def verified_request(environ: Mapping[str, Any]) -> VerifiedRequest:
    """
    Return who may do what in this request.

    Raises:
        LookupError: Nobody checked it: its route is open to all, or there is no middleware.
    """
    found = environ.get(KEY)
    if not isinstance(found, VerifiedRequest):
        raise LookupError("this request was not checked")  # noqa: TRY004 - it is missing, not of a wrong type
    return found


def api_request(environ: Mapping[str, Any]) -> ApiRequest:
    """Return what is looked at of a request. A field that came twice is one here, joined by a comma."""
    return ApiRequest(
        environ["REQUEST_METHOD"],
        _raw_path(environ),
        _values(environ, "HTTP_AUTHORIZATION"),
        _values(environ, "HTTP_DPOP"),
        environ.get("QUERY_STRING", ""),
    )


class DPoPMiddleware:
    """
    Lets only good requests through to an application, and answers the others.

    It also serves the API's metadata (RFC 9728), answers browsers' preflights if the resource has `cors`, and puts the
    nonce on every answer if it has `nonces`. An `AccessRefused` that the application raises when it is called becomes
    its answer.

    Args:
        app: The application.
        resource: What decides.
        routes: What requests need, by path; the first that covers a request counts.
        default: What all others need; None lets them through.

    Raises:
        ValueError: The resource has a replay cache for event loops.
    """

    def __init__(
        self,
        app: App,
        resource: ProtectedResource,
        *,
        routes: Sequence[Route] = (),
        default: Needs | None = ANY_TOKEN,
    ) -> None:
        if resource.needs_event_loop:
            raise ValueError("this resource's replay cache needs an event loop: take one that has none of it")
        self._app = app
        self._resource = resource
        self._routes = tuple(routes)
        self._default = default

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        request, origin = api_request(environ), environ.get("HTTP_ORIGIN")
        pages = self._resource.page_headers(origin)
        preflight = "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
        answer = self._resource.own_answer(request, origin=origin, preflight=preflight)
        if answer is not None:
            return _reply(request, answer, pages, start_response)

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Callable[[bytes], object]:
            return start_response(status, merged(headers, (*self._resource.nonce_headers(), *pages)), *error)

        try:
            needs = self._resource.needs_of(request, _path(environ), self._routes, self._default)
            verified = None if needs is None else self._resource.check(request, needs)
            return self._app({**environ, KEY: verified}, start)
        except AccessRefused as refused:
            return _reply(request, refused.answer, pages, start_response, sys.exc_info())


def _reply(
    request: ApiRequest, answer: Answer, pages: Headers, start_response: StartResponse, *error: Any
) -> Iterable[bytes]:
    """Answer in the application's place; with the error, if the application may have begun (PEP 3333)."""
    start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", merged(answer.headers, pages), *error)
    return [] if request.method == "HEAD" else [answer.body]  # RFC 9110 section 9.3.2; servers leave it to us


def _values(environ: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = environ.get(name)
    return () if value is None else (value,)


def _path(environ: Mapping[str, Any]) -> str:
    """Return the path as the application's routes see it: WSGI brings bytes as latin-1."""
    path: str = environ.get("PATH_INFO", "")
    return path.encode("latin-1").decode("utf-8", "replace") or "/"


def _raw_path(environ: Mapping[str, Any]) -> str:
    """
    Return the path as the client sent it.

    WSGI itself has it decoded only. Servers add `REQUEST_URI` (uWSGI, mod_wsgi, Werkzeug) or `RAW_URI` (Gunicorn);
    without either, what the client had encoded can only be guessed.
    """
    target: str | None = environ.get("REQUEST_URI") or environ.get("RAW_URI")
    if target is None:
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        return quote(path.encode("latin-1"), safe=_UNRESERVED) or "/"
    target = target.partition("?")[0]
    if target.startswith(("http://", "https://")):  # RFC 9112 section 3.2.2: the absolute form
        return "/" + target.partition("://")[2].partition("/")[2]
    return target
