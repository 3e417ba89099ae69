"""
Keys that sign proofs, and the places where they are kept.

A key store makes a key, and later finds it again by a handle: a short text that lies in the session record. For a TPM
it is the wrapped key itself, for others a name. A key that was recorded is never replaced and never downgraded.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

__all__ = ["KeyStore", "Protection", "SigningKey"]


class Protection(enum.IntEnum):
    """
    How well a key is kept, in order.

    The meaning is what a program that runs as this user can do: FILE and KEYRING keys can be copied by it; ISOLATED and
    HARDWARE keys cannot leave, though it can have them sign while it runs.
    """

    FILE = 0
    KEYRING = 1
    ISOLATED = 2
    HARDWARE = 3


class SigningKey(Protocol):
    """A private key that signs and, where its store is any good, never leaves it."""

    @property
    def alg(self) -> str:
        """The JWS algorithm, for example `"ES256"`."""
        ...

    @property
    def protection(self) -> Protection:
        """How well the key is kept."""
        ...

    @property
    def blocks(self) -> bool:
        """Whether signing takes so long that an event loop must not wait for it: anything but a software key."""
        ...

    def public_jwk(self) -> Mapping[str, str]:
        """Return the public key, its required members alone: kty, crv, x, y, or kty, n, e (RFC 7638 section 3.2)."""
        ...

    def sign(self, message: bytes) -> bytes:
        """
        Return the JWS signature of a message; hashing happens within. Thread-safe.

        Raises:
            oidcclient.KeyLost: The key is gone.
            oidcclient.KeyUnavailable: The store does not answer, or not in time.
        """
        ...


@runtime_checkable
class KeyStore(Protocol):
    """A place where keys are kept. Methods may block; they are called off the event loop."""

    @property
    def uri(self) -> str:
        """How the store is named, for example `"tpm2:"`; recorded with the session, and enough to open it again."""
        ...

    @property
    def protection(self) -> Protection:
        """How well it keeps its keys, at best; the key itself tells what it is."""
        ...

    @property
    def title(self) -> str:
        """What people call it, for example `"TPM 2.0"`."""
        ...

    def probe(self) -> str | None:
        """Return why this store cannot be used here, in words, or None if it can. Creates nothing, asks nobody."""
        ...

    def algorithms(self) -> tuple[str, ...]:
        """Return the JWS algorithms whose keys it can make, the best first."""
        ...

    def create(self, alg: str) -> tuple[SigningKey, str]:
        """
        Make a new key, or find the one the URI names, and return it with its handle.

        Args:
            alg: One of `algorithms()`.

        Raises:
            oidcclient.KeyUnavailable: It could not be made; the message says why.
        """
        ...

    def load(self, handle: str) -> SigningKey:
        """
        Find a key again.

        Raises:
            oidcclient.KeyLost: It is gone, or no longer what it was.
            oidcclient.KeyUnavailable: The store does not answer now.
        """
        ...

    def delete(self, handle: str) -> None:
        """
        Remove a key; no error if it is gone. A key that was not made by `create` stays.

        Raises:
            oidcclient.KeyUnavailable: The store does not answer now.
        """
        ...
