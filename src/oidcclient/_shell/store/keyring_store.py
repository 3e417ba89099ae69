"""Sessions in encrypted files, with the key in the operating system's secure store."""

from __future__ import annotations

import os
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Literal

from oidcclient._words.errors import UsageError
from oidcclient._words.record import RecordKey

from .deadline import within
from .folder import FolderStore
from .home import store_folder
from .keyring_backend import read_secret, write_secret
from .keys import KEY_BYTES
from .problems import translated

__all__ = ["KeyringStore"]

TIMEOUT_S = 10.0  # long enough for a keyring that starts, short enough for one that waits for nobody
ENCODED_CHARACTERS = 43  # 32 bytes in base64url without padding
SUBJECT = "the keyring"


class KeyringKeys:
    """Keys in the operating system's secure store: the Secret Service, KWallet, the Keychain, Credential Manager."""

    name = "keyring"

    def __init__(self, timeout: float, *, in_kernel: bool = False) -> None:
        self.slowness = timeout
        self._in_kernel = in_kernel

    def read(self, key_id: str) -> bytes | None:
        """Return a key, or None if there is none of this name."""
        if not self._in_kernel:
            return self._read(key_id)
        from .kernel_keys import keep_key, kept_key  # noqa: PLC0415 - off by default

        key = kept_key(key_id, KEY_BYTES)
        if key is None:
            key = self._read(key_id)
            if key is not None:
                keep_key(key_id, key)
        return key

    def forget(self, key_id: str | None) -> None:
        """Have the kernel keep a key no longer."""
        if self._in_kernel and key_id is not None:
            from .kernel_keys import forget_key  # noqa: PLC0415 - off by default

            forget_key(key_id)

    def _read(self, key_id: str) -> bytes | None:
        secret = within(lambda: read_secret(key_id), seconds=self.slowness, subject=SUBJECT)
        return None if secret is None else _decoded(secret)

    def write(self, key_id: str, key: bytes) -> None:
        """Keep a new key."""
        secret = urlsafe_b64encode(key).decode("ascii").rstrip("=")
        within(lambda: write_secret(key_id, secret), seconds=self.slowness, subject=SUBJECT)


def _check_cache(key_cache: object) -> None:
    if key_cache != "kernel" or sys.platform != "linux":
        raise UsageError(
            "there is no such cache for keys on this system",
            rule="key_cache",
            expected="kernel, on Linux",
            received=key_cache,
            hint="Leave key_cache out.",
        )


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
        key_cache: `"kernel"` has the Linux kernel keep the key for 15 minutes after it was read from the secure store,
            in the user keyring (keyrings(7)). Programs that start often are quicker, and for so long a keyring that
            is locked again keeps nobody out. Where the kernel refuses, the secure store is read each time.

    Raises:
        UsageError: There is no such cache on this system.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] | None = None,
        *,
        timeout: float = TIMEOUT_S,
        key_cache: Literal["kernel"] | None = None,
    ) -> None:
        if key_cache is not None:
            _check_cache(key_cache)
        self._source = KeyringKeys(timeout, in_kernel=key_cache is not None)
        super().__init__(store_folder(folder, KeyringKeys.name), self._source)

    def delete(self, key: RecordKey) -> None:
        """Forget a record, and have the kernel keep the key no longer: whoever is still signed in reads it anew."""
        super().delete(key)
        with translated("forget the store's key", self._root):
            self._source.forget(self._keys.present_id())

    def __repr__(self) -> str:
        return f"KeyringStore({self._root!r})"
