"""
`session.auth(resource=)`: a fresh token on each request of an httpx or httpx2 client, sync or async.

httpx runs an `Auth` once per call, not once per redirect: it drops `Authorization` when a redirect leaves the origin,
and keeps it when it does not. `session.http()` signs every hop.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from oidcclient._words.effects import Flow, Run, Send, Sleep
from oidcclient._words.errors import UsageError
from oidcclient._words.http import HttpRequest, HttpResponse
from oidcclient._words.values import AccessToken
from oidcclient.hooks import ExchangeKind
from oidcclient.protocol import TokenBase, parse_challenges

from .waiting import wait_for, wait_for_async

if TYPE_CHECKING:
    from oidcclient._flows.exchange import BoundHooks

    from .refresher import Flight
    from .source import TokenSource

__all__ = ["auth_for"]

_UNAUTHORIZED = 401
_REFUSALS = 400  # and above
MOST_COVERED = 64
QUIET_SECONDS = 60.0  # how long an API that refuses fresh tokens causes no further refresh
_ONE_SHOT = frozenset({"IteratorByteStream", "AsyncIteratorByteStream", "UnattachedStream"})
_OF_A_BODY = frozenset(
    {"content-encoding", "content-length", "content-type", "expect", "if-match", "if-none-match", "transfer-encoding"}
)


class _Send(Enum):
    SEND = "send the request as it is now"


SEND = _Send.SEND


class _Beside(NamedTuple):
    """A request of a hook's own, which goes out before the program's: a stream has one chance."""

    request: Any


Step = Any  # SEND, or a request beside it, or an effect, or a flight to wait for


@lru_cache(maxsize=4)
def _auth_class(bases: tuple[type, ...]) -> type:
    """Build the class for whichever of httpx and httpx2 is loaded: each wants an instance of its own `Auth`."""
    return type("SessionAuth", (_SessionAuth, *bases), {})


def auth_for(source: TokenSource, resource: str) -> Any:
    """
    Return an auth object for the requests to an API.

    Args:
        source: Where tokens come from.
        resource: The API's base address; the token goes nowhere else.

    Raises:
        UsageError: `resource` is no such address.
    """
    base = TokenBase.parse(resource)
    loaded = [sys.modules[name] for name in ("httpx", "httpx2") if name in sys.modules]
    if not loaded:
        import httpx  # noqa: PLC0415 - the client to come is most likely this one

        loaded = [httpx]
    return _auth_class(tuple(module.Auth for module in loaded))(source, base)


class _SessionAuth:
    """Put a token on each request under the base; on a 401 that says `invalid_token`, renew it and try once more."""

    def __init__(self, source: TokenSource, base: TokenBase) -> None:
        self._source = source
        self._base = base
        self._quiet_until = 0.0
        self._covered: set[str] = (
            set()
        )  # addresses found to be under the base; most programs ask for few again and again

    def __repr__(self) -> str:
        return f"SessionAuth(resource={self._base.url!r})"

    def check(self, url: str) -> None:
        """
        Refuse an address that the token is not for.

        Raises:
            UsageError: It is not under the base.
        """
        if url in self._covered:
            return
        if not self._base.covers(url):
            raise UsageError(
                "this address is not under the resource that the token is for",
                rule="resource",
                section="RFC 6750 section 5.2",
                expected=self._base.url,
                received=url.partition("?")[0],
                hint="Use session.auth(resource=...) with the base address of the API that you call.",
            )
        if len(self._covered) >= MOST_COVERED:
            self._covered.clear()
        self._covered.add(url)

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        """Sign a request of a sync client."""
        steps = self._steps(request)
        try:
            step = next(steps)
            while True:
                if step is SEND:
                    response = yield request
                    step = steps.send(response)
                elif isinstance(step, _Beside):
                    response = yield step.request
                    step = steps.send(response)
                else:
                    self._check_thread()
                    step = _resume(steps, lambda step=step: _perform(step))  # type: ignore[misc] # a default has no type
        except StopIteration:
            return
        finally:
            steps.close()

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """Sign a request of an async client; whatever blocks happens off the event loop."""
        steps = self._steps(request)
        try:
            step = next(steps)
            while True:
                if step is SEND:
                    response = yield request
                    step = steps.send(response)
                elif isinstance(step, _Beside):
                    response = yield step.request
                    step = steps.send(response)
                else:
                    step = await _resume_async(steps, step)
        except StopIteration:
            return
        finally:
            steps.close()

    def _check_thread(self) -> None:
        """
        Refuse to block the event loop that the refresh itself needs: each would wait for the other.

        Raises:
            UsageError: This is that loop's thread.
        """
        if self._source.loop_thread == threading.get_ident():
            raise UsageError(
                "a sync client in a coroutine cannot wait for a refresh that needs the event loop",
                rule="event loop",
                hint="Use an async client with this session, or call the sync one in a thread.",
            )

    def _steps(self, request: Any) -> Generator[Step, Any, None]:
        """One request, written once: what to do, in order, for both kinds of client."""
        url = str(request.url)
        self.check(url)
        token = self._source.ready()
        if token is None:
            token = self._source.of((yield self._source.fly(None)))
        response = yield from self._signed(request, url, token)
        if response.status_code != _UNAUTHORIZED:
            return
        self._check_signed_for(response)
        if _wants_another(response) and time.monotonic() >= self._quiet_until:
            token = self._source.of((yield self._source.fly(token.value, refused=True)))
            _check_replayable(request)
            response = yield from self._signed(request, url, token)
            self._check_signed_for(response)
            if _wants_another(response):  # it refuses fresh tokens too: another one will not help for a while
                self._quiet_until = time.monotonic() + QUIET_SECONDS

    def _signed(self, request: Any, url: str, token: AccessToken) -> Generator[Step, Any, Any]:
        hooks = self._source.hooks()
        if hooks is None:
            request.headers["Authorization"] = f"{token.type} {token.value}"
            return _as_it_is()
        return _hooked(hooks, request, url, token)

    def _check_signed_for(self, response: Any) -> None:
        """
        Refuse an answer that a redirect led to: what a hook added was for the first address alone.

        Raises:
            UsageError: The request was redirected and then refused.
        """
        hooks = self._source.hooks()
        refused = response.status_code == _UNAUTHORIZED and hooks is not None and hooks.binds
        if refused and any(one.has_redirect_location for one in response.history):
            raise UsageError(
                "the API redirected this request, and what it was signed with is for the first address alone",
                rule="redirect",
                section="RFC 9449 section 4.2",
                hint="Use session.http(resource=...), which signs every hop, or a client that follows no redirects.",
            )


def _as_it_is() -> Generator[Step, Any, Any]:
    return (yield SEND)


def _hooked(hooks: BoundHooks, request: Any, url: str, token: AccessToken) -> Generator[Step, Any, Any]:
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
                    beside = yield _Beside(beside_request)
                    effect = flow.send(_seen(_own(beside, beside_request)))
                    continue
                if first is not None:
                    response, first = first, None
                else:
                    if response is not None:
                        _check_replayable(request)
                    for name, value in effect.request.headers:
                        request.headers[name] = value
                    response = yield SEND
                effect = flow.send(_seen(_own(response, request)))
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


def _seen(response: Any) -> HttpResponse:
    """Show hooks the status and the headers; the body is the program's and may be a stream."""
    headers = tuple([(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw])
    return HttpResponse(response.status_code, headers)


def _wants_another(response: Any) -> bool:
    """Whether the API says that the token is no good any more (RFC 6750 section 3.1)."""
    if response.status_code != _UNAUTHORIZED:
        return False
    return any(challenge.parameters.get("error") == "invalid_token" for challenge in parse_challenges(_seen(response)))


def _check_replayable(request: Any) -> None:
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


def _perform(step: Run | Sleep | Flight) -> Any:
    match step:
        case Run(call):
            return call()
        case Sleep(seconds):
            return time.sleep(seconds)
        case flight:
            return wait_for(flight)


async def _perform_async(step: Run | Sleep | Flight) -> Any:
    import anyio  # noqa: PLC0415 - keeps sync programs free of it

    match step:
        case Run(call):
            return await anyio.to_thread.run_sync(call)
        case Sleep(seconds):
            return await anyio.sleep(seconds)
        case flight:
            return await wait_for_async(flight)


def _resume(steps: Generator[Step, Any, None], perform: Callable[[], Any]) -> Step:
    try:
        result = perform()
    except BaseException as error:  # noqa: BLE001 - it belongs to the steps
        return steps.throw(error)
    return steps.send(result)


async def _resume_async(steps: Generator[Step, Any, None], step: Any) -> Step:
    try:
        result = await _perform_async(step)
    except BaseException as error:  # noqa: BLE001 - it belongs to the steps
        return steps.throw(error)
    return steps.send(result)
