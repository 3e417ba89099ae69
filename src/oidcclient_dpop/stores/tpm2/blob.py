"""The wrapped key as it is stored: which parent wraps it, its public area, and its private area, encrypted."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final

from . import constants as c
from .marshal import MalformedAnswer, Reader, sized

__all__ = ["LONGEST_BLOB", "WrappedKey", "parse_public", "signing_template", "storage_template"]

VERSION: Final = 1
LONGEST_BLOB: Final = 1024  # bytes; ours have 223
LONGEST_AREA: Final = 512  # bytes; a public area of ours has 88, a private one 126


def storage_template() -> bytes:
    """
    Return the TPMT_PUBLIC of the primary key that wraps ours, where no storage root key is set up.

    The same template gives the same key each time, so it must never change: blobs of this version depend on it.
    """
    return (
        struct.pack(">HHI", c.ALG_ECC, c.ALG_SHA256, c.STORAGE_ATTRIBUTES)
        + sized(b"")  # no policy
        + struct.pack(">HHH", c.ALG_AES, 128, c.ALG_CFB)  # TPMT_SYM_DEF_OBJECT: how it encrypts its children
        + struct.pack(">HHH", c.ALG_NULL, c.ECC_NIST_P256, c.ALG_NULL)  # scheme, curve, key derivation
        + sized(b"")
        + sized(b"")
    )


def signing_template() -> bytes:
    """Return the TPMT_PUBLIC of a new signing key: P-256, ECDSA with SHA-256, bound to this TPM and its parent."""
    return _signing_head() + sized(b"") + sized(b"")


def _signing_head() -> bytes:
    return (
        struct.pack(">HHI", c.ALG_ECC, c.ALG_SHA256, c.SIGNING_ATTRIBUTES)
        + sized(b"")
        + struct.pack(">HHHHH", c.ALG_NULL, c.ALG_ECDSA, c.ALG_SHA256, c.ECC_NIST_P256, c.ALG_NULL)
    )


def parse_public(public: bytes) -> tuple[bytes, bytes]:
    """
    Return the point of a public area, which must be what we make and nothing weaker.

    A key without the fixed attributes could have been made elsewhere, or could be duplicated to another machine: who
    can replace the stored blob must not get us to use one.
    """
    head = _signing_head()
    if not public.startswith(head):
        raise MalformedAnswer("the key is not fixed to this TPM, or is not one of ours")
    reader = Reader(public[len(head) :])
    x, y = reader.sized(most=c.P256_BYTES), reader.sized(most=c.P256_BYTES)
    reader.end()
    return x, y


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """
    A key that only one TPM can use.

    Args:
        parent: The storage root key's handle, or the owner hierarchy for the primary key of `storage_template`.
        public: The TPMT_PUBLIC.
        private: The TPM2B_PRIVATE's content, encrypted by the parent.
    """

    parent: int
    public: bytes = field(repr=False)
    private: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if self.parent not in {c.SRK_HANDLE, c.RH_OWNER}:
            raise MalformedAnswer("the key has a parent that is none of ours")
        parse_public(self.public)

    def dump(self) -> bytes:
        """Return the bytes to store."""
        return struct.pack(">BI", VERSION, self.parent) + sized(self.public) + sized(self.private)

    @classmethod
    def parse(cls, blob: bytes) -> WrappedKey:
        """Return the key of stored bytes, checked."""
        if len(blob) > LONGEST_BLOB:
            raise MalformedAnswer("the key is too long")
        reader = Reader(blob)
        if reader.u8() != VERSION:
            raise MalformedAnswer("the key is of another version")
        parent = reader.u32()
        public, private = reader.sized(most=LONGEST_AREA), reader.sized(most=LONGEST_AREA)
        reader.end()
        return cls(parent, public, private)
