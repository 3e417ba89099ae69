"""Waiting for a flight: in a thread so that Ctrl-C works, in a task so that the loop goes on."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["wait_for", "wait_for_async"]

T = TypeVar("T")
SLICE = 0.2  # seconds: on Windows an uninterrupted wait does not notice Ctrl-C


def wait_for(future: Future[T], timeout: float | None = None) -> T:
    """
    Block until the future is done, and return its result.

    Args:
        future: The future.
        timeout: The longest to wait, in seconds.

    Raises:
        TimeoutError: It is not done by then.
    """
    deadline = float("inf") if timeout is None else time.monotonic() + timeout
    while not future.done():
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        with suppress(TimeoutError):
            future.exception(min(SLICE, left))
    return _fresh(future)


async def wait_for_async(future: Future[T]) -> T:
    """Wait in the event loop, asyncio's or trio's, until the future is done. Cancelling leaves the future alone."""
    import anyio  # noqa: PLC0415 - keeps sync programs free of it
    from anyio.lowlevel import current_token  # noqa: PLC0415 - keeps sync programs free of it

    done, loop = anyio.Event(), current_token().native_token
    # Neither waits for the loop: one that stands still, or is gone, must not keep the refresh from telling others.
    call = loop.call_soon_threadsafe if hasattr(loop, "call_soon_threadsafe") else loop.run_sync_soon  # type: ignore[attr-defined] # one of asyncio's, one of trio's

    def wake(_future: Future[T]) -> None:
        with suppress(RuntimeError):  # the loop that waited is closed; trio's RunFinishedError is one too
            call(done.set)

    future.add_done_callback(wake)
    await done.wait()
    return _fresh(future)


def _fresh(future: Future[T]) -> T:
    """Return the result, or raise the error without the traceback that other waiters have added to it."""
    error = future.exception()
    if error is not None:
        raise error.with_traceback(None)
    return future.result()
