"""
A program's request, as a client of httpx or httpx2 makes it, on its way through the hooks.

What is done is written as steps, for sync and async clients alike.
"""

from __future__ import annotations

from collections.abc import Generator
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from oidcclient._words.effects import Flow, Send
from oidcclient._words.errors import UsageError
from oidcclient._words.http import HttpRequest, HttpResponse
from oidcclient._words.values import AccessToken
from oidcclient.hooks import ExchangeKind

if TYPE_CHECKING:
    from oidcclient._flows.exchange import BoundHooks

__all__ = ["SEND", "Beside", "Step", "as_it_is", "check_replayable", "hooked", "seen"]

_REFUSALS = 400  # and above
_ONE_SHOT = frozenset({"IteratorByteStream", "AsyncIteratorByteStream", "UnattachedStream"})
_OF_A_BODY = frozenset(
    {"content-encoding", "content-length", "content-type", "expect", "if-match", "if-none-match", "transfer-encoding"}
)


class _Send(Enum):
    SEND = "send the request as it is now"


SEND = _Send.SEND


class Beside(NamedTuple):
    """A request of a hook's own, which goes out before the program's: a stream has one chance."""

    request: Any


Step = Any  # SEND, or a request beside it, or an effect, or a flight to wait for


def as_it_is() -> Generator[Step, Any, Any]:
    """Send a request that no hook has a part in."""
    return (yield SEND)


def hooked(hooks: BoundHooks, request: Any, url: str, token: AccessToken) -> Generator[Step, Any, Any]:
    """Send a request with what the hooks add: signed at once where one can, else, and after a refusal, through all."""
    repeatable = not _is_one_shot(request)
    signed = response = None
    if hooks.signer is not None and repeatable:
        hook, context = hooks.signer
        signed = hook.sign(context, request.method, url, token)
        if signed is not None:
            for name, value in signed.headers:
                request.headers[name] = value
            response = yield SEND
            if response.status_code < _REFUSALS:
                hook.heard(context, signed, _own(response, request).headers.get_list)
                return response
    flow = hooks.exchange(
        ExchangeKind.RESOURCE,
        HttpRequest(request.method, url, (("Authorization", f"{token.type} {token.value}"),)),
        access_token=token.value,
        token_type=token.type,
        repeatable=repeatable,
        signed=signed,
    )
    return (yield from _through(flow, request, response))


def _through(flow: Flow[HttpResponse], request: Any, first: Any) -> Generator[Step, Any, Any]:
    """
    Run a request through the hooks: what they make of its headers goes out, the body stays the program's.

    Args:
        flow: What the hooks do.
        request: The program's request.
        first: The answer to it, where it has gone out already.
    """
    response: Any = None
    try:
        effect = next(flow)
        while True:
            if isinstance(effect, Send):
                if effect.request.method != request.method:
                    beside_request = _bare(request, effect.request)
                    beside = yield Beside(beside_request)
                    effect = flow.send(seen(_own(beside, beside_request)))
                    continue
                if first is not None:
                    response, first = first, None
                else:
                    if response is not None:
                        check_replayable(request)
                    for name, value in effect.request.headers:
                        request.headers[name] = value
                    response = yield SEND
                effect = flow.send(seen(_own(response, request)))
            else:
                try:
                    result = yield effect
                except BaseException as error:  # noqa: BLE001 - it belongs to the flow
                    effect = flow.throw(error)
                else:
                    effect = flow.send(result)
    except StopIteration:
        return response
    finally:
        flow.close()


def _bare(request: Any, own: HttpRequest) -> Any:
    """Return a hook's own request as one of the program's client: its headers and time limits, and no body."""
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _OF_A_BODY}
    return type(request)(
        own.method, request.url, headers={**headers, **dict(own.headers)}, extensions=dict(request.extensions)
    )


def _own(response: Any, request: Any) -> Any:
    """Return the answer to this very request; where the client followed a redirect, we get that of another server."""
    if response.request is request:
        return response
    return next((one for one in reversed(response.history) if one.request is request), response)


def seen(response: Any) -> HttpResponse:
    """Show hooks the status and the headers; the body is the program's and may be a stream."""
    headers = tuple([(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw])
    return HttpResponse(response.status_code, headers)


def check_replayable(request: Any) -> None:
    """
    Refuse to send a one-shot stream again: what is left of it would go out as the whole.

    Raises:
        UsageError: The body is such a stream.
    """
    if _is_one_shot(request):
        raise UsageError(
            "the API asked for this request with another token or proof, and its body is a stream that is used up",
            rule="stream",
            section="RFC 9110 section 9.2.2",
            hint="Make the request again: what it asked for is there now. A body given as bytes is repeated by itself.",
        )


def _is_one_shot(request: Any) -> bool:
    return type(request.stream).__name__ in _ONE_SHOT
