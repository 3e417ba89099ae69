"""One refresh at a time and for everybody, in a thread of its own: it runs to its end whoever leaves."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from os import getpid
from typing import TYPE_CHECKING

from oidcclient._words.effects import Flow
from oidcclient._words.errors import OidcError, TransportError
from oidcclient._words.record import RecordKey, SessionRecord

if TYPE_CHECKING:
    from concurrent.futures import Future

    from .http import Performs

    Flight = Future[SessionRecord]

__all__ = ["Refresher"]

EXIT_SECONDS = 5.0  # how long a program that ends waits for a refresh to be saved
QUIET_SECONDS = 30.0  # after an early refresh failed, how long until the next is tried while the old token is good


class Refresher:
    """
    Run the refreshes of one client.

    Everybody who needs the same token at the same time shares one flight. A flight is a thread: a caller that is
    cancelled, times out or is interrupted leaves it behind, and the rotated refresh token is saved all the same. A
    program that ends waits for its flights, five seconds at the most.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[tuple[RecordKey, str], Flight] = {}
        self._quiet: dict[tuple[RecordKey, str], tuple[float, TransportError | None]] = {}
        self._threads: set[threading.Thread] = set()
        self._pid = getpid()
        weakref.finalize(self, _wait_for, self._threads)  # at exit too, before daemon threads are ended

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

        place = (key, resource)
        with self._lock:
            if getpid() != self._pid:  # a fork: the parent's threads do not fly here
                self._pid = getpid()
                self._flights.clear()
                self._threads.clear()
            if place in self._flights:
                return self._flights[place]
            flight: Flight = Future()
            flight.set_running_or_notify_cancel()  # nobody can call it back
            thread = threading.Thread(
                target=self._run, args=(place, flight, flow, wire), daemon=True, name="oidcclient-refresh"
            )
            self._flights[place] = flight
            self._threads.add(thread)
            thread.start()
        return flight

    def _run(
        self,
        place: tuple[RecordKey, str],
        flight: Flight,
        flow: Callable[[], Flow[SessionRecord]],
        wire: Callable[[], Performs],
    ) -> None:
        from .drivers import drive  # noqa: PLC0415 - a cached token needs none of it

        result: SessionRecord | None = None
        fault: BaseException | None = None
        try:
            result = drive(flow(), wire)
        except BaseException as error:  # noqa: BLE001 - handed to those who wait
            fault = error
        with self._lock:
            del self._flights[place]
            self._note(place, fault)
        if result is not None:
            flight.set_result(result)
        else:
            flight.set_exception(fault)
        with self._lock:
            self._threads.discard(threading.current_thread())

    def _note(self, place: tuple[RecordKey, str], fault: BaseException | None) -> None:
        if not isinstance(fault, OidcError):
            self._quiet.pop(place, None)
            return
        asked = fault.retry_after if isinstance(fault, TransportError) else None
        until = time.monotonic() + (QUIET_SECONDS if asked is None else asked)
        self._quiet[place] = (until, fault if asked is not None and isinstance(fault, TransportError) else None)

    @property
    def busy(self) -> bool:
        """Whether a refresh is under way."""
        return bool(self._flights)

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
