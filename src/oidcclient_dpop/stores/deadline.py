"""A store that may hang, with a time limit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from oidcclient import KeyUnavailable
from oidcclient_dpop.keys import KeyStore, Protection, SigningKey

__all__ = ["TimeLimited", "within"]

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
        oidcclient.KeyUnavailable: It took too long.
    """
    outcome = _Outcome(call)
    thread = threading.Thread(target=outcome.run, name="oidcclient-key-store", daemon=True)
    thread.start()
    thread.join(seconds)
    if outcome.error is not None:
        raise outcome.error
    if not outcome.values:
        raise too_slow(subject, seconds)
    return outcome.values[0]


def too_slow(subject: str, seconds: float) -> KeyUnavailable:
    """Return the error for a store that does not answer in time."""
    return KeyUnavailable(
        f"{subject} did not answer within {seconds:g} s",
        hint="Look whether it waits for somebody (a PIN, a touch, a dialogue) or is in use, and try again.",
        rule="timeout",
        expected=f"within {seconds:g} s",
    )


class _TimeLimitedKey:
    """A key of such a store."""

    def __init__(self, key: SigningKey, seconds: float, subject: str) -> None:
        self._key = key
        self._seconds = seconds
        self._subject = subject
        self.alg = key.alg
        self.protection = key.protection
        self.blocks = key.blocks

    def __repr__(self) -> str:
        return f"TimeLimited({self._key!r})"

    def public_jwk(self) -> Mapping[str, str]:
        return self._key.public_jwk()

    def sign(self, message: bytes) -> bytes:
        if not self.blocks:
            return self._key.sign(message)
        return within(lambda: self._key.sign(message), seconds=self._seconds, subject=self._subject)


class TimeLimited:
    """
    A key store, each of whose calls ends in time: with what it returns, or with `KeyUnavailable`.

    Args:
        store: The store.
        seconds: How long one call may take.
    """

    def __init__(self, store: KeyStore, seconds: float) -> None:
        self._store = store
        self._seconds = seconds

    def __repr__(self) -> str:
        return f"TimeLimited({self._store!r}, {self._seconds:g})"

    @property
    def uri(self) -> str:
        """How the store is named."""
        return self._store.uri

    @property
    def protection(self) -> Protection:
        """How well it keeps its keys, at best."""
        return self._store.protection

    @property
    def title(self) -> str:
        """What people call it."""
        return self._store.title

    def probe(self) -> str | None:
        """Return why this store cannot be used here, or None."""
        try:
            return self._within(self._store.probe)
        except KeyUnavailable as error:
            return str(error)

    def algorithms(self) -> tuple[str, ...]:
        """Return the JWS algorithms whose keys it can make."""
        return self._within(self._store.algorithms)

    def create(self, alg: str) -> tuple[SigningKey, str]:
        """Make a new key, or find the one the URI names."""
        key, handle = self._within(lambda: self._store.create(alg))
        return _TimeLimitedKey(key, self._seconds, self.title), handle

    def load(self, handle: str) -> SigningKey:
        """Find a key again."""
        return _TimeLimitedKey(self._within(lambda: self._store.load(handle)), self._seconds, self.title)

    def delete(self, handle: str) -> None:
        """Remove a key."""
        self._within(lambda: self._store.delete(handle))

    def _within(self, call: Callable[[], T]) -> T:
        return within(call, seconds=self._seconds, subject=self.title)
