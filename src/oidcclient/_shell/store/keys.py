"""The 32-byte keys that records are encrypted with: one for each store, and each with a name."""

from __future__ import annotations

import os
import time
from typing import Protocol

from oidcclient._words.errors import StoreError

from .files import Content, ensure_folder, read_file, write_file
from .locks import POLL_S, still_locked, try_lock
from .upkeep import move_aside

__all__ = ["KEY_BYTES", "FileKeys", "KeySource", "Keys"]

KEY_BYTES = 32
KEY_ID_BYTES = 8
KEY_ID_CHARACTERS = 2 * KEY_ID_BYTES
HEXADECIMAL = frozenset("0123456789abcdef")
OTHERS_S = 5.0  # on top of what our own keyring calls may take: how long others may need for theirs


class KeySource(Protocol):
    """Where keys are kept."""

    name: str
    slowness: float  # the longest that one call may take, in seconds

    def read(self, key_id: str) -> bytes | None:
        """Return a key, or None if there is none of this name."""
        ...

    def write(self, key_id: str, key: bytes) -> None:
        """Keep a new key."""
        ...


class FileKeys:
    """Keys in files beside the records, readable by this user alone."""

    name = "file"
    slowness = 0.0

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def read(self, key_id: str) -> bytes | None:
        """Return a key, or None if there is none of this name."""
        path = self._path(key_id)
        content = read_file(path, secret=True)
        if content is None:
            return None
        if len(content.data) != KEY_BYTES:
            aside = move_aside(path, content)
            raise StoreError(
                f"{path} is damaged" + (f"; it is now {aside}" if aside else ""),
                hint="Bring the file back from a backup, or sign in again.",
                rule="damaged",
            )
        return content.data

    def write(self, key_id: str, key: bytes) -> None:
        """Keep a new key."""
        write_file(self._path(key_id), key)

    def _path(self, key_id: str) -> str:
        return f"{self._folder}/{key_id}.key"


class Keys:
    """
    The keys of one store: the present one, and older ones that records still need.

    Args:
        folder: The folder of the store.
        source: Where the keys themselves are kept.
    """

    def __init__(self, folder: str, source: KeySource) -> None:
        self._folder = folder
        self._source = source
        self._known: dict[str, bytes] = {}

    def get(self, key_id: str) -> bytes | None:
        """Return a key by its name, or None if it is gone."""
        key = self._known.get(key_id)
        if key is None:
            key = self._source.read(key_id)
            if key is not None:
                self._known[key_id] = key
        return key

    def forget(self) -> None:
        """Ask the source again from now on."""
        self._known.clear()

    def present_id(self) -> str | None:
        """Return the name of the present key, if there is one; the key itself is not looked for."""
        content = read_file(self._pointer)
        return None if content is None else self._key_id(content)

    def ensure(self) -> tuple[str, bytes]:
        """
        Return the name of the present key and the key; make one if there is none.

        Processes that come at the same time agree on one key: it is made under a lock and written down last.
        """
        found = self._present()
        if found is not None:
            return found
        ensure_folder(self._folder, may_be_link=True)
        lock = f"{self._folder}/{self._source.name}.lock"
        deadline = time.monotonic() + OTHERS_S + 4 * self._source.slowness
        while True:
            held = try_lock(lock)
            if held is not None:
                try:
                    return self._present() or self._make()
                finally:
                    held.release()
            found = self._present()  # whoever holds the lock may have made it by now, and then nobody needs the lock
            if found is not None:
                return found
            if time.monotonic() > deadline:
                raise still_locked(lock, OTHERS_S + 4 * self._source.slowness)
            time.sleep(POLL_S)

    def _present(self) -> tuple[str, bytes] | None:
        key_id = self.present_id()
        key = None if key_id is None else self.get(key_id)
        return None if key_id is None or key is None else (key_id, key)

    def _key_id(self, content: Content) -> str | None:
        text = content.data.decode("ascii", "replace").removesuffix("\n")
        if len(text) == KEY_ID_CHARACTERS and HEXADECIMAL.issuperset(text):
            return text
        move_aside(self._pointer, content)  # no harm done: each record names its own key
        return None

    def _make(self) -> tuple[str, bytes]:
        key_id, key = os.urandom(KEY_ID_BYTES).hex(), os.urandom(KEY_BYTES)
        self._source.write(key_id, key)
        if self._source.read(key_id) != key:
            raise StoreError(
                f"the {self._source.name} store took a key and gave back something else",
                hint="Do not use this keyring; FileStore(...) keeps the key in a file, if that is protection enough.",
                rule="read-back",
            )
        write_file(self._pointer, f"{key_id}\n".encode("ascii"))
        self._known[key_id] = key
        return key_id, key

    @property
    def _pointer(self) -> str:
        return f"{self._folder}/{self._source.name}.key-id"
