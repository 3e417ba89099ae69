"""What a TPM is asked to do (TPM 2.0 Library part 3), over an open channel."""

from __future__ import annotations

import struct
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final

from . import constants as c
from .blob import LONGEST_AREA, WrappedKey, signing_template, storage_template
from .marshal import MalformedAnswer, Reader, build_command, parse_response, sized
from .transport import Channel, DeadlinePassed

__all__ = ["Tpm", "TpmError"]

# TPM_RC: it could not start the command, has put it off, or is testing itself: the same again, later.
BUSY: Final = frozenset({c.RC_RETRY, c.RC_YIELDED, c.RC_TESTING})
FIRST_PAUSE_S: Final = 0.02  # doubled each time, as the Linux driver does
LONGEST_PAUSE_S: Final = 1.0
MOST_HANDLES: Final = 254  # TPML_HANDLE: at most what fits into a TPMS_CAPABILITY_DATA of 1,024 bytes


class TpmError(Exception):
    """The TPM answered with an error."""

    def __init__(self, code: int, command: int) -> None:
        self.code = code
        # TPM_RC, response code formats: without which handle or parameter it is about.
        self.base = code & c.RC_FORMAT_1_MASK if code & c.RC_FORMAT_1 else code
        self.is_about_parameter = bool(code & c.RC_FORMAT_1 and code & c.RC_PARAMETER)
        self.command = command
        super().__init__(f"0x{code:03X} {c.NAMES.get(self.base, '')}".rstrip())


class Tpm:
    """
    An open TPM.

    Args:
        channel: The way to it.
        deadline: When to give up, on the monotonic clock; set anew for each operation.
    """

    def __init__(self, channel: Channel, deadline: float) -> None:
        self.channel = channel
        self.deadline = deadline

    def command(
        self,
        code: int,
        handles: Sequence[int] = (),
        *,
        authorised: bool = False,
        parameters: bytes = b"",
        gives_handle: bool = False,
    ) -> tuple[int, Reader]:
        """Run a command; return its handle (or 0) and its parameters."""
        packet = build_command(code, handles, authorised=authorised, parameters=parameters)
        pause = FIRST_PAUSE_S
        while True:
            response = self.channel.exchange(packet, self.deadline)
            error, handle, reader = parse_response(response, authorised=authorised, gives_handle=gives_handle)
            if error not in BUSY:
                break
            if time.monotonic() + pause >= self.deadline:
                raise DeadlinePassed
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
        if error:
            raise TpmError(error, code)
        return handle, reader

    def startup(self) -> None:
        """Start a simulator that was just switched on; a computer's firmware does it for its TPM."""
        self.command(c.CC_STARTUP, parameters=struct.pack(">H", c.SU_CLEAR))

    def flush_all(self) -> None:
        """Free every loaded object, where nobody else has any: what a program that died has left."""
        question = struct.pack(">III", c.CAP_HANDLES, c.TRANSIENT_FIRST, MOST_HANDLES)
        _, reader = self.command(c.CC_GET_CAPABILITY, parameters=question)
        reader.u8()
        if reader.u32() != c.CAP_HANDLES:
            raise MalformedAnswer("it is not what was asked for")
        count = reader.u32()
        if count > MOST_HANDLES:
            raise MalformedAnswer("it lists too much")
        for handle in [reader.u32() for _ in range(count)]:
            self.flush(handle)

    def flush(self, handle: int) -> None:
        """Free a loaded object."""
        self.command(c.CC_FLUSH_CONTEXT, parameters=struct.pack(">I", handle))

    def has_storage_root(self) -> bool:
        """Tell whether a storage key that is fixed to this TPM stands ready."""
        try:
            _, reader = self.command(c.CC_READ_PUBLIC, [c.SRK_HANDLE])
        except TpmError as error:
            if error.base == c.RC_HANDLE:
                return False
            raise
        public = Reader(reader.sized(most=LONGEST_AREA))
        public.u16()
        public.u16()
        needed = c.RESTRICTED | c.DECRYPT | c.FIXED_TPM | c.FIXED_PARENT | c.USER_WITH_AUTH
        return public.u32() & needed == needed

    @contextmanager
    def parent(self, which: int) -> Generator[int]:
        """Yield the handle of the key that wraps ours, and free it if it was derived for this."""
        if which == c.SRK_HANDLE:
            yield which
            return
        # TPM2_CreatePrimary: inSensitive (empty password, no data), inPublic, outsideInfo, creationPCR
        parameters = sized(sized(b"") + sized(b"")) + sized(storage_template()) + sized(b"") + struct.pack(">I", 0)
        handle, _ = self.command(
            c.CC_CREATE_PRIMARY, [c.RH_OWNER], authorised=True, parameters=parameters, gives_handle=True
        )
        try:
            yield handle
        finally:
            self.flush(handle)

    def create(self) -> WrappedKey:
        """Make a key, under the storage root key if there is one: no derivation, and the owner may have a password."""
        which = c.SRK_HANDLE if self.has_storage_root() else c.RH_OWNER
        parameters = sized(sized(b"") + sized(b"")) + sized(signing_template()) + sized(b"") + struct.pack(">I", 0)
        with self.parent(which) as parent:
            _, reader = self.command(c.CC_CREATE, [parent], authorised=True, parameters=parameters)
        private, public = reader.sized(most=LONGEST_AREA), reader.sized(most=LONGEST_AREA)
        return WrappedKey(which, public, private)

    def load(self, key: WrappedKey) -> int:
        """Load a key; return its handle."""
        parameters = sized(key.private) + sized(key.public)
        if key.parent == c.SRK_HANDLE:
            return self._load(key.parent, parameters)
        with self.parent(key.parent) as parent:
            return self._load(parent, parameters)

    def _load(self, parent: int, parameters: bytes) -> int:
        return self.command(c.CC_LOAD, [parent], authorised=True, parameters=parameters, gives_handle=True)[0]

    def sign(self, handle: int, digest: bytes) -> tuple[bytes, bytes]:
        """Return the two numbers of an ECDSA signature over a SHA-256 digest."""
        # TPM2_Sign: the key's own scheme; no ticket is needed for a key that is not restricted.
        parameters = sized(digest) + struct.pack(">HHIH", c.ALG_NULL, c.ST_HASHCHECK, c.RH_NULL, 0)
        _, reader = self.command(c.CC_SIGN, [handle], authorised=True, parameters=parameters)
        if (reader.u16(), reader.u16()) != (c.ALG_ECDSA, c.ALG_SHA256):
            raise MalformedAnswer("it is signed in another way")
        r, s = reader.sized(most=c.P256_BYTES), reader.sized(most=c.P256_BYTES)
        reader.end()
        return r, s
