"""The key of a session: where it is made, and how it is found again from what the session says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Event
from typing import Any, NamedTuple

import oidcclient
from oidcclient import hooks

from .keys import KeyStore, Protection, SigningKey
from .proofs import thumbprint

__all__ = ["Keys"]

_OWN = "the program's own key"
_WORDS = {
    Protection.HARDWARE: "cannot be copied off this machine",
    Protection.ISOLATED: "held apart from your programs, and not given out to them",
    Protection.KEYRING: "programs that run as you can read it",
    Protection.FILE: "whoever can read it has the key",
}
_NO_WORDS = "kept in a way that this version does not know"
_MEMBERS = ("alg", "protection", "blocks", "public_jwk", "sign")  # of a SigningKey


class _Recorded(NamedTuple):
    """What a session says of its key; the handle is None where the key is the program's own."""

    jkt: str
    protection: int
    store: str
    handle: str | None

    @classmethod
    def read(cls, state: Mapping[str, Any]) -> _Recorded:
        found = cls(state.get("jkt", ""), state.get("protection", 0), state.get("store", ""), state.get("handle"))
        texts = (found.jkt, found.store, found.handle if "handle" in state else "")
        if not found.jkt or not isinstance(found.protection, int) or not all(isinstance(text, str) for text in texts):
            raise oidcclient.KeyLost("the session does not say which key it is bound to", rule="jkt")
        return found


class Keys:
    """
    Make the keys of new sessions, and find those of sessions that are there.

    Args:
        key: A key of the program's own, for every session.
        store: Where keys are made, otherwise; the best that works, by default.
        minimum: The least protection accepted.

    Raises:
        oidcclient.UsageError: An argument does not fit.
    """

    def __init__(
        self, key: Mapping[str, Any] | SigningKey | None, store: str | KeyStore | None, minimum: Protection
    ) -> None:
        if key is not None and store is not None:
            raise oidcclient.UsageError("give a key or a store, not both", rule="key")
        if not isinstance(minimum, Protection):
            raise oidcclient.UsageError("minimum must be a Protection", rule="minimum", received=minimum)
        self.given = _given_key(key)
        self.minimum = minimum
        self._store = _given_store(store)

    def make(self, algorithms: Sequence[str]) -> hooks.Flow[tuple[SigningKey, dict[str, Any]]]:
        """Make a key for one of these algorithms, the best first; return what is to be recorded of where it is, too."""
        late = Event()

        def make() -> tuple[SigningKey, dict[str, Any]]:
            key, place = self._make(algorithms)
            if late.is_set():
                self.delete(place)
            return key, place

        try:
            return (yield from hooks.run(make))
        except BaseException:  # a task that was cancelled: the thread that makes the key goes on
            late.set()
            raise

    def _make(self, algorithms: Sequence[str]) -> tuple[SigningKey, dict[str, Any]]:
        from .stores import create_best, default_stores, open_store  # noqa: PLC0415 - a given key needs no store

        if isinstance(self._store, str):
            candidates = [open_store(self._store)]
        else:
            candidates = default_stores() if self._store is None else [self._store]
        made = create_best(candidates, minimum=self.minimum, algorithms=algorithms)
        return made.key, {"store": made.store.uri, "handle": made.handle, "title": made.store.title}

    def open(self, state: Mapping[str, Any]) -> SigningKey:
        """
        Open the key that the session names; it is never replaced and never downgraded.

        Raises:
            oidcclient.KeyLost: It is gone, or is not what it was.
            oidcclient.KeyUnavailable: The store does not answer, or the key is kept less well than is demanded.
        """
        recorded = _Recorded.read(state)
        key = self.given if recorded.handle is None else self._store_of(recorded.store).load(recorded.handle)
        if key is None or thumbprint(key.public_jwk()) != recorded.jkt:
            raise oidcclient.KeyLost("the key found is not the one that the session is bound to", rule="jkt")
        if key.protection < recorded.protection:
            raise oidcclient.KeyLost("the key is kept less well than when the session began", rule="protection")
        self.check_minimum(key)
        return key

    def check_minimum(self, key: SigningKey) -> None:
        """
        Refuse a key that is kept less well than is demanded.

        Raises:
            oidcclient.KeyUnavailable: It is.
        """
        if key.protection < self.minimum:
            raise oidcclient.KeyUnavailable(
                f"the key is {key.protection.name}, and {self.minimum.name} is demanded",
                rule="minimum",
                hint="Sign in again with login(), for a key that is kept as well as is demanded, or demand less.",
            )

    def delete(self, state: Mapping[str, Any]) -> None:
        """Remove the key that a session names, if it was made for the session."""
        store, handle = state.get("store"), state.get("handle")
        if isinstance(store, str) and isinstance(handle, str):
            self._store_of(store).delete(handle)

    def _store_of(self, uri: str) -> KeyStore:
        """
        Return the store that made a key: a handle means nothing in another, or another key.

        The program's own words for it may hold a PIN, the session's do not.
        """
        from .stores import open_store  # noqa: PLC0415 - a given key needs no store

        named = open_store(self._store) if isinstance(self._store, str) else self._store
        return named if named is not None and named.uri == uri else open_store(uri)


def describe(state: Mapping[str, Any]) -> str:
    """Say in words where a session's key is and what that means."""
    words = _WORDS.get(state.get("protection", Protection.FILE), _NO_WORDS)
    return f"{state.get('title', _OWN)}: {words} (thumbprint {state.get('jkt', 'unknown')})"


def _given_key(key: Mapping[str, Any] | SigningKey | None) -> SigningKey | None:
    if isinstance(key, Mapping):
        from .stores.software_forms import from_jwk  # noqa: PLC0415 - who has no key needs none of it

        return from_jwk(key)
    if key is not None and not all(hasattr(key, name) for name in _MEMBERS):
        raise oidcclient.UsageError("key must be a private JWK or a SigningKey", rule="key")
    return key


def _given_store(store: str | KeyStore | None) -> str | KeyStore | None:
    if store is None or isinstance(store, str):
        return store
    if not isinstance(store, KeyStore):
        raise oidcclient.UsageError("store must be a URI or a KeyStore", rule="store")
    from .stores.registry import limited  # noqa: PLC0415 - who names no store needs none of it

    return limited(store)
