"""Waiting in a thread, in a way that can be ended at once."""

from __future__ import annotations

import time
from contextlib import suppress
from queue import Empty, SimpleQueue

from oidcclient._words.errors import LoginCancelled

__all__ = ["CancellablePause"]

SLICE = 0.2  # seconds: on Windows an uninterrupted wait does not notice Ctrl-C


class CancellablePause:
    """Let time pass; implements `Pause`. The queue is written in C: Ctrl-C leaves no lock behind."""

    def __init__(self) -> None:
        self._wakeups: SimpleQueue[None] = SimpleQueue()
        self._cancelled = False

    def wait(self, seconds: float) -> None:
        """
        Block for `seconds`.

        Raises:
            LoginCancelled: `cancel` was called, now or before.
        """
        deadline = time.monotonic() + seconds
        while not self._cancelled:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            with suppress(Empty):
                self._wakeups.get(timeout=min(SLICE, left))
        raise LoginCancelled("the sign-in was stopped while it waited for the person")

    def cancel(self) -> None:
        """Make `wait` raise LoginCancelled at once; may be called from any thread."""
        self._cancelled = True
        self._wakeups.put(None)
