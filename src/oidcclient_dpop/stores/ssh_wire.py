"""
The protocol of SSH agents (draft-ietf-sshm-ssh-agent), as far as it lists keys and signs.

Every length is checked before it is used: what answers at the socket is not ours.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from .jose import P256_BYTES, raw_signature
from .reader import MalformedAnswer, Reader

__all__ = ["ED25519", "P256", "Agent", "AgentFailure", "AgentKey", "MalformedAnswer"]

# Protocol numbers: section "Message numbers"
FAILURE: Final = 5
REQUEST_IDENTITIES: Final = 11
IDENTITIES_ANSWER: Final = 12
SIGN_REQUEST: Final = 13
SIGN_RESPONSE: Final = 14
LARGEST_ANSWER: Final = 256 * 1024  # bytes; OpenSSH, authfd.c: MAX_AGENT_REPLY_LEN
MOST_KEYS: Final = 2048  # OpenSSH, authfd.c: MAX_AGENT_IDENTITIES
P256: Final = b"ecdsa-sha2-nistp256"  # RFC 5656 section 6.2.1
ED25519: Final = b"ssh-ed25519"  # RFC 8709 section 4
P256_NAME: Final = b"nistp256"  # RFC 5656 section 10.1
UNCOMPRESSED: Final = 4  # SEC 1 section 2.3.3
ED25519_KEY_BYTES: Final = 32  # RFC 8032 section 5.1.5
ED25519_SIGNATURE_BYTES: Final = 64  # RFC 8032 section 5.1.6


class AgentFailure(Exception):
    """The agent refused; the protocol has no reasons."""


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


@dataclass(frozen=True, slots=True)
class AgentKey:
    """
    A key that an agent has.

    Args:
        blob: The public key as SSH writes it.
    """

    blob: bytes

    @property
    def fingerprint(self) -> str:
        """What `ssh-add -l` prints: the hash of the public key."""
        digest = base64.b64encode(hashlib.sha256(self.blob).digest()).rstrip(b"=").decode("ascii")
        return f"SHA256:{digest}"

    @property
    def kind(self) -> bytes:
        """The name of its algorithm in SSH."""
        return Reader(self.blob).string()

    def public(self) -> bytes:
        """Return the point of a P-256 key without its first byte, or the 32 bytes of an Ed25519 key."""
        reader = Reader(self.blob)
        kind = reader.string()
        if kind == P256 and reader.string() != P256_NAME:
            raise MalformedAnswer("it is a key on another curve")
        public = reader.string()
        reader.end()
        if kind == ED25519 and len(public) == ED25519_KEY_BYTES:
            return public
        if kind == P256 and len(public) == 1 + 2 * P256_BYTES and public[0] == UNCOMPRESSED:
            return public[1:]
        raise MalformedAnswer("it is no key that can be used")


class Agent:
    """
    A connection to an agent.

    Args:
        connection: A connected socket.
        deadline: When to give up, on the monotonic clock.
    """

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline

    @classmethod
    @contextmanager
    def connected(cls, path: str, deadline: float) -> Generator[Agent]:
        """Connect to an agent's socket, for a moment."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            agent = cls(connection, deadline)
            agent._limit()
            connection.connect(path)
            yield agent

    def _limit(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)

    def _receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            self._limit()
            part = self._connection.recv(size - len(data))
            if not part:
                raise MalformedAnswer("it ends too early")
            data += part
        return data

    def _ask(self, question: bytes, *, expected: int) -> Reader:
        self._limit()
        self._connection.sendall(_string(question))
        size = int.from_bytes(self._receive(4), "big")
        if not 1 <= size <= LARGEST_ANSWER:
            raise MalformedAnswer("its length is impossible")
        reader = Reader(self._receive(size))
        kind = reader.u8()
        if kind == FAILURE:
            raise AgentFailure
        if kind != expected:
            raise MalformedAnswer("it answers something else")
        return reader

    def list_keys(self) -> list[AgentKey]:
        """Return the keys it has and shows; none, while it is locked."""
        reader = self._ask(bytes([REQUEST_IDENTITIES]), expected=IDENTITIES_ANSWER)
        count = reader.u32()
        if count > MOST_KEYS:
            raise MalformedAnswer("it lists too many keys")
        found = []
        for _ in range(count):
            found.append(AgentKey(reader.string()))
            reader.string()  # the comment
        reader.end()
        return found

    def sign(self, key: AgentKey, message: bytes) -> bytes:
        """Return the JWS signature of a message: SSH signs the bytes as they are, with the same hash as JWS."""
        question = bytes([SIGN_REQUEST]) + _string(key.blob) + _string(message) + struct.pack(">I", 0)
        reader = self._ask(question, expected=SIGN_RESPONSE)
        outer = Reader(reader.string())
        reader.end()
        if outer.string() != key.kind:
            raise MalformedAnswer("it is signed in another way")
        signature = outer.string()
        outer.end()
        if key.kind == ED25519:
            if len(signature) != ED25519_SIGNATURE_BYTES:
                raise MalformedAnswer("it is no signature")
            return signature
        inner = Reader(signature)  # RFC 5656 section 3.1.2: mpint r, mpint s
        r, s = inner.string(), inner.string()
        inner.end()
        try:
            return raw_signature(r, s)
        except ValueError:
            raise MalformedAnswer("it is no signature") from None
