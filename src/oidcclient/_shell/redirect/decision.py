"""
What to do with a request: a pure function of the request, what is expected, and whether the answer has come already.

No sockets, no clock, no threads. Only `state` is checked here, to tell our own sign-in from others; `iss`, `error` and
all else belong to the flow, which sees every parameter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hmac import compare_digest

from .forms import parse_form
from .wire import Request

__all__ = [
    "PATIENT",
    "Accept",
    "AwaitResult",
    "Decision",
    "Empty",
    "Expected",
    "NoAnswer",
    "NotOurs",
    "ServeDone",
    "ServeStart",
    "decide",
]

BAD_REQUEST = 400
FORBIDDEN = 403
NOT_FOUND = 404
METHOD_NOT_ALLOWED = 405
UNSUPPORTED_MEDIA_TYPE = 415
MISDIRECTED_REQUEST = 421
SERVICE_UNAVAILABLE = 503

PATIENT = "wait"  # the query with which the page that says "finishing" asks for the result
_FORM = "application/x-www-form-urlencoded"
# How browsers announce that nobody has asked for the page yet: today's field first, then those of older ones.
_AHEAD_OF_TIME = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_NOT_ASKED_FOR = ("prefetch", "prerender", "preview")
# Fetch Metadata: what each field says when a person goes to a page in a tab of their own. Absence is tolerated.
_NAVIGATION = (("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document"))


@dataclass(frozen=True, slots=True)
class Expected:
    """
    What this wait is for.

    Args:
        state: The `state` of our request.
        path: The path of the redirect URI.
        addresses: Every `Host` that is ours, with the redirect URI as it reads for who came by that name.
        form_post: Whether `response_mode=form_post` was asked for.
        start_path: Our own address that sends a browser on.
        done_path: Where the result is shown.
    """

    state: str = field(repr=False)
    path: str
    addresses: tuple[tuple[str, str], ...]
    form_post: bool
    start_path: str = field(repr=False)
    done_path: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Empty:
    """
    Answer with a status and no content; the wait goes on.

    Args:
        status: The HTTP status.
        allow: The methods for `Allow`, where the method was wrong.
    """

    status: int
    allow: str = ""


@dataclass(frozen=True, slots=True)
class ServeStart:
    """Have the flow name the provider's address, and send the browser there."""


@dataclass(frozen=True, slots=True)
class Accept:
    """
    The response that was waited for. The first one wins.

    Args:
        parameters: Every name and value, in order.
        redirect_uri: The redirect URI on which it came.
    """

    parameters: tuple[tuple[str, str], ...] = field(repr=False)
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class AwaitResult:
    """The response is in already: show the same result, exchange nothing again."""


@dataclass(frozen=True, slots=True)
class NotOurs:
    """
    A response, but not to the sign-in that is waited for: count it and keep waiting.

    Args:
        rule: What told it apart.
    """

    rule: str


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The redirect URI without a query: a fragment stayed in the browser, or somebody looks. Counted like NotOurs."""


@dataclass(frozen=True, slots=True)
class ServeDone:
    """
    Show the result, or that it is still being worked on.

    Args:
        patient: Whether the browser shows already that it is worked on, and waits for no less than the result.
    """

    patient: bool = False


Decision = Empty | ServeStart | Accept | AwaitResult | NotOurs | NoAnswer | ServeDone


def decide(request: Request, expected: Expected, *, accepted: bool) -> Decision:
    """
    Say what to do with a request.

    Args:
        request: Any request.
        expected: What this wait is for.
        accepted: Whether the response was accepted already.
    """
    hosts = request.values("host")
    if len(hosts) != 1:
        return Empty(BAD_REQUEST)  # RFC 9112 section 3.2
    redirect_uri = dict(expected.addresses).get(hosts[0])
    if redirect_uri is None:
        return Empty(MISDIRECTED_REQUEST)  # RFC 9110 section 15.5.20; a name rebound to loopback (DNS rebinding)
    if request.path == expected.path:
        return _check_manners(request, post=expected.form_post) or _decide_callback(
            request, expected, redirect_uri, accepted=accepted
        )
    if _same(request.path, expected.start_path):
        return _check_manners(request) or (AwaitResult() if accepted else ServeStart())
    if accepted and _same(request.path, expected.done_path):
        return _check_manners(request) or ServeDone(patient=request.query == PATIENT)
    return Empty(NOT_FOUND)  # favicon.ico and all else


def _check_manners(request: Request, *, post: bool = False) -> Empty | None:
    """Refuse what is not a person's own visit: prefetches, HEAD, preflights, and requests that a page makes."""
    purposes = [value.lower() for name in _AHEAD_OF_TIME for value in request.values(name)]
    if request.method == "HEAD" or any(word in purpose for word in _NOT_ASKED_FOR for purpose in purposes):
        return Empty(SERVICE_UNAVAILABLE)  # never consumes the code; a browser then asks again when it means it
    if request.method != "GET" and not (post and request.method == "POST"):
        return Empty(METHOD_NOT_ALLOWED, allow="GET, POST" if post else "GET")  # an OPTIONS preflight ends here as well
    if any(value != wanted for name, wanted in _NAVIGATION for value in request.values(name)):
        return Empty(FORBIDDEN)  # W3C Fetch Metadata: an <img>, an iframe, a fetch()
    return None


def _decide_callback(request: Request, expected: Expected, redirect_uri: str, *, accepted: bool) -> Decision:
    if request.method == "POST":
        media_types = [value.partition(";")[0].strip().lower() for value in request.values("content-type")]
        if media_types != [_FORM]:
            return Empty(UNSUPPORTED_MEDIA_TYPE)  # OAuth 2.0 Form Post Response Mode section 2
        if request.query is not None:
            return NotOurs("query")  # two places for parameters are one too many
        encoded = request.body
    else:
        if not request.query:
            return NoAnswer()
        encoded = request.query.encode()
    parameters = parse_form(encoded)
    if parameters is None:
        return NotOurs("encoding")
    states = [value for name, value in parameters if name == "state"]
    # RFC 6749 section 10.12; section 3.1: parameters MUST NOT be included more than once.
    if len(states) != 1 or not _same(states[0], expected.state):
        return NotOurs("state")
    return AwaitResult() if accepted else Accept(parameters, redirect_uri)


def _same(received: str, wanted: str) -> bool:
    return compare_digest(received.encode(), wanted.encode())
