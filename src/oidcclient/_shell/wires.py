"""A client's drivers and connections, made when they are first needed."""

from __future__ import annotations

import threading
from contextlib import suppress
from os import getpid
from typing import TYPE_CHECKING, TypeVar

from .refresher import EXIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from oidcclient._words.effects import Flow

    from .core import ClientCore
    from .http import AsyncWire, Performs, Wire

__all__ = ["AsyncWires", "Wires"]

T = TypeVar("T")


class Wires:
    """The driver and the connections of a sync client."""

    def __init__(self, core: ClientCore) -> None:
        self._core = core
        self._begin()

    def _begin(self) -> None:
        self._pid = getpid()
        self._lock = threading.Lock()
        self._wire: Wire | None = None

    def wire(self) -> Wire:
        """Return what performs requests."""
        if getpid() != self._pid:  # a fork: connections are the parent's, and a thread of it may have held the lock
            self._begin()
        with self._lock:
            if self._wire is None:
                from .http import Wire  # noqa: PLC0415 - a cached token sends nothing

                self._wire = Wire(self._core.http, self._core.policy.http_timeout)
            return self._wire

    def for_thread(self) -> Callable[[], Performs]:
        """Return what makes the wire of a refresh in a thread of its own."""
        return self.wire

    loop_thread: int | None = None  # a refresh of a sync client needs no event loop

    def drive(self, flow: Flow[T]) -> T:
        """Run a flow in this thread."""
        from .drivers import drive  # noqa: PLC0415 - small, and still not needed by `import oidcclient`

        return drive(flow, self.wire)

    def close(self) -> None:
        """
        Close all connections, except under a refresh: it runs to its end, or the rotated token would be lost.

        Its connections close when it lets go of them.
        """
        if getpid() != self._pid:
            self._begin()
        with self._lock:
            wire, self._wire = self._wire, None
        if wire is not None and not self._core.refresher.busy:
            wire.close()


class AsyncWires:
    """The driver and the connections of an async client."""

    def __init__(self, core: ClientCore) -> None:
        self._core = core
        self._wire: AsyncWire | None = None
        self._threads = Wires(core)

    def wire(self) -> AsyncWire:
        """Return what performs requests."""
        if self._wire is None:
            from .http import AsyncWire  # noqa: PLC0415 - a cached token sends nothing

            self._wire = AsyncWire(self._core.http, self._core.policy.http_timeout)
        return self._wire

    def for_thread(self) -> Callable[[], Performs]:
        """Return what makes the wire of a refresh: a sync one, or the program's own async transport on its loop."""
        if self._core.http.transport is None:
            return self._threads.wire
        from anyio.lowlevel import current_token  # noqa: PLC0415 - keeps sync programs free of it

        from .http import BridgedWire  # noqa: PLC0415 - keeps sync programs free of it

        wire, loop = self.wire(), current_token()
        bridged = BridgedWire(wire, loop)
        return lambda: bridged

    @property
    def loop_thread(self) -> int | None:
        """The thread whose event loop a refresh needs, if it needs one: that thread must not wait for it."""
        return None if self._core.http.transport is None else threading.get_ident()

    async def drive(self, flow: Flow[T]) -> T:
        """Run a flow in this task."""
        from .drivers import drive_async  # noqa: PLC0415 - keeps sync programs free of it

        return await drive_async(flow, self.wire)

    async def close(self) -> None:
        """
        Close all connections.

        A refresh that uses the program's own transport needs it until it ends: it is waited for, five seconds at most.
        """
        self._threads.close()
        if self._wire is None:
            return
        import anyio  # noqa: PLC0415 - loaded already

        from .waiting import wait_for_async  # noqa: PLC0415 - only where somebody waits for a refresh

        with anyio.CancelScope(shield=True, deadline=anyio.current_time() + EXIT_SECONDS):
            for flight in self._core.refresher.flights:
                with suppress(Exception):  # whoever asked for it is told
                    await wait_for_async(flight)
        await self._wire.close()
