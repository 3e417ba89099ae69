"""How long there is still time to sign in, on one line of a terminal that is written over again."""

from __future__ import annotations

import os
import sys
import threading
import time
from types import TracebackType
from typing import Self

from oidcclient import events

from .output import is_terminal

__all__ = ["Countdown"]

QUIET_S = 1.5  # after something else was said: more may follow at once
STEP_S = 10  # a line that changes each second disturbs those who have the screen read out to them
LAST_S = 10  # from here on each second counts
BEGIN = (events.SignInAddress, events.DeviceCodeShown)
END = (events.CallbackAccepted, events.TokenReceived, events.SignedIn)


class Countdown:
    """
    Show how much time is left, from the moment that the person can sign in.

    Args:
        seconds: How long there is time.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadline = 0.0
        self._lock = threading.Lock()
        self._drawn = False
        self._done = threading.Event()
        self._quiet_until = 0.0
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def event(self, event: events.Event) -> None:
        """Take what happens: what is said of it must find a clean line."""
        with self._lock:
            self._clear()
            self._quiet_until = time.monotonic() + QUIET_S
        if isinstance(event, END):
            self.stop()
        elif isinstance(event, BEGIN) and self._thread is None and _fits():
            self._deadline = time.monotonic() + self._seconds
            self._thread = threading.Thread(target=self._run, daemon=True, name="oidcclient-countdown")
            self._thread.start()

    def stop(self) -> None:
        """Show no more."""
        self._done.set()
        with self._lock:
            self._clear()

    def _run(self) -> None:
        while not self._done.wait(self._pause()):
            with self._lock:
                if not self._done.is_set() and time.monotonic() >= self._quiet_until:
                    self._draw()

    def _pause(self) -> float:
        now = time.monotonic()
        if now < self._quiet_until:
            return self._quiet_until - now
        left = self._deadline - now
        return left % STEP_S or STEP_S if left > LAST_S else max(left % 1, 0.05)

    def _draw(self) -> None:
        minutes, seconds = divmod(max(0, round(self._deadline - time.monotonic())), 60)
        # The cursor goes back to the line's beginning: whatever is written next takes its place.
        sys.stderr.write(f"\r\x1b[KWaiting: {minutes}:{seconds:02} left. Ctrl-C stops.\r")
        sys.stderr.flush()
        self._drawn = True

    def _clear(self) -> None:
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._drawn = False


def _fits() -> bool:
    return is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"
