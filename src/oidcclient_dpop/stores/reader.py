"""Reading binary answers of a TPM and of an SSH agent: no length in them is trusted."""

from __future__ import annotations

__all__ = ["MalformedAnswer", "Reader"]


class MalformedAnswer(Exception):
    """What came is no answer that the protocol has."""


class Reader:
    """Take values off bytes, never more than there are."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        end = self._at + size
        if end > len(self._data):
            raise MalformedAnswer("it ends too early")
        value = self._data[self._at : end]
        self._at = end
        return value

    def u8(self) -> int:
        """Return one byte as a number."""
        return self.take(1)[0]

    def u16(self) -> int:
        """Return two bytes as a number, big-endian."""
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        """Return four bytes as a number, big-endian."""
        return int.from_bytes(self.take(4), "big")

    def sized(self, *, most: int) -> bytes:
        """Return the content of a TPM2B: a UINT16 and so many bytes, which may be `most` of them."""
        size = self.u16()
        if size > most:
            raise MalformedAnswer("a part of it is too long")
        return self.take(size)

    def string(self) -> bytes:
        """Return the content of an SSH string: a uint32 and so many bytes (RFC 4251 section 5)."""
        return self.take(self.u32())

    def end(self) -> None:
        """Check that nothing is left."""
        if self._at != len(self._data):
            raise MalformedAnswer("it is longer than it should be")
