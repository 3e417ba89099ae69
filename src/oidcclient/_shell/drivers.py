"""Performing a flow's effects: one driver for sync programs, one for asyncio and trio."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, assert_never

from oidcclient._words.effects import Effect, Flow, Run, Send, Sleep

if TYPE_CHECKING:
    from .http import AsyncWire, Performs

__all__ = ["drive", "drive_async"]

T = TypeVar("T")


def _perform(effect: Effect, wire: Callable[[], Performs]) -> Any:
    match effect:
        case Send(request):
            return wire().perform(request)
        case Run(call):
            return call()
        case Sleep(seconds):
            return time.sleep(seconds)
        case _:
            assert_never(effect)


def drive(flow: Flow[T], wire: Callable[[], Performs]) -> T:
    """
    Run a flow to its end in this thread.

    Args:
        flow: The flow; closed in any case.
        wire: Makes what performs its requests, when there is one.

    Raises:
        OidcError: Whatever the flow raises.
    """
    try:
        effect = next(flow)
        while True:
            try:
                result = _perform(effect, wire)
            except BaseException as error:  # noqa: BLE001 - all of them belong to the flow, Ctrl-C too
                effect = flow.throw(error)
            else:
                effect = flow.send(result)
    except StopIteration as stop:
        value: T = stop.value
        return value
    finally:
        flow.close()


async def _perform_async(effect: Effect, wire: Callable[[], AsyncWire]) -> Any:
    import anyio  # noqa: PLC0415 - keeps sync programs free of it

    match effect:
        case Send(request):
            return await wire().perform(request)
        case Run(call, waits):
            # A wait for a person may take minutes: it gets a thread of its own, so that sixty of them cannot starve
            # the pool that everything else needs. It is let go when the task is cancelled.
            limiter = anyio.CapacityLimiter(1) if waits else None
            return await anyio.to_thread.run_sync(call, abandon_on_cancel=waits, limiter=limiter)
        case Sleep(seconds):
            return await anyio.sleep(seconds)
        case _:
            assert_never(effect)


async def _perform_shielded(effect: Effect, wire: Callable[[], AsyncWire]) -> Any:
    import anyio  # noqa: PLC0415 - keeps sync programs free of it

    with anyio.CancelScope(shield=True):
        return await _perform_async(effect, wire)


async def drive_async(flow: Flow[T], wire: Callable[[], AsyncWire]) -> T:
    """
    Run a flow to its end in this task; blocking calls go to worker threads.

    What a flow does after it was cancelled, to tidy up, is done whole: else each step of it would be cancelled again.

    Args:
        flow: The flow; closed in any case.
        wire: Makes what performs its requests, when there is one.

    Raises:
        OidcError: Whatever the flow raises.
    """
    perform = _perform_async
    try:
        effect = next(flow)
        while True:
            try:
                result = await perform(effect, wire)
            except BaseException as error:  # noqa: BLE001 - all of them belong to the flow, cancellation too
                if not isinstance(error, Exception):
                    perform = _perform_shielded
                effect = flow.throw(error)
            else:
                effect = flow.send(result)
    except StopIteration as stop:
        value: T = stop.value
        return value
    finally:
        flow.close()
