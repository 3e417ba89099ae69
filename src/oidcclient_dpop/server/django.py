"""
Protecting views of Django, with and without Django REST framework (see `rest_framework` beside this module for that).

    OIDCCLIENT_DPOP_RESOURCE = "project.api.resource"    # a ProtectedResource, or its dotted path
    MIDDLEWARE = ["oidcclient_dpop.server.django.DPoPMiddleware", ...]

    @protected(Needs(("profile",)))
    def me(request): ...  # verified_request(request).subject
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin
from django.utils.module_loading import import_string

from . import asgi, wsgi
from .resource.answers import NO_STORE, AccessRefused, Answer, Headers
from .resource.credentials import ApiRequest
from .resource.needs import ANY_TOKEN, Needs
from .resource.resource import ProtectedResource
from .resource.verified import VerifiedRequest

__all__ = [
    "REFUSED",
    "SETTING",
    "DPoPMiddleware",
    "api_request",
    "check",
    "check_async",
    "protected",
    "the_resource",
    "verified_request",
]

SETTING = "OIDCCLIENT_DPOP_RESOURCE"
_KEY = "oidcclient_dpop"
REFUSED = "oidcclient_dpop_refused"
"""What a request has whose refusal is not to be stored and does not say so itself."""


def the_resource() -> ProtectedResource:
    """Return the `ProtectedResource` of the settings."""
    named = getattr(settings, SETTING)
    found: ProtectedResource = import_string(named) if isinstance(named, str) else named
    return found


def verified_request(request: HttpRequest) -> VerifiedRequest:
    """
    Return who may do what in this request.

    Raises:
        LookupError: Nobody checked it.
    """
    found = getattr(request, _KEY, None)
    if not isinstance(found, VerifiedRequest):
        raise LookupError("this request was not checked")  # noqa: TRY004 - it is missing, not of a wrong type
    return found


def check(request: HttpRequest, needs: Needs = ANY_TOKEN) -> VerifiedRequest:
    """
    Check a request, its proof once however often it is asked.

    Raises:
        AccessRefused: It may not go on.
    """
    verified = getattr(request, _KEY, None)
    if isinstance(verified, VerifiedRequest):
        the_resource().check_needs(verified, needs)
        return verified
    verified = the_resource().check(api_request(request), needs)
    setattr(request, _KEY, verified)
    return verified


async def check_async(request: HttpRequest, needs: Needs = ANY_TOKEN) -> VerifiedRequest:
    """
    Check a request as `check` does, in a view that is a coroutine function.

    Raises:
        AccessRefused: It may not go on.
    """
    resource = the_resource()
    if not (hasattr(request, "scope") or resource.needs_event_loop):  # over WSGI each view has an event loop of its own
        verified: VerifiedRequest = await sync_to_async(check)(request, needs)
        return verified
    if getattr(request, _KEY, None) is None:
        setattr(request, _KEY, await resource.check_async(api_request(request), needs))
    return check(request, needs)


def protected(needs: Needs = ANY_TOKEN) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a view take only good requests; no cookie speaks for them, so Django's CSRF check is left out."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def run(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            check(request, needs)
            return view(request, *args, **kwargs)

        @wraps(view)
        async def run_async(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            await check_async(request, needs)
            return await view(request, *args, **kwargs)

        if iscoroutinefunction(view):
            run = run_async
        run.csrf_exempt = True  # type: ignore[attr-defined] # what Django's own decorator sets
        return run

    return decorate


class DPoPMiddleware(MiddlewareMixin):  # type: ignore[misc] # Django has no types
    """
    Gives the answers: to refusals, to preflights, for the metadata; and puts the nonce on all others.

    It checks nothing by itself: `protected` and `DPoPAuthentication` do.
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        """Answer what needs no token."""
        answer = the_resource().own_answer(
            api_request(request),
            origin=request.META.get("HTTP_ORIGIN"),
            preflight="HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.META,
        )
        return None if answer is None else _response(answer)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer a refusal."""
        del request
        return _response(exception.answer) if isinstance(exception, AccessRefused) else None

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Add what every answer carries."""
        resource = the_resource()
        if getattr(request, REFUSED, False):
            _add(response, (NO_STORE,))
        _add(response, (*resource.nonce_headers(), *resource.page_headers(request.META.get("HTTP_ORIGIN"))))
        return response


def _response(answer: Answer) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status)
    _add(response, answer.headers)
    return response


def _add(response: HttpResponse, headers: Headers) -> None:
    """Set headers; a name that comes twice is one field with a comma in Django (RFC 9110 section 5.3)."""
    together: dict[str, str] = {}
    for name, value in headers:
        together[name] = f"{together[name]}, {value}" if name in together else value
    for name, value in together.items():
        if name == "Vary" and response.has_header(name):
            response[name] = f"{response[name]}, {value}"
        else:
            response[name] = value


def api_request(request: HttpRequest) -> ApiRequest:
    """Return what is looked at of a request, from either kind of server."""
    scope = getattr(request, "scope", None)
    if scope is None:
        return wsgi.api_request(request.META)
    query = scope["query_string"]  # a text in Django's own test client
    return asgi.api_request({**scope, "query_string": query.encode() if isinstance(query, str) else query})
