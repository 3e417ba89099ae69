"""
What a flow may ask of the world: send a request, run a blocking call, sleep.

A flow is a plain generator that yields only these three and returns its result. It does no I/O, so one flow serves sync
and async programs alike, and a test steps through it by hand. Flows yield through `send`, `run` and `sleep` alone:
`yield from` keeps the type of what comes back, a bare `yield` would lose it. Never yield within a `finally`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, TypeVar

from .value import dataclass, field

if TYPE_CHECKING:
    from .http import HttpRequest, HttpResponse

__all__ = ["Effect", "Flow", "Run", "Send", "Sleep", "run", "send", "sleep"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Send:
    """Perform one HTTP request; redirects are not followed."""

    request: HttpRequest


@dataclass(frozen=True, slots=True)
class Run:
    """
    Call something that blocks: a keyring, a lock, a signature in hardware, the wait for a browser.

    Args:
        call: Takes nothing; what it returns or raises comes back into the flow.
        waits: Whether it may block for minutes, waiting for a person. Such calls get threads of their own.
    """

    call: Callable[[], Any] = field(repr=False)  # what it is called with may be secret
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Sleep:
    """Let time pass, in seconds."""

    seconds: float


Effect = Send | Run | Sleep
Flow = Generator[Effect, Any, T]


def send(request: HttpRequest) -> Flow[HttpResponse]:
    """Send a request and return the answer, whatever its status."""
    response: HttpResponse = yield Send(request)
    return response


def run(call: Callable[[], T], *, waits: bool = False) -> Flow[T]:
    """Run a blocking call and return what it returns."""
    result: T = yield Run(call, waits)
    return result


def sleep(seconds: float) -> Flow[None]:
    """Let `seconds` pass."""
    yield Sleep(seconds)
