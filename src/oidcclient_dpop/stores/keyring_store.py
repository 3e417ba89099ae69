"""Software keys in the operating system's secure store: encrypted at rest, readable by programs of this user."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from oidcclient import KeyLost, KeyUnavailable, UsageError
from oidcclient_dpop.keys import Protection

from .deadline import within

if TYPE_CHECKING:
    from .software import SoftwareKey

__all__ = ["KeyringKeyStore"]

TIMEOUT_S: Final = 10.0  # long enough for a keyring that starts, short enough for one that waits for nobody
PROBE_S: Final = 2.0  # a probe asks nobody, so nothing slow is expected
HANDLE_BYTES: Final = 16  # random: nobody else has the same name
HANDLE: Final = re.compile(r"[0-9a-f]{32}")
SUBJECT: Final = "the keyring"


class KeyringKeyStore:
    """
    Keep software keys in the Secret Service, KWallet, the Keychain or Credential Manager.

    Args:
        uri: `keyring:`, which has no options.
        timeout: How long to wait for one answer, in seconds. A desktop may show a dialogue to unlock it.
    """

    protection: Final = Protection.KEYRING
    title: Final = "login keyring"

    def __init__(self, uri: str = "keyring:", *, timeout: float = TIMEOUT_S) -> None:
        if uri != "keyring:":
            raise UsageError("keyring: has no options", rule="uri", expected="keyring:")
        self.uri: Final = uri
        self._timeout = timeout

    def __repr__(self) -> str:
        return "KeyringKeyStore()"

    def probe(self) -> str | None:
        """Return why no keyring of this system can be used, or None. A locked one can: it asks when it is needed."""
        from .secure_store import secure_store_problem  # noqa: PLC0415 - an unused store imports nothing

        try:
            return within(secure_store_problem, seconds=min(PROBE_S, self._timeout), subject=SUBJECT)
        except KeyUnavailable as error:
            return str(error)

    def algorithms(self) -> tuple[str, ...]:
        """Return those of software keys."""
        from .software import ALGORITHMS  # noqa: PLC0415 - an unused store imports nothing

        return ALGORITHMS

    def create(self, alg: str) -> tuple[SoftwareKey, str]:
        """Make a key under a new, random name, and read it back once."""
        from .secure_store import delete_secret, read_secret, write_secret  # noqa: PLC0415 - an unused store imports nothing
        from .software import generate  # noqa: PLC0415 - an unused store imports nothing
        from .software_forms import to_text  # noqa: PLC0415 - an unused store imports nothing

        key = generate(alg, protection=self.protection)
        handle = os.urandom(HANDLE_BYTES).hex()
        text = to_text(key)

        def write() -> str | None:
            write_secret(handle, text)
            return read_secret(handle)

        # A person may unlock the keyring after we have given up: then nobody knows the name of what is written.
        if within(write, seconds=self._timeout, subject=SUBJECT, late=lambda _: delete_secret(handle)) != text:
            raise KeyUnavailable("the keyring took a key and does not give it back", rule="keyring")
        return key, handle

    def load(self, handle: str) -> SoftwareKey:
        """Return the key of this name."""
        from .secure_store import read_secret  # noqa: PLC0415 - an unused store imports nothing
        from .software_forms import from_text  # noqa: PLC0415 - an unused store imports nothing

        text = None
        if HANDLE.fullmatch(handle):
            text = within(lambda: read_secret(handle), seconds=self._timeout, subject=SUBJECT)
        if text is not None:
            try:
                return from_text(text, protection=self.protection)
            except (ValueError, UsageError):
                text = None
        # Raised here and not in the handler: the error below could quote the key, and would go along as the context.
        raise KeyLost("the key is not in the keyring", rule="key")

    def delete(self, handle: str) -> None:
        """Remove the key of this name."""
        from .secure_store import delete_secret, read_secret  # noqa: PLC0415 - an unused store imports nothing

        def delete() -> None:
            if read_secret(handle) is not None:
                delete_secret(handle)

        if HANDLE.fullmatch(handle):
            within(delete, seconds=self._timeout, subject=SUBJECT)
