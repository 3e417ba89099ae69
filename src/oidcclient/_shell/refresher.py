"""One refresh at a time and for everybody, in a thread of its own: it runs to its end whoever leaves."""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial
from os import getpid
from typing import TYPE_CHECKING

from oidcclient._words.effects import Flow
from oidcclient._words.errors import TransportError, UsageError
from oidcclient._words.record import RecordKey, SessionRecord

if TYPE_CHECKING:
    from concurrent.futures import Future

    from .http import Performs

    Flight = Future[SessionRecord]

__all__ = ["Refresher"]

EXIT_SECONDS = 5.0  # how long a program that ends waits for a refresh to be saved
LONGEST_QUIET = 600.0  # seconds: a Retry-After that asks for more is a mistake somewhere between
QUIET_SECONDS = 30.0  # after an early refresh failed, how long until the next is tried while the old token is good


class _Flights:
    """The flights of one process: the child of a fork has none of its parent's threads, and none of its locks."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.under_way: dict[tuple[RecordKey, str], Flight] = {}
        self.flyers: dict[tuple[RecordKey, str], threading.Thread] = {}
        self.threads: set[threading.Thread] = set()
        self._wait = partial(_wait_for, self.threads)
        weakref.finalize(self, atexit.unregister, self._wait).atexit = False

    def start(self, thread: threading.Thread) -> None:
        """
        Start the thread of a flight; the program does not end before it, for a while.

        What `atexit` was given last is called first. Connections are closed there too, by finalizers that all hang on
        what the first finalizer of the process registers: `__init__` has made one, so the wait comes before them.
        """
        self.threads.add(thread)
        atexit.unregister(self._wait)
        atexit.register(self._wait)
        thread.start()


class Refresher:
    """
    Run the refreshes of one client.

    Everybody who needs the same token at the same time shares one flight. A flight is a thread: a caller that is
    cancelled, times out or is interrupted leaves it behind, and the rotated refresh token is saved all the same. A
    program that ends waits for its flights, five seconds at the most.
    """

    def __init__(self) -> None:
        self._by_process = {getpid(): _Flights()}
        self._quiet: dict[tuple[RecordKey, str], tuple[float, TransportError | None]] = {}

    @property
    def _here(self) -> _Flights:
        flights = self._by_process.get(getpid())
        return self._by_process.setdefault(getpid(), _Flights()) if flights is None else flights

    def fly(
        self,
        key: RecordKey,
        resource: str,
        flow: Callable[[], Flow[SessionRecord]],
        wire: Callable[[], Performs],
    ) -> Flight:
        """
        Return the flight under way for this token, or start one.

        Args:
            key: Which session.
            resource: The resource indicator of the token.
            flow: Makes the refresh flow.
            wire: Makes what performs its requests.
        """
        from concurrent.futures import Future  # noqa: PLC0415 - it brings logging; a cached token needs none of it

        place, here = (key, resource), self._here
        with here.lock:
            if place in here.under_way:
                if here.flyers.get(place) is threading.current_thread():
                    raise UsageError(
                        "an event handler cannot wait for the refresh that it is told of",
                        rule="event handler",
                        hint="Use what the event says, and ask for the token elsewhere.",
                    )
                return here.under_way[place]
            flight: Flight = Future()
            flight.set_running_or_notify_cancel()  # nobody can call it back
            here.under_way[place] = flight
            run = partial(self._run, here, place, flight, flow, wire)
            here.flyers[place] = threading.Thread(target=run, daemon=True, name="oidcclient-refresh")
            try:
                here.start(here.flyers[place])
            except BaseException:  # no thread could be started: nobody must wait for it
                del here.under_way[place], here.flyers[place]
                raise
        return flight

    def _run(
        self,
        here: _Flights,
        place: tuple[RecordKey, str],
        flight: Flight,
        flow: Callable[[], Flow[SessionRecord]],
        wire: Callable[[], Performs],
    ) -> None:
        result: SessionRecord | None = None
        fault: BaseException | None = None
        try:
            from .drivers import drive  # noqa: PLC0415 - a cached token needs none of it

            result = drive(flow(), wire)
        except BaseException as error:  # noqa: BLE001 - handed to those who wait
            fault = error
        with here.lock:
            del here.under_way[place], here.flyers[place]
            self._note(place, fault)
        if result is not None:
            flight.set_result(result)
        else:
            flight.set_exception(fault)
        with here.lock:
            here.threads.discard(threading.current_thread())

    def _note(self, place: tuple[RecordKey, str], fault: BaseException | None) -> None:
        if fault is None:
            self._quiet.pop(place, None)
            return
        asked = fault.retry_after if isinstance(fault, TransportError) else None
        until = time.monotonic() + (QUIET_SECONDS if asked is None else min(asked, LONGEST_QUIET))
        self._quiet[place] = (until, fault if asked is not None and isinstance(fault, TransportError) else None)

    @property
    def flights(self) -> list[Flight]:
        """The refreshes under way."""
        here = self._here
        with here.lock:
            return list(here.under_way.values())

    @property
    def busy(self) -> bool:
        """Whether a refresh is under way."""
        return bool(self._here.under_way)

    def wants_quiet(self, key: RecordKey, resource: str) -> bool:
        """Tell whether the last refresh failed so lately that an early one is not worth a try."""
        until, _ = self._quiet.get((key, resource), (0.0, None))
        return time.monotonic() < until

    def check_retry_after(self, key: RecordKey, resource: str) -> None:
        """
        Keep to what the provider asked for with `Retry-After` (RFC 9110 section 10.2.3).

        Raises:
            TransportError: It is not time yet.
        """
        until, busy = self._quiet.get((key, resource), (0.0, None))
        left = until - time.monotonic()
        if busy is not None and left > 0:
            raise TransportError(
                "the provider asked to be left alone for a while",
                retry_after=left,
                status=busy.status,
                hint=f"Try again in {left:.0f} seconds.",
            )


def _wait_for(threads: set[threading.Thread]) -> None:
    deadline = time.monotonic() + EXIT_SECONDS
    for thread in list(threads):
        if thread is not threading.current_thread() and thread.is_alive():
            thread.join(max(0.0, deadline - time.monotonic()))
