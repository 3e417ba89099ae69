"""The provider's clock, which a test can move."""

import time


class Clock:
    """Unix time plus an offset; every decision of the provider and its API reads it."""

    def __init__(self) -> None:
        self.offset = 0.0  # seconds

    def now(self) -> float:
        """Return the provider's time in Unix seconds."""
        return time.time() + self.offset

    def move(self, seconds: float) -> None:
        """Move the clock forward, or back if `seconds` is negative."""
        self.offset += seconds
