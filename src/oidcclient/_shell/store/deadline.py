"""A call that may hang, with a time limit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from oidcclient._words.errors import StoreError

__all__ = ["within"]

T = TypeVar("T")


class _Outcome(Generic[T]):
    """What became of the call."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self.values: list[T] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.values.append(self._call())
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that waits
            self.error = error


def within(call: Callable[[], T], *, seconds: float, subject: str) -> T:
    """
    Return what a call returns, unless it takes too long; it is then left to itself in a thread that holds up nobody.

    Args:
        call: What to do.
        seconds: For how long to wait.
        subject: Who does not answer then.

    Raises:
        StoreError: It took too long.
    """
    outcome = _Outcome(call)
    thread = threading.Thread(target=outcome.run, name="oidcclient-keyring", daemon=True)
    thread.start()
    thread.join(seconds)
    if outcome.error is not None:
        raise outcome.error
    if not outcome.values:
        raise StoreError(
            f"{subject} did not answer within {seconds:g} s",
            hint="Unlock the keyring and try again, or pass timeout=; or use FileStore(...), whose key lies in a file.",
            rule="timeout",
            expected=f"within {seconds:g} s",
        )
    return outcome.values[0]
