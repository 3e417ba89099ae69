"""Locks across processes. The system lets them go when their holder ends, however it ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from oidcclient._words.errors import StoreError

from .files import FILE_MODE

TYPE_CHECKING = False  # type checkers take it for typing.TYPE_CHECKING
if TYPE_CHECKING:
    from filelock import BaseFileLock

__all__ = ["POLL_S", "FileLocked", "locked", "still_locked", "try_lock"]

POLL_S = 0.01


class FileLocked:
    """A lock that was got, and is held until it is let go or its process ends."""

    def __init__(self, lock: BaseFileLock) -> None:
        self._lock: BaseFileLock | None = lock
        self._holder = os.getpid()

    def release(self) -> None:
        """Let go. Never raises; safe to call twice."""
        lock, self._lock = self._lock, None
        if lock is None or os.getpid() != self._holder:  # the child of a fork has no part in its parent's lock
            return
        with suppress(OSError):  # closing failed: the lock is gone with the process at the latest
            lock.release()


def try_lock(path: str) -> FileLocked | None:
    """
    Lock a file at once, against all other processes and threads, or return None if it is locked.

    Raises:
        OSError: The file cannot be made or locked.
    """
    from filelock import Timeout  # noqa: PLC0415 - reading needs no lock, and its import costs more than the reading

    lock = _new(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    return FileLocked(lock)


@contextmanager
def locked(path: str, *, timeout: float) -> Iterator[None]:
    """
    Hold a lock, and wait for it if need be. For what takes a moment.

    Args:
        path: The file to lock.
        timeout: For how long, in seconds.

    Raises:
        StoreError: Another process held it all the time.
        OSError: The file cannot be made or locked.
    """
    from filelock import Timeout  # noqa: PLC0415 - reading needs no lock, and its import costs more than the reading

    lock = _new(path)
    try:
        lock.acquire(timeout=timeout, poll_interval=POLL_S)
    except Timeout:
        raise still_locked(path, timeout) from None
    try:
        yield
    finally:
        with suppress(OSError):
            lock.release()


def still_locked(path: str, timeout: float) -> StoreError:
    """Return the error for a lock that another process held all the time."""
    return StoreError(
        f"another process holds {path}",
        hint="Look for a program that uses the store and hangs; ending it lets the lock go.",
        rule="lock",
        expected=f"within {timeout:g} s",
    )


def _new(path: str) -> BaseFileLock:
    from filelock import FileLock  # noqa: PLC0415 - reading needs no lock, and its import costs more than the reading

    # Never deleted: two processes could otherwise hold locks on two files of the same name. Never a soft lock: a
    # killed process would leave it locked.
    return FileLock(path, mode=FILE_MODE, thread_local=False, fallback_to_soft=False, preserve_lock_file=True)
