"""Sessions in encrypted files, with the key in the operating system's secure store."""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode

from .deadline import within
from .folder import FolderStore
from .home import store_folder
from .keyring_backend import read_secret, write_secret
from .keys import KEY_BYTES

__all__ = ["KeyringStore"]

TIMEOUT_S = 10.0  # long enough for a keyring that starts, short enough for one that waits for nobody
ENCODED_CHARACTERS = 43  # 32 bytes in base64url without padding
SUBJECT = "the keyring"


class KeyringKeys:
    """Keys in the operating system's secure store: the Secret Service, KWallet, the Keychain, Credential Manager."""

    name = "keyring"

    def __init__(self, timeout: float) -> None:
        self.slowness = timeout

    def read(self, key_id: str) -> bytes | None:
        """Return a key, or None if there is none of this name."""
        secret = within(lambda: read_secret(key_id), seconds=self.slowness, subject=SUBJECT)
        return None if secret is None else _decoded(secret)

    def write(self, key_id: str, key: bytes) -> None:
        """Keep a new key."""
        secret = urlsafe_b64encode(key).decode("ascii").rstrip("=")
        within(lambda: write_secret(key_id, secret), seconds=self.slowness, subject=SUBJECT)


def _decoded(secret: str) -> bytes | None:
    """Return a key from its text; what is no key is as good as none."""
    try:
        key = urlsafe_b64decode(secret + "=")
    except ValueError:
        return None
    return key if len(secret) == ENCODED_CHARACTERS and len(key) == KEY_BYTES else None


class KeyringStore(FolderStore):
    """
    Keep sessions in encrypted files, with the key in the operating system's secure store.

    This protects what is stored: a copy of the disk or a backup is of no use without the person's keyring. It does not
    protect against programs that run as this user while the keyring is unlocked.

    Args:
        folder: The folder. By default `keyring` in the user's data folder for oidcclient, or in `$OIDCCLIENT_HOME`.
        timeout: How long to wait for one answer of the secure store, in seconds. A desktop may show a dialogue to
            unlock it, which the person has this long to answer.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None, *, timeout: float = TIMEOUT_S) -> None:
        super().__init__(store_folder(folder, KeyringKeys.name), KeyringKeys(timeout))

    def __repr__(self) -> str:
        return f"KeyringStore({self._root!r})"
