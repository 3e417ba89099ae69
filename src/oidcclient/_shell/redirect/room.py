"""Where connections and the flow meet: what has come, what came of it, and who still waits for that."""

from __future__ import annotations

import itertools
import threading
import time
from queue import Empty, SimpleQueue

from oidcclient._words.errors import CallbackRefused, LoginCancelled
from oidcclient._words.receiver import CallbackArrived, LoginOutcome, StartRequested

from .decision import Accept, Decision, Expected, NoAnswer, NotOurs, decide
from .limits import Limits
from .wire import Request

__all__ = ["Ticket", "WaitingRoom"]


class Ticket:
    """A browser at our start address, waiting to be sent on."""

    def __init__(self) -> None:
        self.address: str | None = None
        self.answered = threading.Event()


class WaitingRoom:
    """
    The state of one wait, shared by the flow's thread and one thread per connection.

    The lock is held for a few lines at a time and never while anything waits. The flow's thread waits on a queue that
    is written in C, and in short slices, so that Ctrl-C is noticed at once on Windows too and leaves no lock behind.
    """

    def __init__(self, expected: Expected, limits: Limits) -> None:
        self.expected = expected
        self.limits = limits
        self.outcome: LoginOutcome | None = None
        self.settled = threading.Event()  # the outcome is known, or nobody will ever know it
        self._fetched = threading.Event()
        self._lock = threading.Lock()
        self._events: SimpleQueue[StartRequested | CallbackArrived | None] = SimpleQueue()
        self._tickets: dict[int, Ticket] = {}
        self._numbers = itertools.count(1)
        self._accepted = False
        self._wrong = 0
        self._cancelled = False
        self._closed = False

    def judge(self, request: Request) -> Decision:
        """Decide on a request and take its effect on the wait, both in one step: of two valid callbacks one wins."""
        with self._lock:
            decision = decide(request, self.expected, accepted=self._accepted)
            if isinstance(decision, Accept):
                self._accepted = True
                self._events.put(CallbackArrived(decision.parameters, decision.redirect_uri))
            elif isinstance(decision, NotOurs | NoAnswer) and not self._accepted:
                self._wrong += 1
                self._events.put(None)  # wakes `wait`, which counts
        return decision

    def wait(self, seconds: float) -> StartRequested | CallbackArrived | None:
        """Give the next event to the flow, or None when `seconds` are over."""
        deadline = time.monotonic() + seconds
        while True:
            self._check_going_on()
            left = deadline - time.monotonic()
            try:
                event = self._events.get(timeout=max(0.0, min(self.limits.slice_seconds, left)))
            except Empty:
                if left <= 0:
                    return None
                continue
            if event is not None:
                self._check_going_on()
                return event

    def _check_going_on(self) -> None:
        if self._cancelled or self._closed:
            raise LoginCancelled("the sign-in was stopped while it waited for the browser")
        if self._wrong >= self.limits.wrong_answers:
            raise CallbackRefused(
                f"{self._wrong} responses came that do not belong to this sign-in",
                hint="Close old sign-in tabs and start again; if it happens again, another program or page is sending "
                "forged responses to this machine.",
                rule="state",
                section="RFC 6749 section 10.12",
            )

    def ask_for_start(self) -> tuple[int, Ticket]:
        """Tell the flow that a browser waits at the start address."""
        ticket = Ticket()
        with self._lock:
            number = next(self._numbers)
            self._tickets[number] = ticket
            over = self._closed or self.outcome is not None
        if over:
            ticket.answered.set()
        self._events.put(StartRequested(number))
        return number, ticket

    def forget_start(self, number: int) -> None:
        """Let go of a browser at the start address, answered or not."""
        with self._lock:
            self._tickets.pop(number, None)

    def send_on(self, number: int, address: str | None) -> None:
        """Send the browser with that number to `address`; one that has gone is no error."""
        with self._lock:
            ticket = self._tickets.pop(number, None)
        if ticket is not None:
            ticket.address = address
            ticket.answered.set()

    def finish(self, outcome: LoginOutcome) -> None:
        """Make the result known, and wait a moment for the browser to fetch it, if one ever came with a response."""
        with self._lock:
            self.outcome = outcome
            accepted = self._accepted
            waiting = list(self._tickets.values())
            self._tickets.clear()
        self.settled.set()
        for ticket in waiting:
            ticket.answered.set()
        deadline = time.monotonic() + self.limits.result_seconds
        while accepted and not self._fetched.is_set() and time.monotonic() < deadline:
            self._fetched.wait(min(self.limits.slice_seconds, self.limits.result_seconds))

    def result_fetched(self) -> None:
        """Note that the browser has the result page."""
        self._fetched.set()

    def cancel(self) -> None:
        """Make `wait` raise LoginCancelled."""
        self._cancelled = True
        self._events.put(None)

    def close(self) -> None:
        """Wake everybody; who still waits for a result or an address gets a page that says the truth."""
        with self._lock:
            self._closed = True
            waiting = list(self._tickets.values())
            self._tickets.clear()
        self._events.put(None)
        self.settled.set()
        self._fetched.set()
        for ticket in waiting:
            ticket.answered.set()
