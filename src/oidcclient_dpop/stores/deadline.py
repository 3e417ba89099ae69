"""A store that may hang, with a time limit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Generic, TypeVar

from oidcclient import KeyUnavailable, OidcError
from oidcclient_dpop.keys import KeyStore, Protection, SigningKey

__all__ = ["TimeLimited", "within"]

T = TypeVar("T")


class _Outcome(Generic[T]):
    """What became of the call."""

    def __init__(self, call: Callable[[], T], late: Callable[[T], object] | None) -> None:
        self._call = call
        self._late = late
        self._lock = threading.Lock()
        self._given_up = False
        self.values: list[T] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            value = self._call()
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that waits
            self.error = error
            return
        with self._lock:
            self.values.append(value)
            is_late = self._given_up
        if is_late:
            self._undo()

    def give_up(self) -> None:
        """Take no value any more; one that has just come is undone."""
        with self._lock:
            self._given_up = True
            has_come = bool(self.values)
        if has_come:
            self._undo()

    def _undo(self) -> None:
        if self._late is not None:
            with suppress(Exception):  # there is nobody left to be told
                self._late(self.values[0])


def within(call: Callable[[], T], *, seconds: float, subject: str, late: Callable[[T], object] | None = None) -> T:
    """
    Return what a call returns, unless it takes too long; it is then left to itself in a thread that holds up nobody.

    Args:
        call: What to do.
        seconds: For how long to wait.
        subject: Who does not answer then.
        late: What to do with what it returns when nobody waits any more, for example remove a key again.

    Raises:
        oidcclient.KeyUnavailable: It took too long.
    """
    outcome = _Outcome(call, late)
    thread = threading.Thread(target=outcome.run, name="oidcclient-key-store", daemon=True)
    thread.start()
    try:
        thread.join(seconds)
        if thread.is_alive():
            raise too_slow(subject, seconds)
    except BaseException:  # Ctrl-C too
        outcome.give_up()
        raise
    if outcome.error is not None:
        raise outcome.error
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
        sign = _translated(lambda: self._key.sign(message), self._subject)
        return within(sign, seconds=self._seconds, subject=self._subject)


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

        def create() -> tuple[SigningKey, str]:
            key, handle = self._store.create(alg)
            if not isinstance(handle, str):  # it would spoil the session's record, when a person has signed in
                raise TypeError("a handle is text")
            return _TimeLimitedKey(key, self._seconds, self.title), handle

        return self._within(create, late=lambda made: self._store.delete(made[1]))

    def load(self, handle: str) -> SigningKey:
        """Find a key again."""
        return self._within(lambda: _TimeLimitedKey(self._store.load(handle), self._seconds, self.title))

    def delete(self, handle: str) -> None:
        """Remove a key."""
        self._within(lambda: self._store.delete(handle))

    def _within(self, call: Callable[[], T], late: Callable[[T], object] | None = None) -> T:
        return within(_translated(call, self.title), seconds=self._seconds, subject=self.title, late=late)


def _translated(call: Callable[[], T], subject: str) -> Callable[[], T]:
    """Return the call with its errors in the words of this library: what others raise, nobody expects."""

    def act() -> T:
        try:
            return call()
        except OidcError:
            raise
        except Exception as error:
            raise KeyUnavailable(f"{subject} failed ({type(error).__name__})", rule="key_store") from error

    return act
