"""Sessions that last as long as the program."""

from __future__ import annotations

import os
import threading

from oidcclient._words.record import RecordKey, SessionRecord

__all__ = ["MemoryStore"]


class _Held:
    """A lock that was got."""

    def __init__(self, store: MemoryStore, key: RecordKey) -> None:
        self._store = store
        self._key: RecordKey | None = key

    def release(self) -> None:
        """Let go."""
        key, self._key = self._key, None
        if key is not None:
            self._store.unlock(key)


class MemoryStore:
    """Keep sessions in this process alone; they are gone when it ends. Thread-safe."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._guard = threading.Lock()
        self._records: dict[RecordKey, SessionRecord] = {}
        self._current: dict[tuple[str, str, str], RecordKey] = {}
        self._locked: set[RecordKey] = set()

    def _in(self) -> threading.Lock:
        """Return the guard. The child of a fork begins with nothing: two processes must not share a refresh token."""
        if os.getpid() != self._pid:
            self._begin()
        return self._guard

    def __repr__(self) -> str:
        return f"MemoryStore({len(self._records)} sessions)"

    def probe(self) -> None:
        """Nothing can be in the way of memory."""

    def current(self, profile: str, issuer: str, client_id: str) -> SessionRecord | None:
        """Return the record last made current, or None."""
        records = self.records(profile, issuer, client_id)
        return records[0] if records else None

    def records(self, profile: str, issuer: str, client_id: str) -> tuple[SessionRecord, ...]:
        """Return the records of a profile, issuer and client, the current one first."""
        group = (profile, issuer, client_id)
        with self._in():
            current = self._current.get(group)
            found = [
                record for key, record in self._records.items() if (key.profile, key.issuer, key.client_id) == group
            ]
        return tuple(sorted(found, key=lambda record: record.key != current))

    def load(self, key: RecordKey) -> SessionRecord | None:
        """Return one record as it is now, or None."""
        with self._in():
            return self._records.get(key)

    def save(self, record: SessionRecord, *, current: bool = False) -> None:
        """Save a record in place of the one with the same key."""
        key = record.key
        group = (key.profile, key.issuer, key.client_id)
        with self._in():
            self._records[key] = record
            if current or self._current.get(group) not in self._records:
                self._current[group] = key

    def make_current(self, key: RecordKey) -> None:
        """Make a record the current one of its client; no error if it is gone."""
        with self._in():
            if key in self._records:
                self._current[(key.profile, key.issuer, key.client_id)] = key

    def delete(self, key: RecordKey) -> None:
        """Forget a record; no error if it is gone."""
        with self._in():
            self._records.pop(key, None)

    def try_lock(self, key: RecordKey) -> _Held | None:
        """Lock one record, at once, or return None if it is locked."""
        with self._in():
            if key in self._locked:
                return None
            self._locked.add(key)
        return _Held(self, key)

    def unlock(self, key: RecordKey) -> None:
        """Let a lock go; called by the lock itself."""
        with self._in():
            self._locked.discard(key)
