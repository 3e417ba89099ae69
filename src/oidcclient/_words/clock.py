"""Where the time comes from."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Clock"]


class Clock(Protocol):
    """Tell the time: what a calendar shows, and what only ever runs forward."""

    def now(self) -> float:
        """Return Unix seconds."""
        ...

    def ticks(self) -> float:
        """Return seconds since some moment, never set back."""
        ...
