"""Waiting for a flight: in a thread so that Ctrl-C works, in a task so that the loop goes on."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["wait_for", "wait_for_async"]

T = TypeVar("T")
SLICE = 0.2  # seconds: on Windows an uninterrupted wait does not notice Ctrl-C


def wait_for(future: Future[T]) -> T:
    """Block until the future is done, and return its result."""
    while not future.done():
        with suppress(TimeoutError):
            future.exception(SLICE)
    return _fresh(future)


async def wait_for_async(future: Future[T]) -> T:
    """Wait in the event loop, asyncio's or trio's, until the future is done. Cancelling leaves the future alone."""
    import anyio  # noqa: PLC0415 - keeps sync programs free of it
    from anyio import from_thread  # noqa: PLC0415 - likewise
    from anyio.lowlevel import current_token  # noqa: PLC0415 - likewise

    done, loop, home = anyio.Event(), current_token(), threading.get_ident()

    def wake(_future: Future[T]) -> None:
        if threading.get_ident() == home:  # it was done before we could ask to be told
            done.set()
            return
        with suppress(RuntimeError, anyio.RunFinishedError):  # the loop that waited may be gone by now
            from_thread.run_sync(done.set, token=loop)

    future.add_done_callback(wake)
    await done.wait()
    return _fresh(future)


def _fresh(future: Future[T]) -> T:
    """Return the result, or raise the error without the traceback that other waiters have added to it."""
    error = future.exception()
    if error is not None:
        raise error.with_traceback(None)
    return future.result()
