"""
Encrypted records in a folder, whatever keeps the key.

    <folder>/<kind>.key-id                    the name of the present key
    <folder>/<kind>.lock                      held while a key is made
    <folder>/<group>/<account>.session        a record
    <folder>/<group>/<account>.lock           held while the record is refreshed
    <folder>/<group>/current                  the account last made current
    <folder>/<group>/current.lock             held while that changes

A group is a profile, issuer and client. Records are replaced without a lock, so that no process that hangs can make
another one lose a refresh token that it has just been given.
"""

from __future__ import annotations

import time
from typing import NoReturn

from oidcclient._words.errors import LoginRequired, StoreError
from oidcclient._words.record import RecordKey, SessionRecord

from . import files
from .keys import Keys, KeySource
from .locks import FileLocked, locked, try_lock
from .place import RECORD_SUFFIX, Place, account_name, is_account_name
from .problems import Damaged, translated
from .sealing import key_id_of, record_bytes, seal, unseal
from .upkeep import move_aside, sweep

__all__ = ["FolderStore"]

POINTER_S = 30.0  # how long others may need to change the pointer; it takes them a moment
PROBE_BYTES = 32 * 1024  # more than a session needs


class FolderStore:
    """
    Keep encrypted records in a folder.

    Args:
        folder: The folder.
        source: Where the keys are kept.
    """

    def __init__(self, folder: str, source: KeySource) -> None:
        self._root = folder
        self._keys = Keys(folder, source)

    def probe(self) -> None:
        """Make sure that a record could be saved now."""
        with translated("use the store", self._root):
            files.ensure_folder(self._root, may_be_link=True)
            sweep(self._root, now=time.time())
            self._keys.forget()
            self._keys.ensure()
            files.Draft(f"{self._root}/probe", bytes(PROBE_BYTES)).discard()

    def current(self, profile: str, issuer: str, client_id: str) -> SessionRecord | None:
        """
        Return the record last made current, or None.

        Where that one was deleted, another one of the group takes its place.
        """
        group = Place(self._root, profile, issuer, client_id)
        with translated("read the session", group.group):
            if not self._is_there(group):
                return None
            pointed = self._pointed(group)
            if pointed is not None:
                return self._read(group.of(pointed))
        found = self.records(profile, issuer, client_id)
        return found[0] if found else None

    def records(self, profile: str, issuer: str, client_id: str) -> tuple[SessionRecord, ...]:
        """
        Return the records of a profile, issuer and client, the current one first.

        Those whose key is gone are left out while there are others: they are of no use, and must not hide the rest.
        """
        group = Place(self._root, profile, issuer, client_id)
        found: list[SessionRecord] = []
        gone: LoginRequired | None = None
        with translated("read the sessions", group.group):
            for account in self._accounts(group):
                try:
                    record = self._read(group.of(account))
                except LoginRequired as error:
                    gone = error
                else:
                    found += [record] if record is not None else []
        if gone is not None and not found:
            raise gone
        return tuple(found)

    def load(self, key: RecordKey) -> SessionRecord | None:
        """Return one record as it is now, or None."""
        place = self._place(key)
        with translated("read the session", place.record):
            return self._read(place) if self._is_there(place) else None

    def save(self, record: SessionRecord, *, current: bool = False) -> None:
        """Save a record, whole or not at all, in place of the one with the same key."""
        place = self._place(record.key)
        plain = record_bytes(record)
        with translated("save the session", place.record):
            files.ensure_folder(self._root, may_be_link=True)
            files.ensure_folder(place.group)
            key_id, key = self._keys.ensure()
            self._clear_the_way(place)
            sealed = seal(plain, place, key_id=key_id, key=key)
            if self._is_to_be_current(place, wanted=current):
                self._put_and_point(place, sealed, wanted=current)
            else:
                files.write_file(place.record, sealed)
            sweep(place.group, now=time.time())

    def make_current(self, key: RecordKey) -> None:
        """Make a record the current one of its client, and change nothing else; no error if it is gone."""
        place = self._place(key)
        with translated("change the current session", place.pointer):
            if not self._is_there(place) or self._pointed(place) == place.account:
                return
            with locked(place.pointer_lock, timeout=POINTER_S):
                if files.file_exists(place.record):
                    files.write_file(place.pointer, f"{place.account}\n".encode("ascii"))

    def delete(self, key: RecordKey) -> None:
        """Forget a record; no error if it is gone."""
        place = self._place(key)
        with translated("delete the session", place.record):
            if not self._is_there(place):
                return
            files.remove_file(place.record)
            if self._pointed(place) != place.account:
                return
            with locked(place.pointer_lock, timeout=POINTER_S):
                if self._pointed(place) == place.account and not files.file_exists(place.record):
                    files.remove_file(place.pointer)

    def try_lock(self, key: RecordKey) -> FileLocked | None:
        """Lock one record against all other processes and threads, at once, or return None if it is locked."""
        place = self._place(key)
        with translated("lock the session", place.lock):
            files.ensure_folder(self._root, may_be_link=True)
            files.ensure_folder(place.group)
            return try_lock(place.lock)

    def _place(self, key: RecordKey) -> Place:
        return Place(self._root, key.profile, key.issuer, key.client_id, account_name(key.account))

    def _is_there(self, place: Place) -> bool:
        return files.check_folder(self._root, may_be_link=True) and files.check_folder(place.group)

    def _accounts(self, group: Place) -> list[str]:
        if not self._is_there(group):
            return []
        names = [
            name.removesuffix(RECORD_SUFFIX) for name in files.names_in(group.group) if name.endswith(RECORD_SUFFIX)
        ]
        pointed = self._pointed(group)
        return sorted(filter(is_account_name, names), key=lambda name: (name != pointed, name))

    def _pointed(self, group: Place) -> str | None:
        content = files.read_file(group.pointer)
        if content is None:
            return None
        name = content.data.decode("ascii", "replace").removesuffix("\n")
        if not is_account_name(name):
            _put_aside(group.pointer, content)  # guessing could act for another account than the person thinks
        return name

    def _read(self, place: Place) -> SessionRecord | None:
        content = files.read_file(place.record)
        if content is None:
            return None
        try:
            key = self._keys.get(key_id_of(content.data))
            if key is not None:
                return unseal(content.data, place, key)
        except Damaged:
            _put_aside(place.record, content)
        raise LoginRequired(
            "the key that the stored session is encrypted with is gone",
            hint="Sign in again; or, if the session was stored with another store or keyring, choose that one.",
            rule="key",
        )

    def _clear_the_way(self, place: Place) -> None:
        """Refuse to replace what a newer version wrote, and keep aside what is no record."""
        content = files.read_file(place.record)
        if content is None:
            return
        try:
            key_id_of(content.data)
        except Damaged:
            move_aside(place.record, content)

    def _is_to_be_current(self, place: Place, *, wanted: bool) -> bool:
        pointed = self._pointed(place)
        if wanted or pointed is None:
            return pointed != place.account
        return not files.file_exists(place.of(pointed).record) and pointed != place.account

    def _put_and_point(self, place: Place, sealed: bytes, *, wanted: bool) -> None:
        # Both are on the disk before either takes its place: a full disk leaves both as they were. The lock is held for
        # two renames alone, so that many savers do not wait long for each other.
        pointer = files.Draft(place.pointer, f"{place.account}\n".encode("ascii"))
        try:
            record = files.Draft(place.record, sealed)
            try:
                with locked(place.pointer_lock, timeout=POINTER_S):
                    record.commit()
                    if self._is_to_be_current(place, wanted=wanted):
                        pointer.commit()
            finally:
                record.discard()
        finally:
            pointer.discard()


def _put_aside(path: str, content: files.Content) -> NoReturn:
    aside = move_aside(path, content)
    where = f"it is now {aside}" if aside else "it could not be moved and is still there"
    raise StoreError(
        f"the stored session {path} is damaged; {where}",
        hint="Sign in again." if aside else "Move the file away, then sign in again.",
        rule="damaged",
    )
