"""Nonces that a server gives out (RFC 9449 sections 8 and 9)."""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Sequence
from typing import Protocol

from .errors import USE_DPOP_NONCE, ProofRefused, Rule
from .jose import encode, same

__all__ = ["NonceCheck", "NonceIssuer"]

MIN_SECRET = 32  # bytes: as many as the hash has
NONCE_BYTES = 24  # 32 characters of base64url, which are all NQCHAR (RFC 9449 section 8.1)
ROTATION_S = 60.0  # seconds
KEPT = 2  # older ones: a nonce is good for two to three minutes
SKEW_S = 5.0  # seconds; clocks of servers are set by the network and differ by far less


class NonceCheck(Protocol):
    """Tells the server's nonces from others."""

    def check(self, nonce: str, *, now: float) -> float:
        """
        Accept a nonce, and return until when it will be accepted, in Unix seconds.

        Raises:
            ProofRefused: It is not one of the server's recent nonces; the error is `use_dpop_nonce`.
        """
        ...


class NonceIssuer:
    """
    Makes nonces and knows them again, without remembering any.

    A nonce is a keyed hash of the time, in slices: nobody can foretell it without the secret (RFC 9449 section 8), and
    all workers that share the secret accept it.

    Args:
        secret: At least 32 random bytes, the same for all workers.
        purpose: Tells servers apart that share a secret: a nonce for one is none for another.
        previous: Secrets used before, whose nonces are still accepted.
        rotation: How long the same nonce is given out, in seconds.
        kept: How many older nonces are accepted.
        skew: How far the clocks of the workers may be apart, in seconds. The clocks of clients do not matter here.
    """

    def __init__(
        self,
        secret: bytes,
        *,
        purpose: str = "",
        previous: Sequence[bytes] = (),
        rotation: float = ROTATION_S,
        kept: int = KEPT,
        skew: float = SKEW_S,
    ) -> None:
        self._secrets = (secret, *previous)
        if any(len(one) < MIN_SECRET for one in self._secrets):
            raise ValueError(f"a secret has at least {MIN_SECRET} bytes")
        if rotation <= 0 or kept < 0 or skew < 0:
            raise ValueError("rotation is positive, kept and skew are not negative")
        self._purpose = purpose
        self._rotation = rotation
        self._kept = kept
        self._skew = skew
        self._made: tuple[tuple[int, int], list[tuple[str, float]]] = ((0, -1), [])

    def issue(self, *, now: float) -> str:
        """Return the nonce for the `DPoP-Nonce` header: on a challenge, and on success too (section 8.2)."""
        return self._nonce(self._secrets[0], self._slice(now))

    def check(self, nonce: str, *, now: float) -> float:
        """
        Accept a nonce that was given out lately, here or by another worker, and return until when.

        Raises:
            ProofRefused: It was not.
        """
        found = None
        for recent, until in self._recent(now):
            if same(nonce, recent):
                found = until  # and on through all of them, so that the time tells nothing
        if found is None:
            raise ProofRefused(Rule.NONCE, "The nonce is not one of the server's recent ones", error=USE_DPOP_NONCE)
        return found

    def _recent(self, now: float) -> list[tuple[str, float]]:
        """Return the nonces that are accepted now, each with its end; they are made once a slice."""
        span = self._slice(now - self._skew) - self._kept, self._slice(now + self._skew)
        made, nonces = self._made  # read once: another thread may be at it too
        if made != span:
            nonces = list(self._between(*span))
            self._made = span, nonces
        return nonces

    def _between(self, first: int, last: int) -> Iterator[tuple[str, float]]:
        for number in range(first, last + 1):
            until = (number + self._kept + 1) * self._rotation + self._skew
            for secret in self._secrets:
                yield self._nonce(secret, number), until

    def _slice(self, now: float) -> int:
        return int(now // self._rotation)

    def _nonce(self, secret: bytes, number: int) -> str:
        message = f"dpop-nonce {number} {self._purpose}".encode()
        return encode(hmac.digest(secret, message, "sha256")[:NONCE_BYTES])
