"""The form in which a key of the Secure Enclave is stored: its public key, and the key as the enclave encrypted it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from oidcclient_dpop.stores.jose import P256_BYTES, b64url_decode, b64url_encode

__all__ = ["LARGEST_WRAPPED", "WrappedKey"]

VERSION: Final = b"\1"
POINT_BYTES: Final = 1 + 2 * P256_BYTES  # 04, X and Y
LENGTH_BYTES: Final = 2
LARGEST_WRAPPED: Final = 2048  # bytes; those that were seen have some 570
LONGEST_HANDLE: Final = 4096  # characters
START: Final = len(VERSION) + POINT_BYTES + LENGTH_BYTES


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """
    A key that only one enclave can use.

    Args:
        point: The public key: 04, X and Y.
        wrapped: The key as the enclave encrypted it.
    """

    point: bytes
    wrapped: bytes

    def __post_init__(self) -> None:
        if len(self.point) != POINT_BYTES or self.point[0] != 4:  # noqa: PLR2004 - X9.63: not compressed
            raise ValueError("it is no point of P-256")
        if not 0 < len(self.wrapped) <= LARGEST_WRAPPED:
            raise ValueError("the encrypted key has a size that none has")

    def dump(self) -> str:
        """Return it as text."""
        length = len(self.wrapped).to_bytes(LENGTH_BYTES, "big")
        return b64url_encode(VERSION + self.point + length + self.wrapped)

    @classmethod
    def parse(cls, handle: str) -> WrappedKey:
        """
        Return it from its text.

        Raises:
            ValueError: It is none.
        """
        data = b64url_decode(handle) if len(handle) <= LONGEST_HANDLE else b""
        if data[:1] != VERSION or len(data) != START + int.from_bytes(data[START - LENGTH_BYTES : START], "big"):
            raise ValueError("it is no key of this form")
        return cls(data[1 : 1 + POINT_BYTES], data[START:])
