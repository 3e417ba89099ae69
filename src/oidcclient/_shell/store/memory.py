"""Sessions that last as long as the program."""

from __future__ import annotations

import threading

from oidcclient._words.record import SessionRecord

__all__ = ["MemoryStore"]

Key = tuple[str, str, str, str]


class MemoryStore:
    """Keep sessions in this process alone; they are gone when it ends. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: dict[Key, SessionRecord] = {}

    def __repr__(self) -> str:
        return f"MemoryStore({len(self._records)} sessions)"

    @staticmethod
    def _key(record: SessionRecord) -> Key:
        return (record.profile, record.issuer, record.client_id, record.account)

    def probe(self) -> None:
        """Nothing can be in the way of memory."""

    def records(self, profile: str, issuer: str, client_id: str) -> tuple[SessionRecord, ...]:
        """Return the records of a profile, issuer and client, the last one used first."""
        wanted = (profile, issuer, client_id)
        with self._lock:
            return tuple(record for key, record in reversed(self._records.items()) if key[:3] == wanted)

    def save(self, record: SessionRecord) -> None:
        """Save a record in place of any of the same profile, issuer, client and account, and make it the last used."""
        with self._lock:
            self._records.pop(self._key(record), None)
            self._records[self._key(record)] = record

    def delete(self, record: SessionRecord) -> None:
        """Forget a record; no error if it is gone."""
        with self._lock:
            self._records.pop(self._key(record), None)
