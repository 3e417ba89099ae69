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
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from oidcclient._words.effects import Run, Sleep
from oidcclient._words.errors import UsageError
from oidcclient._words.values import AccessToken
from oidcclient.protocol import TokenBase, parse_challenges

from .through_hooks import SEND, Beside, Step, as_it_is, check_replayable, hooked, seen
from .waiting import wait_for, wait_for_async

if TYPE_CHECKING:
    from .refresher import Flight
    from .source import TokenSource

__all__ = ["auth_for"]

_UNAUTHORIZED = 401
MOST_COVERED = 64
QUIET_SECONDS = 60.0  # how long an API that refuses fresh tokens causes no further refresh


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
                elif isinstance(step, Beside):
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
                elif isinstance(step, Beside):
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
            check_replayable(request)
            response = yield from self._signed(request, url, token)
            self._check_signed_for(response)
            if _wants_another(response):  # it refuses fresh tokens too: another one will not help for a while
                self._quiet_until = time.monotonic() + QUIET_SECONDS

    def _signed(self, request: Any, url: str, token: AccessToken) -> Generator[Step, Any, Any]:
        hooks = self._source.hooks()
        if hooks is None:
            request.headers["Authorization"] = f"{token.type} {token.value}"
            return as_it_is()
        return hooked(hooks, request, url, token)

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


def _wants_another(response: Any) -> bool:
    """Whether the API says that the token is no good any more (RFC 6750 section 3.1)."""
    if response.status_code != _UNAUTHORIZED:
        return False
    return any(challenge.parameters.get("error") == "invalid_token" for challenge in parse_challenges(seen(response)))


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
