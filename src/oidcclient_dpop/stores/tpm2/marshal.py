"""
The bytes of commands and responses (TPM 2.0 Library part 1, command/response structure).

Every length is checked before it is used.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from oidcclient_dpop.stores.reader import MalformedAnswer, Reader

from .constants import HEADER, LARGEST_RESPONSE, RS_PW, ST_NO_SESSIONS, ST_SESSIONS

__all__ = ["MalformedAnswer", "Reader", "build_command", "parse_header", "parse_response", "sized"]

# The size of a TPMS_AUTH_COMMAND, and it: no nonce, continueSession, the empty password.
_PASSWORD: Final = struct.pack(">IIHBH", 9, RS_PW, 0, 1, 0)
_HEADER: Final = struct.Struct(">HII")  # tag, size, code
_U32: Final = struct.Struct(">I")
_AUTH_RESPONSE: Final = struct.Struct(">HBH")  # TPMS_AUTH_RESPONSE without what the sizes are of


def sized(data: bytes) -> bytes:
    """Return a TPM2B: two bytes of length and the content."""
    return struct.pack(">H", len(data)) + data


def build_command(code: int, handles: Sequence[int], *, authorised: bool, parameters: bytes) -> bytes:
    """
    Return a command.

    Args:
        code: The TPM_CC.
        handles: The objects it is about.
        authorised: Whether the first of them needs authorisation; it is given with the empty password.
        parameters: The rest.
    """
    body = struct.pack(f">{len(handles)}I", *handles) + (_PASSWORD if authorised else b"") + parameters
    return _HEADER.pack(ST_SESSIONS if authorised else ST_NO_SESSIONS, HEADER + len(body), code) + body


def parse_header(header: bytes) -> int:
    """Return the size of the response that starts with these 10 bytes."""
    size = int.from_bytes(header[2:6], "big")
    if header[:2] not in {b"\x80\x01", b"\x80\x02"}:  # TPM_ST: no other tag answers; 0x00C4 is TPM 1.2
        raise MalformedAnswer("it is not from a TPM 2.0")
    if not HEADER <= size <= LARGEST_RESPONSE:
        raise MalformedAnswer("its length is impossible")
    return size


def parse_response(response: bytes, *, authorised: bool, gives_handle: bool) -> tuple[int, int, Reader]:
    """
    Return the response code, the handle (or 0) and the parameters.

    Args:
        response: All of it.
        authorised: Whether the command had a session; the answer has one then, unless it failed.
        gives_handle: Whether the answer starts with a handle, unless the command failed.
    """
    try:
        tag, size, code = _HEADER.unpack_from(response)
        if size != len(response):
            raise MalformedAnswer("its length is not what it says")
        if code:
            return code, 0, Reader(b"")
        if tag != (ST_SESSIONS if authorised else ST_NO_SESSIONS):
            raise MalformedAnswer("it does not belong to the command")
        handle, first = (*_U32.unpack_from(response, HEADER), HEADER + 4) if gives_handle else (0, HEADER)
        if not authorised:
            return 0, handle, Reader(response[first:])
        (length,) = _U32.unpack_from(response, first)
        first += 4
        # For a password the first and the last are empty.
        nonce, _, acknowledgment = _AUTH_RESPONSE.unpack_from(response, first + length)
    except struct.error:
        raise MalformedAnswer("it ends too early") from None
    if nonce or acknowledgment or first + length + _AUTH_RESPONSE.size != size:
        raise MalformedAnswer("it belongs to a session of another kind")
    return 0, handle, Reader(response[first : first + length])
